"""Early engagement through its life by HTTP: from the candidate to the takeover, and to the graduation without one."""

from datetime import timedelta

import pytest

from engagements.lifecycle.states import State
from portal_backend.core.clock import format_time
from tests.engagements.conftest import ref
from tests.engagements.lifecycle import steps

SWAN = ref("swan")


@pytest.fixture
def one(world):
    request = {"entity_ref": SWAN, "model": "early", "reason": "a new stage"}
    return world.done("sam", "POST", "/api/engagements", request)["id"]


def to_design(world, one):
    world.done("dora", "PATCH", f"{one}/request", {})
    world.moved("mia", one, "accepted", sre_team="sre")
    world.moved("sally", one, "design", reviewers=["sam"])


def to_build(world, one):
    to_design(world, one)
    review = {"held_at": format_time(world.now - timedelta(hours=2)), "reviewers": ["sam"], "summary": "sound"}
    world.done("sam", "POST", f"{one}/design-reviews", review)
    world.done("sam", "POST", f"{one}/trade-offs", {"none": True, "reason": "nothing is traded"})
    world.moved("sam", one, "build")


def to_launch(world, one):
    to_build(world, one)
    launch = world.done("lea", "POST", f"{one}/launches", {"name": "first night"})
    world.moved("lea", one, "launch")
    return launch


def launch_fully(world, launch):
    path = f"/api/engagements/launches/{launch['id']}"
    launch = world.done("lea", "GET", path)
    answers = [{"item": item["key"], "answer": "pass", "reason": "seen"} for item in launch["checklist"]["items"]]
    world.done("lea", "POST", f"{path}/answers", {"answers": answers})
    world.done("lea", "POST", f"{path}/signature", {})
    for stage, percent in (("dark", 100), ("canary", 5), ("ramp", 25), ("full", 100)):
        wish = {"stage": stage, "traffic_percent": percent, "abort_rule": "errors above 1 %"}
        world.done("lea", "POST", f"{path}/stages", wish)
        world.later(days=3)


def to_post_launch(world, one):
    launch_fully(world, to_launch(world, one))
    world.moved("lea", one, "post_launch")


def legal_are(world, one, *expected):
    """Check which targets are legal, by asking for all others."""
    state, _ = world.state(one)
    assert set(world.show(one)["legal_next"]) == set(expected)
    for target in {*(each.value for each in State), "paused"} - {*expected, state}:
        answer = world.ask("ada", "POST", f"{one}/transitions", {"to": target, "reason": "try"})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (409, "way")


ENDS = ("declined", "withdrawn", "paused")


def test_row_21_to_25_early_engagement_walks_from_candidate_to_takeover(world, one):
    legal_are(world, one, "accepted", *ENDS)
    assert world.refused("mia", one, "accepted") == ["development_agrees", "sre_team"]
    to_design(world, one)
    legal_are(world, one, "build", "disengaging", *ENDS)
    assert world.refused("sam", one, "build") == ["design_review", "trade_offs"]
    other = steps_to_build(world, one)
    legal_are(world, other, "launch", "training", "disengaging", *ENDS)
    assert world.refused("sam", one, "launch") == ["launch_checklist"]
    launch = world.done("lea", "POST", f"{one}/launches", {"name": "first night"})
    world.moved("lea", one, "launch")
    legal_are(world, one, "post_launch", "training", "disengaging", *ENDS)
    assert world.refused("lea", one, "post_launch") == ["launched"]
    launch_fully(world, launch)
    world.moved("lea", one, "post_launch")
    legal_are(world, one, "training", "disengaging", *ENDS)
    world.later(days=10)
    missing = {"items_answered", "incident_review", "plan_signed"}
    assert set(world.refused("sam", one, "training")) == {*missing, "watched_long_enough"}
    assert set(world.refused("sally", one, "training", reason="urgent")) == missing
    world.later(days=90)
    assert set(world.refused("sam", one, "training")) == missing
    steps.analyse(world, one)
    steps.plan(world, one)
    world.moved("sam", one, "training")
    legal_are(world, one, "improvement", "onboarding", "disengaging", *ENDS)
    steps.take_over(world, one)
    assert world.tier("swan")["tier"] == "full_sre"
    assert world.tier("swan")["engagement_model"] == "early"
    legal_are(world, one, "analysis", "disengaging")


