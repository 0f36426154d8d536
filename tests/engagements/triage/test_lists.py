"""Triage kept beside the facts: refreshed, read, dismissed, compared over time."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select, update

from engagements import history, support
from engagements.lifecycle.models import Engagement
from engagements.support import SupportRecord
from engagements.tiers import Tier
from engagements.triage.candidates import Frameworks, onboard_row
from engagements.triage.directions import Direction, direction_of
from engagements.triage.hand_back import hand_back_row
from engagements.triage.settings import TriageSettings
from engagements.triage_inputs import gather
from engagements.triage_lists import dismissals, snapshots
from engagements.triage_lists.dismissals import NewDismissal
from engagements.triage_lists.reading import TriageFilter, read, whereabouts
from engagements.triage_lists.refresh import candidate_events, due, refresh, upkeep
from engagements.triage_models import TriageDismissal, TriageResult, TriageSnapshot
from engagements.triage_schemas import TriageSettingsSchema
from portal_backend.core import auth, clock
from portal_backend.core.db import upsert
from portal_backend.core.errors import Conflict, InvalidInput, NotAllowed
from portal_backend.core.principal import Principal, Role
from tests.engagements.conftest import MANAGER, NOW, component, ref, somebody

SETTINGS = TriageSettings()
DAY = timedelta(days=1)
TRIAGE = "/api/engagements/triage"
SRE = somebody(Role.SRE, name="sam")


@pytest.fixture
def company(prepared, catalog_of, observe_catalog, session, judging):
    def fill():
        catalog_of(
            component("globe", annotations={"criticality": "T0", "business-value": "9"}),
            component("rose", annotations={"criticality": "T1"}, owner="players"),
            component("folio", annotations={"criticality": "T2"}),
            component("swan", lifecycle="deprecated"),
            component("stage"),
        )
        observe_catalog()
        records = [
            SupportRecord(ref("folio"), Tier.FULL_SRE, NOW, "mia", "simple_prr", "active"),
            SupportRecord(ref("stage"), Tier.PLATFORM, NOW, "mia", "framework", "platform_active"),
        ]
        support.adopt(session, records, MANAGER, NOW)
        refresh(session, judging, None, NOW)

    prepared("a company of which the lists are made", fill)
    session.commit()


@pytest.fixture
def now(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)


def names(page):
    return [row["ref"].rpartition("/")[2] for row in page.items]


def onboard(session, now=NOW, **wanted):
    return read(session, now, TriageFilter(**wanted), Direction.ONBOARD)[Direction.ONBOARD]


def events(session, name, kind):
    return [event for event in history.read(session, ref(name), limit=200).items if event.kind == kind]


def dismiss(session, name="globe", reason="not now", days=30, by=SRE, now=NOW):
    wanted = NewDismissal(ref(name), "onboard", reason, now + days * DAY)
    found = dismissals.dismiss(session, wanted, by, SETTINGS, now)
    session.commit()
    return found


def test_what_is_kept_is_what_is_judged(company, session, judging):
    evidences = gather(session, judging, SETTINGS, NOW)
    frameworks = Frameworks.of(evidences)
    onboard = {each.ref: onboard_row(each, frameworks, SETTINGS, NOW) for each in evidences}
    hand_back = {each.ref: hand_back_row(each, SETTINGS, NOW) for each in evidences}
    kept = read(session, NOW)
    for direction, judged in ((Direction.ONBOARD, onboard), (Direction.HAND_BACK, hand_back)):
        rows = kept[direction].items
        assert {row["ref"] for row in rows} == {each.ref for each in evidences if direction_of(each) is direction}
        assert [row["next_act"] for row in rows] == [judged[row["ref"]].next_act for row in rows]
    values = [row["value"] for row in kept[Direction.ONBOARD].items]
    assert values == sorted((onboard[row["ref"]].value for row in kept[Direction.ONBOARD].items), reverse=True)
    assert kept[Direction.ONBOARD].computed_at == NOW


def test_a_request_reads_and_never_judges(company, session, monkeypatch):
    from engagements.triage_lists import refresh as module

    monkeypatch.setattr(module, "gather", None)
    statements = []

    def count(*args):
        statements.append(args[2])

    engine = session.get_bind()
    sqlalchemy_event.listen(engine, "before_cursor_execute", count)
    assert names(onboard(session)) == ["globe", "rose"]
    sqlalchemy_event.remove(engine, "before_cursor_execute", count)
    assert len(statements) <= 4


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"owners": ["group:default/players"]}, ["rose"]),
        ({"criticalities": ["T0", "T2"]}, ["globe"]),
        ({"rules": ["R1"]}, []),
        ({"verdicts": ["undecided"]}, ["globe", "rose"]),
        ({"dismissed": True}, []),
    ],
)
def test_rows_are_filtered(company, session, wanted, found):
    assert names(onboard(session, **wanted)) == found


@pytest.mark.parametrize("direction", Direction)
def test_pages_lose_and_repeat_nothing(session, judging, catalog_of, direction):
    catalog_of(*(component(f"s{n}", annotations={"criticality": f"T{n % 3}"}) for n in range(23)))
    if direction is Direction.HAND_BACK:
        records = [SupportRecord(ref(f"s{n}"), Tier.FULL_SRE, NOW, "mia", "simple_prr", "active") for n in range(23)]
        support.adopt(session, records, MANAGER, NOW)
    refresh(session, judging, None, NOW)
    cursor, found = None, []
    while True:
        page = read(session, NOW, TriageFilter(), direction, cursor, 4)[direction]
        assert page.total == 23
        found += names(page)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(found) == len(set(found)) == 23


def test_only_what_is_due_is_computed_again(company, session, judging, catalog_of):
    assert due(session, judging, NOW, SETTINGS) == []
    assert len(due(session, judging, NOW + SETTINGS.refresh_after, SETTINGS)) == 5
    assert upkeep(session, judging, NOW + SETTINGS.refresh_after, limit=3).computed == 3
    support.adopt(
        session, [SupportRecord(ref("rose"), Tier.FULL_SRE, NOW, "mia", "simple_prr", "active")], MANAGER, NOW
    )
    assert due(session, judging, NOW, SETTINGS) == [ref("rose")]
    stricter = TriageSettings(candidate_value=10.0)
    assert len(due(session, judging, NOW, stricter)) == 5


def test_what_is_no_service_any_more_leaves_the_list(company, session, judging):
    report = upkeep(session, replace(judging, service_types=("website",)), NOW + DAY)
    assert (report.computed, report.removed) == (0, 5)
    assert names(onboard(session)) == []
    found = snapshots.changes(session, NOW.date())
    assert {(one.ref.rpartition("/")[2], one.change) for one in found.items} == {
        ("globe", "left"), ("rose", "left"), ("folio", "left"),
    }  # fmt: skip


def test_a_partial_refresh_equals_a_whole_one(company, session, judging):
    whole = {row.entity_ref: row.inputs_digest for row in session.scalars(select(TriageResult))}
    for one in whole:
        refresh(session, judging, [one], NOW)
    assert whole == {row.entity_ref: row.inputs_digest for row in session.scalars(select(TriageResult))}


def test_row_8_growth_raises_a_candidate_once_and_never_moves_a_tier(company, session, judging, observe):
    grown = {"traffic.rps_now": 300.0, "traffic.rps_180d_ago": 100.0}
    for days in range(3):
        observe({"rose": grown}, now=NOW + days * DAY)
        refresh(session, judging, [ref("rose")], NOW + days * DAY)
        session.commit()
    (event,) = events(session, "rose", "triage.candidate_raised")
    assert (event.details["rule"], "3 times that of 180 days ago" in event.summary) == ("R1", True)
    assert support.read(session, ref("rose")).tier is Tier.DOCUMENTATION
    assert names(onboard(session, NOW + 2 * DAY, rules=["R1"])) == ["rose"]


@pytest.mark.parametrize(
    ("raised", "state", "count", "kept"),
    [
        ({}, "met", 1, True),
        ({}, "unknown", 0, False),
        ({"R2": "2026-01-01T00:00:00Z"}, "met", 0, True),
        ({"R2": "2026-01-01T00:00:00Z"}, "unknown", 0, True),
        ({"R2": "2026-01-01T00:00:00Z"}, "not_met", 0, False),
    ],
)
def test_ruling_13_a_rule_raises_when_it_begins_to_be_met(raised, state, count, kept):
    reasons = [{"rule": "R1", "state": "not_met", "sentence": ""}, {"rule": "R2", "state": state, "sentence": "More."}]
    row = {"entity_ref": "x", "direction": "onboard", "value": 1.0, "raised": {},
           "document": orjson.dumps({"reasons": reasons})}  # fmt: skip
    assert len(candidate_events([row], {"x": TriageResult(entity_ref="x", raised=raised)}, NOW)) == count
    assert list(row["raised"]) == (["R2"] if kept else [])


def test_what_nobody_knows_for_a_while_raises_nothing_again(company, session, judging, observe):
    grown = {"traffic.rps_now": 300.0, "traffic.rps_180d_ago": 100.0}
    observe({"rose": grown})
    for at in (NOW, NOW + 30 * DAY):  # by then the facts are stale
        refresh(session, judging, [ref("rose")], at)
    observe({"rose": grown}, now=NOW + 31 * DAY)
    refresh(session, judging, [ref("rose")], NOW + 31 * DAY)
    assert len(events(session, "rose", "triage.candidate_raised")) == 1


def test_a_dismissed_service_is_off_its_list_until_the_day_and_then_back(company, session):
    dismiss(session)
    page = onboard(session)
    assert (names(page), page.dismissed, page.total) == (["rose"], 1, 1)
    (row,) = onboard(session, dismissed=True).items
    assert (row["dismissal"]["reason"], row["dismissal"]["dismissed_by"]) == ("not now", "sam")
    assert names(onboard(session, NOW + 31 * DAY)) == ["globe", "rose"]
    assert len(events(session, "globe", "triage.candidate_dismissed")) == 1


def test_the_same_dismissal_again_changes_nothing_and_another_is_refused(company, session):
    assert dismiss(session).id == dismiss(session).id
    assert len(events(session, "globe", "triage.candidate_dismissed")) == 1
    with pytest.raises(Conflict, match="DELETE"):
        dismiss(session, reason="never")


@pytest.mark.parametrize("days", [0, -1, 181])
def test_a_dismissal_ends_within_180_days(company, session, days):
    with pytest.raises(InvalidInput, match="180"):
        dismiss(session, days=days)


def test_only_sre_dismisses(company, session):
    with pytest.raises(NotAllowed):
        dismiss(session, by=somebody(Role.DEV_LEAD))


def test_a_dismissal_can_be_taken_back_and_is_rebuilt_from_its_events(company, session):
    found = dismiss(session)
    for _ in range(2):
        dismissals.end(session, found.id, SRE, NOW + DAY)
    session.commit()
    assert names(onboard(session, NOW + DAY)) == ["globe", "rose"]
    assert len(events(session, "globe", "triage.candidate_returned")) == 1
    assert dismissals.rebuild(session) == []
    session.delete(session.get_one(TriageDismissal, found.id))
    session.flush()
    assert dismissals.rebuild(session) == [found.id]
    assert dismissals.rebuild(session) == []
    assert names(onboard(session, NOW + DAY)) == ["globe", "rose"]


@pytest.mark.parametrize(
    ("name", "direction", "on_list", "words"),
    [
        ("globe", "onboard", False, "sam took it off the list"),
        ("rose", "onboard", True, "at place 1"),
        ("folio", "hand_back", True, "at place 1"),
        ("swan", None, False, "being ended"),
        ("stage", None, False, "on a platform"),
        ("new", None, False, "did not see it yet"),
    ],
)
def test_why_a_service_is_or_is_not_on_a_list(company, session, name, direction, on_list, words):
    dismiss(session)
    found = whereabouts(session, ref(name), NOW)
    assert (found.direction, found.on_list, words in found.sentence) == (direction, on_list, True), found.sentence


def test_what_changed_since_a_week_ago_names_the_term_that_moved_it(company, session, judging, observe, catalog_of):
    later = NOW + 7 * DAY
    observe({"rose": {"traffic.rps_now": 900.0, "traffic.rps_180d_ago": 100.0, "traffic.peak_rps_30d": 900.0,
                      "slo.availability.budget_left": 0.0, "incidents.sev12_90d": 3}}, now=later)  # fmt: skip
    support.adopt(
        session, [SupportRecord(ref("globe"), Tier.FULL_SRE, later, "mia", "simple_prr", "active")], MANAGER, later
    )
    refresh(session, judging, None, later)
    found = snapshots.changes(session, NOW.date())
    told = {(one.ref.rpartition("/")[2], one.direction): one for one in found.items}
    assert found.complete
    assert (told["globe", "onboard"].change, told["globe", "hand_back"].change) == ("left", "entered")
    rose = told["rose", "onboard"]
    assert (rose.change, rose.rank_before, rose.rank, rose.cause) == ("moved", 2, 1, "traffic_growth")
    assert rose.value > rose.value_before


def test_an_unchanged_day_keeps_no_snapshot_and_a_later_record_says_so(company, session, judging):
    count = len(session.scalars(select(TriageSnapshot)).all())
    refresh(session, judging, None, NOW + DAY)
    assert len(session.scalars(select(TriageSnapshot)).all()) == count == 5
    found = snapshots.changes(session, (NOW - 30 * DAY).date())
    assert (found.complete, found.since, found.items) == (False, NOW.date(), ())


def test_row_29_the_queue_is_strict_and_says_why(company, session, client, now):
    for name, days in (("rose", 40), ("globe", 2), ("swan", 50)):
        since = NOW - days * DAY
        row = {
            "id": f"eng-{name}", "entity_ref": ref(name), "model": "simple_prr", "state": "accepted",
            "state_since": since, "paused": False, "sre_team": "group:default/sre", "requested_by": "dora",
            "requested_at": since, "accepted_at": since, "queued": True, "review_round": 1,
            "review_completed_at": None, "review_revision": None, "outcome": None, "closed_at": None, "document": {},
            "version": 1,
        }  # fmt: skip
        upsert(session, Engagement, [row], ["id"])
    session.commit()
    first = client.get(f"{TRIAGE}/queue?limit=2").json
    rest = client.get(f"{TRIAGE}/queue?cursor={first['next_cursor']}").json
    found = [*first["items"], *rest["items"]]
    assert [(one["ref"], one["rank"], one["waiting_days"]) for one in found] == [
        (ref("globe"), 1, 2.0), (ref("rose"), 2, 40.0), (ref("swan"), 3, 50.0),
    ]  # fmt: skip
    assert "most of it from criticality" in found[0]["reasons"][0]
    assert client.get(f"{TRIAGE}/queue?cursor=e30").status_code == 400


def test_dismissals_by_http(company, client, now, monkeypatch):
    body = {"ref": ref("globe"), "direction": "onboard", "reason": "not now", "until": "2026-12-22T10:00:00Z"}
    monkeypatch.setattr(auth, "LOCAL_ADMINISTRATOR", Principal("sam", frozenset({Role.SRE}), frozenset({"*"})))
    made = client.post(f"{TRIAGE}/dismissals", json=body)
    assert (made.status_code, made.json["dismissed_by"]) == (200, "sam")
    assert client.post(f"{TRIAGE}/dismissals", json=body).json == made.json
    assert [one["ref"] for one in client.get(f"{TRIAGE}/dismissals").json["items"]] == [ref("globe")]
    answer = client.get(f"{TRIAGE}?direction=onboard&dismissed=true").json["onboard"]
    assert (answer["items"][0]["dismissal"]["until"], answer["dismissed"]) == ("2026-12-22T10:00:00Z", 1)
    asked = client.get(f"{TRIAGE}/component/default/globe").json
    assert (asked["on_list"], asked["dismissal"]["id"]) == (False, made.json["id"])
    assert client.delete(f"{TRIAGE}/dismissals/{made.json['id']}").json["ended_by"] == "sam"
    assert client.get(f"{TRIAGE}/dismissals").json["items"] == []
    assert len(client.get(f"{TRIAGE}/dismissals?ended=true").json["items"]) == 1
    assert client.delete(f"{TRIAGE}/dismissals/x").status_code == 404
    assert client.get(f"{TRIAGE}/changes").json["items"] == []


def test_a_service_is_triaged_again_when_an_engagement_with_it_moved_and_its_row_links_there(company, session, judging,
                                                                                            client, now):  # fmt: skip
    assert due(session, judging, NOW, SETTINGS) == []
    asked = {"entity_ref": ref("globe"), "model": "simple_prr", "reason": "our front door", "id": "globe-1"}
    assert client.post("/api/engagements", json=asked).status_code == 201
    assert due(session, judging, NOW, SETTINGS) == []
    session.execute(update(Engagement).values(state_since=NOW + timedelta(seconds=1)))
    assert due(session, judging, NOW + DAY / 24 / 2, SETTINGS) == [ref("globe")]
    refresh(session, judging, [ref("globe")], NOW + timedelta(seconds=2))
    session.commit()
    row = client.get(f"{TRIAGE}/component/default/globe").json["row"]
    assert row["links"]["engagement"] == "/api/engagements/globe-1"
    assert row["next_act"] == "Go on with its engagement (simple_prr, in requested)."
    assert "engagement" not in client.get(f"{TRIAGE}/component/default/rose").json["row"]["links"]


@pytest.mark.parametrize(
    "change",
    [{"ref": "globe"}, {"ref": None}, {"direction": "up"}, {"reason": ""}, {"reason": "a\0b"}, {"until": "soon"},
     {"until": "2027-12-22T10:00:00Z"}, {"colour": "red"}],
)  # fmt: skip
def test_faulty_dismissals_are_refused(company, client, now, change):
    body = {"ref": ref("globe"), "direction": "onboard", "reason": "x", "until": "2026-12-22T10:00:00Z"} | change
    assert client.post(f"{TRIAGE}/dismissals", json=body).status_code == 400


def test_a_dismissal_of_what_is_no_service_is_a_404(company, client, now):
    body = {"ref": ref("nothing"), "direction": "onboard", "reason": "x", "until": "2026-12-22T10:00:00Z"}
    assert client.post(f"{TRIAGE}/dismissals", json=body).status_code == 404


@pytest.mark.parametrize(
    ("given", "fault"),
    [({"weights": {"magic": 5}}, "no such term"), ({"weights": {"users": 50}}, "add up to 100"),
     ({"longest_dismissal": "400d"}, "180"), ({"colour": 1}, "Unknown")],
)  # fmt: skip
def test_faulty_numbers_of_triage_are_refused(given, fault):
    assert fault in str(TriageSettingsSchema().validate(given))


def test_numbers_of_triage_keep_the_defaults_of_those_left_out():
    made = TriageSettingsSchema().load({"weights": {"users": 10, "dependents": 5}, "refresh_after": "30m"})
    assert (made.weights["users"], made.weights["criticality"]) == (10, 15)
    assert (made.refresh_after, made.candidate_value) == (timedelta(minutes=30), 50.0)
