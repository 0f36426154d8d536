"""What a team can carry, what it carries, and whether there is room for more."""

import threading
from datetime import timedelta

import pytest

from engagements import history, support
from engagements.capacity import ledger, teams
from engagements.capacity.ledger import DemandKind, demand_for, room_for
from engagements.capacity.limits import Limit, TeamLimits
from engagements.capacity.settings import CapacitySettings
from engagements.support import SupportRecord
from engagements.tiers import Tier
from portal_backend.core.db import serialise, transaction
from portal_backend.core.errors import NotAllowed, PreconditionFailed
from portal_backend.core.principal import Role
from tests.engagements.capacity.conftest import SRE
from tests.engagements.conftest import MANAGER, NOW, component, ref, somebody

TEAM = "/api/engagements/teams/group/default/sre"
NUMBERS = CapacitySettings()


def supported(session, names, tier=Tier.FULL_SRE):
    records = [SupportRecord(ref(name), tier, NOW, "mia", "simple_prr", "active") for name in names]
    support.adopt(session, records, MANAGER, NOW)
    session.commit()


def test_row_44_a_teams_capacity_is_a_ledger_with_reasons_and_dates(session, team):
    team(headcount=8)
    team(headcount=10, at=NOW + timedelta(days=30))
    entries = teams.entries(session, SRE)
    assert [(entry.sequence, entry.kind, entry.reason, entry.actor) for entry in entries] == [
        (1, "limits", "as agreed", "mia"),
        (2, "limits", "as agreed", "mia"),
    ]
    assert entries[1].details == {"headcount": 10}
    at = [teams.get(session, SRE, NOW + timedelta(days=days)).limits.headcount for days in (0, 29, 30)]
    assert at == [8, 8, 10]
    kinds = [event.kind for event in history.read(session, SRE).items]
    assert kinds == ["capacity.changed", "capacity.changed"]


def test_what_is_recorded_already_is_not_recorded_again(session, team):
    first, again = team(), team()
    assert first == again
    assert len(teams.entries(session, SRE)) == 1


def test_only_a_manager_records_capacity_and_only_on_the_version_seen(session, team):
    team()
    wanted = TeamLimits(SRE, "sre", headcount=9)
    with pytest.raises(NotAllowed):
        teams.put(session, wanted, "more", NOW, somebody(Role.SRE_LEAD), NOW)
    with pytest.raises(PreconditionFailed):
        teams.put(session, wanted, "more", NOW, MANAGER, NOW, if_match=7)
    assert teams.put(session, wanted, "more", NOW, MANAGER, NOW, if_match=1).version == 2


def test_a_team_that_nobody_recorded_has_no_room_and_the_remedy_is_named(session):
    room = room_for(session, SRE, demand_for(DemandKind.REVIEW), NOW)
    assert (room.fits, room.binding) == (False, "not_recorded")
    assert room.sentence.endswith("record the team's capacity (PUT /api/engagements/teams/group/default/sre).")


def test_a_team_that_nobody_recorded_is_told_beside_those_that_are(session, team):
    team()
    room = room_for(session, "group:default/typo", demand_for(DemandKind.REVIEW), NOW)
    assert room.sentence == (
        "Nobody recorded what group:default/typo can carry: record the team's capacity (PUT "
        f"/api/engagements/teams/group/default/typo), or name in `sre_team` one of those recorded: {SRE}."
    )


@pytest.mark.parametrize(
    ("running", "kind", "fits"),
    [
        ([], DemandKind.ONBOARDING, True),
        (["onboarding"], DemandKind.ONBOARDING, True),
        (["onboarding", "onboarding"], DemandKind.FRAMEWORK, False),
        (["onboarding", "analysis"], DemandKind.FRAMEWORK, False),
        (["onboarding", "adopting"], DemandKind.FRAMEWORK, True),
        (["onboarding", "adopting"], DemandKind.REVIEW, False),
        (["accepted", "accepted", "accepted"], DemandKind.ONBOARDING, True),
        (["disengaging", "active", "disengaged"], DemandKind.ONBOARDING, True),
    ],
)
def test_ruling_16_running_projects_take_their_sres(session, team, engaged, running, kind, fits):
    team(headcount=8)  # 4 on projects at once
    for number, state in enumerate(running):
        engaged(f"s{number}", state, queued=state == "accepted", closed_at=NOW if state == "disengaged" else None)
    room = room_for(session, SRE, demand_for(kind), NOW)
    assert room.fits is fits, room.sentence
    assert room.binding == (None if fits else "project_sres")


