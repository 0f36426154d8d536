"""Lists of engagements, what a service's row shows of them, what is adopted from imports, and faulty requests."""

import pytest

from engagements import support
from engagements.lifecycle import adoption, rebuilding
from engagements.support import SupportRecord
from engagements.tiers import Tier
from portal_backend.core.errors import NotAllowed
from tests.engagements.conftest import MANAGER, ref, somebody
from tests.engagements.lifecycle import steps
from tests.engagements.lifecycle.conftest import GLOBE, REQUEST, START


def ids(world, query=""):
    return [each["id"] for each in world.done("sam", "GET", f"/api/engagements{query}")["items"]]


def test_engagements_are_filtered_and_paged(world):
    one = steps.ask_for_review(world)
    world.later(days=1)
    request = {"entity_ref": ref("swan"), "model": "early", "reason": "new"}
    two = world.done("dora", "POST", "/api/engagements", request)["id"]
    assert ids(world) == [two, one]
    assert ids(world, "?model=early") == [two]
    assert ids(world, "?state=requested&state=accepted") == [one]
    assert ids(world, "?service=globe") == [one]
    world.moved("mia", one, "accepted", sre_team="sre")
    assert ids(world, "?sre_team=sre") == [one]
    assert ids(world, "?queued=true") == []
    world.moved("dora", two, "withdrawn", reason="later")
    assert (ids(world, "?open=true"), ids(world, "?open=false"), ids(world, "?outcome=withdrawn")) == (
        [one], [two], [two],
    )  # fmt: skip
    assert ids(world, "?overdue=true") == []
    assert ids(world, "?overdue=false") == [two, one]
    first = world.done("sam", "GET", "/api/engagements?limit=1")
    second = world.client.get("/api/engagements", query_string={"limit": 1, "cursor": first["next_cursor"]}).json
    assert [first["items"][0]["id"], second["items"][0]["id"], second["next_cursor"]] == [two, one, None]
    own = world.done("sam", "GET", "/api/services/component/default/globe/engagements")
    assert [each["id"] for each in own["items"]] == [one]


@pytest.mark.parametrize(
    "query",
    ["state=asleep", "model=none", "colour=red", "limit=0", "cursor=x", "cursor=e30", "service=%00", "open=maybe"],
)
def test_a_faulty_query_is_a_400(world, query):
    assert world.ask("sam", "GET", f"/api/engagements?{query}").status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"model": "late"},
        {"entity_ref": ""},
        {"usage_forecast_rps": -1},
        {"usage_forecast_rps": "NaN"},
        {"staffing": {"developers": 1}},
        {"criteria": ["luck"]},
        {"colour": "red"},
        {"sre_team": ""},
        {"reason": "x" * 2001},
    ],
)
def test_a_faulty_request_is_a_400(world, change):
    assert world.ask("dora", "POST", "/api/engagements", {**REQUEST, **change}).status_code == 400


@pytest.mark.parametrize("body", [{}, {"to": "heaven"}, {"to": "accepted", "outcome": "declined"}, {"to": 3}, []])
def test_a_faulty_transition_is_a_400(world, body):
    one = steps.ask_for_review(world)
    assert world.ask("mia", "POST", f"{one}/transitions", body).status_code == 400


def test_what_is_no_service_or_engagement_is_a_404(world):
    assert world.ask("dora", "POST", "/api/engagements", {**REQUEST, "entity_ref": "component:x/y"}).status_code == 404
    assert world.ask("sam", "GET", "nothing").status_code == 404
    assert world.ask("sam", "GET", "a%00b").status_code == 404
    assert world.ask("mia", "POST", "nothing/transitions", {"to": "accepted"}).status_code == 404


def test_the_service_list_shows_the_phase_of_the_open_engagement(world):
    steps.to_engagement(world)
    items = world.done("sam", "GET", "/api/services?model=simple_prr&phase=engagement&sort=-phase")["items"]
    assert [(each["ref"], each["engagement_model"], each["phase"]) for each in items] == [
        (GLOBE, "simple_prr", "engagement")
    ]


def test_what_was_imported_goes_on_here(world, session):
    evidence = {"prr_completed_at": "2026-01-01T00:00:00Z", "prr_revision": "1"}
    record = SupportRecord(
        GLOBE, Tier.FULL_SRE, START, "mia", "simple_prr", "active", usage_forecast_rps=9.0, evidence=evidence
    )
    support.adopt(session, [record], MANAGER, START)
    session.commit()
    answer = world.ask("dora", "POST", "/api/engagements", REQUEST)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (409, "tier")
    assert world.ask("sally", "POST", "adopt").status_code == 403
    assert world.ask("mia", "POST", "adopt", {"every": True}).status_code == 400
    adopted = world.done("mia", "POST", "adopt")["items"]
    assert [(each["state"], each["version"]) for each in adopted] == [("active", 1)]
    one = adopted[0]["id"]
    assert adopted[0]["holders"]["on_call"] == "sre"
    assert world.done("mia", "POST", "adopt")["items"] == []
    changed = SupportRecord(
        GLOBE, Tier.FULL_SRE, START, "mia", "simple_prr", "analysis", usage_forecast_rps=9.0, evidence=evidence
    )
    support.adopt(session, [changed], MANAGER, START)
    assert [each.state for each in adoption.adopt(session, MANAGER, START)] == ["analysis"]
    support.adopt(session, [record], MANAGER, START)
    adoption.adopt(session, MANAGER, START)
    session.commit()
    world.moved("sally", one, "disengaging", outcome="mostly_operations", reason="nothing left to engineer")
    steps.transfer(world, one, "shared", "dev")
    assert adoption.adopt(session, MANAGER, START) == []
    assert rebuilding.verify(session) == []
    with pytest.raises(NotAllowed):
        adoption.adopt(session, somebody(), START)


def test_what_stands_between_here_and_there_is_told_for_each_next_state(world):
    one = steps.ask_for_review(world)
    steps_told = {step["to"]: step for step in world.show(one)["next"]}
    assert list(steps_told) == ["accepted", "declined", "withdrawn", "paused"]
    accepted = steps_told["accepted"]
    met = {guard["guard"]: guard["met"] for guard in accepted["guards"]}
    assert met == {
        **dict.fromkeys(("importance", "usage_forecast", "development_agrees", "staffing", "not_ending"), True),
        "sre_team": False,
    }
    assert (accepted["roles"], accepted["yours"], accepted["needs"]) == (["sre_manager"], False, ["sre_team"])
    unmet = next(guard for guard in accepted["guards"] if not guard["met"])
    assert unmet["failures"] == [{"message": "No SRE team is named.", "remedy": "Name the team in `sre_team`."}]