def steps_to_build(world, one):
    review = {"held_at": format_time(world.now - timedelta(hours=2)), "reviewers": ["sam"], "summary": "sound"}
    world.done("sam", "POST", f"{one}/design-reviews", review)
    world.done("sam", "POST", f"{one}/trade-offs", {"none": True, "reason": "nothing is traded"})
    world.moved("sam", one, "build")
    return one


def test_row_26_ruling_2_a_service_that_sre_never_ran_graduates_without_duties_but_with_lessons(world, one):
    to_post_launch(world, one)
    wish = {"outcome": "graduated", "reason": "quiet", "evidence": "https://wiki/quiet"}
    assert "launch_is_old_enough" in world.refused("sally", one, "disengaging", **wish)
    world.later(days=91)
    assert world.refused("sally", one, "disengaging", **{**wish, "evidence": ""}) == ["outcome_holds"]
    announced = world.moved("sally", one, "disengaging", **wish)
    assert announced["notice"]["until"] is None
    assert world.refused("sally", one, "disengaged") == ["lessons"]
    world.no_lessons(one)
    closed = world.moved("sally", one, "disengaged")
    assert (closed["outcome"], closed["success"], world.tier("swan")["tier"]) == ("graduated", True, "documentation")
    event = world.history("swan")[0]
    assert (event["kind"], event["details"]["success"], event["details"]["taken_over"]) == (
        "disengagement.completed", True, False,
    )  # fmt: skip


def test_row_27_usage_below_forecast_needs_a_forecast(world, one):
    to_build(world, one)
    wish = {"outcome": "usage_below_forecast", "reason": "nobody came"}
    assert world.refused("sally", one, "disengaging", **wish) == ["forecast_captured"]
    world.done("dora", "PATCH", f"{one}/request", {"usage_forecast_rps": 100})
    world.moved("sally", one, "disengaging", **wish)


def test_row_24_a_failing_blocker_of_observability_or_emergency_bars_the_launch(world, one, session, judging):
    from sqlalchemy import update

    from scorecards.models import Scorecard

    to_build(world, one)
    world.done("lea", "POST", f"{one}/launches", {"name": "first night"})
    blockers = {
        check: ["fail", 1]
        for check, each in judging.catalogue.checks.items()
        if each.criticality == "blocker" and each.axis in ("emergency", "architecture")
    }
    assert blockers
    session.execute(update(Scorecard).where(Scorecard.entity_ref == SWAN).values(statuses=blockers))
    session.commit()
    refused = world.ask("lea", "POST", f"{one}/transitions", {"to": "launch"}).json
    named = [error["message"] for error in refused["errors"]]
    assert named
    assert all("(emergency)" in message for message in named)


def test_row_21_candidates_are_listed_with_what_speaks_for_them(world, one):
    assert world.done("sam", "GET", "early-candidates")["items"] == []
    world.moved("dora", one, "withdrawn", reason="later")
    found = world.done("sam", "GET", "early-candidates")["items"]
    assert [(each["entity_ref"], each["criteria"]) for each in found] == [(SWAN, ["business_value"])]
    assert found[0]["sentences"] == ["Its business value is 9 of 10."]


def test_row_23_a_takeover_is_legal_from_the_build_on_and_takes_a_complete_review(world, one):
    to_build(world, one)
    assert set(world.refused("sally", one, "training")) == {"items_answered", "incident_review", "plan_signed"}
    steps.analyse(world, one)
    steps.plan(world, one)
    assert world.moved("sally", one, "training")["review_completed_at"] == format_time(world.now)


def test_an_aborted_launch_is_over_too(world, one):
    launch = to_launch(world, one)
    path = f"/api/engagements/launches/{launch['id']}"
    items = world.done("lea", "GET", path)["checklist"]["items"]
    answers = [{"item": item["key"], "answer": "pass", "reason": "seen"} for item in items]
    world.done("lea", "POST", f"{path}/answers", {"answers": answers})
    world.done("lea", "POST", f"{path}/signature", {})
    world.done("lea", "POST", f"{path}/stages", {"stage": "dark", "traffic_percent": 10, "abort_rule": "any error"})
    assert world.refused("lea", one, "post_launch") == ["launched"]
    world.done("lea", "POST", f"{path}/abort", {"reason": "too slow"})
    world.moved("lea", one, "post_launch")