def test_reviewers_count_by_name_and_a_paused_engagement_takes_nobody(session, team, engaged):
    team(headcount=8)
    engaged("a", "analysis", document={"agreement": {"reviewers": ["x", "y", "z"]}})
    assert "3 of them are taken" in room_for(session, SRE, demand_for(DemandKind.REVIEW), NOW).sentence
    engaged("a", "analysis", document={"agreement": {"reviewers": ["x", "y", "z"]}}, paused=True)
    assert "0 of them are taken" in room_for(session, SRE, demand_for(DemandKind.REVIEW), NOW).sentence


def test_a_lack_of_room_says_what_would_make_some(session, team, engaged):
    team(headcount=1, project_sres=1)
    none_runs = room_for(session, SRE, demand_for(DemandKind.ONBOARDING), NOW).sentence
    assert none_runs.startswith("An onboarding takes 2 SREs for 2 quarters, but")
    assert none_runs.endswith("0 of them are taken: more capacity has to be recorded for the team.")
    assert (
        "A framework takes 1 SRE for 1 quarter;"
        in room_for(session, SRE, demand_for(DemandKind.FRAMEWORK), NOW).sentence
    )
    engaged("globe", state="analysis")
    some_run = room_for(session, SRE, demand_for(DemandKind.REVIEW), NOW).sentence
    assert "one of these has to end or pause" in some_run


def test_the_engagement_that_asks_does_not_stand_in_its_own_way(session, team, engaged):
    team(headcount=4)  # 2 on projects at once
    engaged("a", "training")
    demand = demand_for(DemandKind.ONBOARDING)
    assert not room_for(session, SRE, demand, NOW).fits
    assert room_for(session, SRE, demand, NOW, except_engagement="eng-a").fits


def test_the_limit_that_binds_is_named(session, team, triaged):
    triaged({"a": ({"framework": "go"}, 1.2), "b": ({"framework": "java"}, 1.0), "c": ({}, None)})
    supported(session, "abc")
    team(headcount=8, max_stacks=2)
    (state,) = ledger.capacity_of(session, NUMBERS, NOW)
    assert state.of(Limit.PAGES).used == pytest.approx(1.2 + 1.0 + NUMBERS.assumed_pages_per_shift)
    assert state.of(Limit.STACKS).used == 2
    assert state.binding == (Limit.PAGES, Limit.HOURS, Limit.STACKS)
    assert state.remarks == (f"Counted with an assumed page load, since nobody measures it: {ref('c')}.",)


def test_two_sites_staff_a_rotation_with_six_each():
    assert TeamLimits(SRE, headcount=24, sites=2).rotations(NUMBERS) == 2
    assert TeamLimits(SRE, headcount=16).rotations(NUMBERS) == 2
    assert TeamLimits(SRE, headcount=0).capacity(NUMBERS) == dict.fromkeys(Limit, 0.0)


def test_what_a_team_carries_is_told_by_annotation_engagement_or_because_it_is_the_only_one(
    session, team, triaged, engaged
):
    triaged({"a": ({"sre-team": "storage"}, 0.1), "b": ({}, 0.1), "c": ({}, 0.1)})
    supported(session, "abc")
    team("sre")
    engaged("b", "active", team="group:default/sre")
    (sre,) = ledger.capacity_of(session, NUMBERS, NOW)
    assert [use.ref for use in sre.uses] == [ref("b"), ref("c")]
    team("storage")
    storage = ledger.capacity_of(session, NUMBERS, NOW, ["group:default/storage"])[0]
    assert [use.ref for use in storage.uses] == [ref("a")]
    limits = [each.limits for each in teams.teams(session, NOW)]
    assert [use.ref for use in ledger.steady_uses(session, NUMBERS, limits)[None]] == [ref("c")]
    team("storage", headcount=0)
    dissolved = [each.limits for each in teams.teams(session, NOW)]
    assert [use.ref for use in ledger.steady_uses(session, NUMBERS, dissolved)["group:default/sre"]] == [
        *map(ref, "bc")
    ]


def test_row_28_freed_capacity_is_posted_once(session, team, triaged):
    triaged({"a": ({"framework": "go"}, 0.5)})
    supported(session, "a")
    team()
    freed = ledger.freed_by(session, ref("a"))
    assert freed == {"pages_per_shift": 0.5, "hours_per_quarter": 40 + 0.5 * 182 * 6, "stack": "go", "remark": ""}
    assert teams.post_freed(session, SRE, ref("a"), "eng-1", freed, "sally", NOW)
    assert not teams.post_freed(session, SRE, ref("a"), "eng-1", freed, "sally", NOW)
    entry = teams.entries(session, SRE)[-1]
    assert (entry.kind, entry.details["service"], entry.details["engagement"]) == ("freed", ref("a"), "eng-1")
    assert teams.get(session, SRE, NOW).limits.headcount == 8
    assert [event.kind for event in history.read(session, SRE).items][0] == "capacity.freed"


def test_teams_are_written_and_read_by_http(client, acting, now):
    body = {"title": "Storage", "headcount": 8, "reason": "hired"}
    acting(Role.SRE_MANAGER, name="mia")
    put = client.put(TEAM, json=body)
    assert (put.status_code, put.json["headcount"], put.headers["ETag"]) == (200, 8, '"1"')
    assert client.put(TEAM, json=body | {"headcount": 9}, headers={"If-Match": '"1"'}).json["version"] == 2
    assert client.put(TEAM, json=body, headers={"If-Match": '"1"'}).status_code == 412
    assert [entry["reason"] for entry in client.get(TEAM).json["ledger"]] == ["hired", "hired"]
    assert client.get("/api/engagements/teams").json["items"][0]["ref"] == SRE
    limits = client.get("/api/engagements/capacity").json["items"][0]["limits"]
    assert {each["limit"]: each["cap"] for each in limits} == {
        "pages_per_shift": 2.0, "operations_hours": 2340.0, "project_sres": 4.5, "stacks": 5.0,
    }  # fmt: skip
    acting(Role.SRE)
    assert client.put(TEAM, json=body).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {}, {"headcount": 8}, {"headcount": "8", "reason": "x"}, {"headcount": -1, "reason": "x"},
        {"headcount": 8, "reason": ""}, {"headcount": 8, "reason": "x", "colour": "red"},
        {"headcount": 8, "reason": "x", "ops_share_limit": 2}, {"headcount": 10**12, "reason": "x"},
        {"headcount": 8, "reason": "x", "effective_at": "tomorrow"}, {"headcount": 8, "reason": "a\0b"},
        {"headcount": 8, "reason": "x", "hours_per_shift": float("nan")},
    ],
)  # fmt: skip
def test_faulty_teams_are_refused(client, body):
    assert client.put(TEAM, json=body).status_code == 400
    assert client.get(TEAM).status_code == 404


@pytest.mark.parametrize("ref", ["%25/default/sre", "group/-/sre", "group/default/..", f"group/default/{'x' * 64}"])
def test_what_can_be_no_team_is_refused(client, ref):
    path = f"/api/engagements/teams/{ref}"
    assert client.put(path, json={"headcount": 8, "reason": "hired"}).status_code == 400
    assert client.get("/api/engagements/teams").json["items"] == []


def test_of_two_starts_at_once_one_gets_the_last_room(app, session, team, engaged):
    team(headcount=4)  # 2 on projects at once
    engaged("a")
    engaged("b")
    answers = []
    barrier = threading.Barrier(2)

    def start(name):
        with app.app_context():
            barrier.wait()
            with transaction() as own:
                serialise(own, f"capacity/{SRE}")
                fits = room_for(own, SRE, demand_for(DemandKind.REVIEW), NOW).fits
                answers.append(fits)
                if fits:
                    row = own.get_one(ledger.Engagement, f"eng-{name}")
                    row.state, row.queued = "engagement", False

    threads = [threading.Thread(target=start, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False, True]


def test_the_lifecycle_decides_how_much_of_the_load_reaches_sre(session, team, triaged):
    """SRE workbook, chapter 18: shared while limited, double in deprecation, the developers' once abandoned."""
    stages = {"a": "ga", "b": "limited", "c": "deprecation", "d": "abandoned"}
    triaged({name: ({"lifecycle": stage}, 1.0) for name, stage in stages.items()})
    supported(session, "abcd")
    team()
    (state,) = ledger.capacity_of(session, NUMBERS, NOW)
    pages = {use.ref: use.pages_per_shift for use in state.uses}
    assert pages == {ref("a"): 1, ref("b"): 0.5, ref("c"): 2, ref("d"): 0}
    hours = {use.ref: use.hours_per_quarter for use in state.uses}
    assert (hours[ref("b")], hours[ref("c")], hours[ref("d")]) == (hours[ref("a")] / 2, hours[ref("a")] * 2, 0)
    assert {use.remark for use in state.uses} == {
        "", "limited: 50% of its load counts", "deprecation: 200% of its load counts",
        "abandoned: 0% of its load counts",
    }  # fmt: skip
    assert state.remarks == (), "its lifecycle is known: nothing is assumed"


def test_every_number_can_be_counted_by_hand(session, team, triaged, engaged):
    triaged({"a": ({"lifecycle": "limited"}, 0.5), "b": ({}, 1.0), "c": ({}, 1.0)})
    supported(session, "a")
    supported(session, "b", Tier.PLATFORM)
    supported(session, "c", Tier.CONSULTATION)
    engaged("d", "analysis", document={"agreement": {"reviewers": ["x", "y", "z"]}})
    engaged("e", "onboarding")
    team(headcount=17, ops_share_limit=0.4)
    (state,) = ledger.capacity_of(session, NUMBERS, NOW)
    assert {str(each.limit): (each.cap, each.basis) for each in state.limits} == {
        "pages_per_shift": (4.0, "2 as recorded × 2 (rotations of 8 that 17 SREs can staff, 1 at least)"),
        "operations_hours": (3536.0, "17 SREs × 40 hours × 13 weeks × 40%"),
        "project_sres": (10.2, "17 SREs × 60%, what operations leave"),
        "stacks": (5.0, "as recorded"),
    }
    assert {use.ref: (use.hours_per_quarter, use.sres, use.basis) for use in state.uses} == {
        ref("a"): (293.0, 0.0, "(40 hours + 0.5 pages a shift × 182 shifts × 6 hours) × 50%"),
        ref("b"): (228.4, 0.0, "10 hours + 1 pages a shift × 20% × 182 shifts × 6 hours"),
        ref("c"): (10.0, 0.0, "10 hours"),
        ref("d"): (0.0, 3.0, "the reviewers that it names"),
        ref("e"): (0.0, 2.0, "what the settings take for the kind onboarding"),
    }
    recorded = TeamLimits(SRE, headcount=4, project_sres=6.0)
    assert recorded.capacity(NUMBERS)[Limit.PROJECTS] == 4.0
    assert recorded.basis(NUMBERS)[Limit.PROJECTS] == "6 as recorded, 4 at most"


def test_a_service_is_no_team(session, client, engaged, catalog_of):
    refused = client.put("/api/engagements/teams/component/default/globe", json={"headcount": 8, "reason": "new"})
    said = "component:default/globe is no team: name a Group, such as group:default/sre."
    assert (refused.status_code, refused.json["detail"]) == (400, said)
    assert teams.teams(session, NOW) == []
    catalog_of(component("globe"))
    engaged("globe", "requested", team=None)
    move = {"to": "accepted", "sre_team": "component:default/globe"}
    refused = client.post("/api/engagements/eng-globe/transitions", json=move)
    assert (refused.status_code, refused.json["detail"]) == (400, said)
