"""A production readiness review through its whole life by HTTP, with illegal moves tried at each state."""

from datetime import timedelta

import pytest

from engagements.lifecycle.machines import MACHINES
from engagements.lifecycle.states import CLOSED, Model, State
from portal_backend.core.clock import format_time
from tests.engagements.lifecycle import steps
from tests.engagements.lifecycle.conftest import GLOBE, REQUEST


def refuse_what_is_illegal(world, one):
    """Try every target that the present state has no way to; each refusal names the legal ones."""
    state, _ = world.state(one)
    legal = world.show(one)["legal_next"]
    for target in (*State, "paused"):
        if target not in legal and target != state:
            answer = world.ask("ada", "POST", f"{one}/transitions", {"to": str(target), "reason": "try"})
            assert (answer.status_code, answer.json["errors"][0]["field"]) == (409, "way"), answer.json
            if State(state) not in CLOSED:
                assert all(way in answer.json["detail"] for way in legal)
    assert world.state(one)[0] == state


def test_a_review_walks_through_its_whole_life(world):
    one = steps.ask_for_review(world)
    assert world.show(one)["state"] == "requested"
    refuse_what_is_illegal(world, one)
    world.moved("mia", one, "accepted", sre_team="sre")
    refuse_what_is_illegal(world, one)
    world.moved("sally", one, "engagement")
    refuse_what_is_illegal(world, one)
    assert world.refused("sam", one, "analysis") == ["agreement_signed", "reviewers_named", "slo_defined"]
    steps.agree(world, one)
    world.moved("sam", one, "analysis")
    refuse_what_is_illegal(world, one)
    assert world.refused("sam", one, "improvement") == ["items_answered", "incident_review"]
    steps.analyse(world, one)
    world.moved("sam", one, "improvement")
    refuse_what_is_illegal(world, one)
    assert world.refused("sally", one, "training") == ["plan_signed", "plan_signed"]
    steps.plan(world, one)
    assert world.refused("sam", one, "training", status=403) == ["role"]
    reviewed = world.moved("sally", one, "training")
    assert (reviewed["review_completed_at"], reviewed["review_revision"]) == (format_time(world.now), "1")
    refuse_what_is_illegal(world, one)
    assert set(world.refused("sally", one, "onboarding")) == {"rotation_known", "trainings_held"}
    steps.train(world, one)
    world.moved("sally", one, "onboarding")
    refuse_what_is_illegal(world, one)
    assert set(world.refused("sally", one, "active")) == {
        *("both_sides_agree", "responsibilities_transferred", "backup", "developers_share", "pager_shadow")
    }
    steps.transfer(world, one, "shared")
    steps.spin_and_shadow(world, one)
    steps.back_up(world, one)
    assert world.refused("sally", one, "active") == ["both_sides_agree"]
    world.done("dora", "POST", f"{one}/takeover-signatures", {"side": "dev_lead"})
    assert world.tier()["tier"] == "documentation"
    world.moved("sally", one, "active")
    taken = world.tier()
    assert (taken["tier"], taken["usage_forecast_rps"], taken["engagement_model"]) == ("full_sre", 500, "simple_prr")
    assert taken["evidence"]["prr_revision"] == "1"
    refuse_what_is_illegal(world, one)
    steps.transfer(world, one, "sre")
    world.moved("sally", one, "disengaging", outcome="importance_fell", reason="replaced", tier="consultation")
    refuse_what_is_illegal(world, one)
    assert set(world.refused("sally", one, "disengaged")) == {
        *("notice_over", "responsibilities_back", "duties", "lessons")
    }
    steps.transfer(world, one, "shared", "dev")
    steps.fulfil_duties(world, one)
    world.later(days=31)
    say_that_there_are_no_lessons(world, one)
    closed = world.moved("sally", one, "disengaged")
    assert (closed["outcome"], closed["success"], closed["closed_at"]) == (
        "importance_fell", False, format_time(world.now),
    )  # fmt: skip
    assert world.tier()["tier"] == "consultation"
    refuse_what_is_illegal(world, one)
    entered = [event["details"]["to"] for event in reversed(world.history()) if "to" in event["details"]]
    assert entered == [
        *("accepted", "engagement", "analysis", "improvement", "training", "onboarding", "active"),
        *("disengaging", "disengaged"),
    ]


def say_that_there_are_no_lessons(world, one):
    world.no_lessons(one)


def test_the_test_above_visits_every_state():
    walked = {"requested", "accepted", "engagement", "analysis", "improvement", "training", "onboarding", "active"}
    walked |= {"disengaging", "disengaged", "declined", "withdrawn"}
    assert {state.value for state in MACHINES[Model.SIMPLE_PRR].states()} == walked


def test_row_1_a_request_waits_for_importance_forecast_staffing_and_consent(world):
    one = world.done("sam", "POST", "/api/engagements", {**bare(), "consented_by": "dora"})["id"]
    assert world.refused("mia", one, "accepted") == ["usage_forecast", "staffing", "sre_team"]
    world.done("sam", "PATCH", f"{one}/request", {"usage_forecast_rps": 5})
    assert world.refused("mia", one, "accepted", sre_team="sre") == ["staffing"]
    world.done("dora", "PATCH", f"{one}/request", {"staffing": REQUEST["staffing"]})
    assert world.refused("sally", one, "accepted", status=403, sre_team="sre") == ["role"]
    world.moved("mia", one, "accepted", sre_team="sre")


def bare(**more):
    return {"entity_ref": GLOBE, "model": "simple_prr", **more}


def test_support_is_never_imposed(world):
    answer = world.ask("sam", "POST", "/api/engagements", bare())
    assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (409, ["development_agrees"])
    assert world.ask("dan", "POST", "/api/engagements", bare(consented_by="dora")).status_code == 403
    assert world.ask("bot", "POST", "/api/engagements", bare(consented_by="dora")).status_code == 403


def test_a_service_that_is_neither_important_nor_staying_is_not_accepted(world):
    request = {**REQUEST, "entity_ref": "component:default/rose"}
    one = world.done("dora", "POST", "/api/engagements", request)["id"]
    assert world.refused("mia", one, "accepted", sre_team="sre") == ["importance", "not_ending"]
    assert world.refused("mia", one, "declined") == ["reason", "alternative_tier"]
    declined = world.moved("mia", one, "declined", reason="it ends", alternative_tier="documentation")
    assert (declined["outcome"], declined["exit"]["alternative_tier"]) == ("declined", "documentation")
    assert world.history("rose")[0]["kind"] == "engagement.declined"


def test_a_service_has_one_open_engagement_at_a_time(world):
    one = steps.ask_for_review(world)
    again = world.ask("dora", "POST", "/api/engagements", REQUEST)
    assert (again.status_code, one in again.json["detail"]) == (409, True)
    world.moved("dora", one, "withdrawn", reason="not now")
    assert world.done("dora", "POST", "/api/engagements", REQUEST)["id"] != one


def test_a_full_team_queues_what_it_accepts_until_there_is_room(world, session):
    from tests.engagements.lifecycle.conftest import put_team

    put_team(session, 1.0)
    one = steps.ask_for_review(world)
    assert world.moved("mia", one, "accepted", sre_team="sre")["queued"] is True
    world.later(days=10)
    shown = world.show(one)
    assert (shown["queue"]["rank"], shown["queue"]["waiting_days"]) == (1, 10)
    assert world.done("mia", "GET", "queue")["items"][0]["engagement"] == one
    assert world.refused("sally", one, "engagement") == ["room"]
    put_team(session, 4.0)
    assert world.moved("sally", one, "engagement")["queued"] is False
    assert world.done("mia", "GET", "queue")["items"] == []


def test_an_engagement_rests_and_goes_on_where_it_was(world):
    one = steps.to_engagement(world)
    assert world.refused("dora", one, "paused") == ["reason"]
    paused = world.done("dora", "POST", f"{one}/transitions", {"to": "paused", "reason": "peak season"})
    assert (paused["state"], paused["paused"], paused["legal_next"]) == (
        "engagement", True, ["engagement", "declined", "withdrawn"],
    )  # fmt: skip
    assert "not_paused" in world.refused("sam", one, "analysis")
    assert (
        world.done("dora", "POST", f"{one}/transitions", {"to": "paused", "reason": "again"})["version"]
        == (paused["version"])
    )
    resumed = world.moved("dora", one, "engagement")
    assert (resumed["paused"], resumed["pause"]) == (False, None)
    kinds = [event["kind"] for event in world.history()]
    assert kinds[:2] == ["engagement.resumed", "engagement.paused"]


def test_a_gap_leads_back_to_improvement_and_analysis_with_a_reason(world):
    one = steps.to_engagement(world)
    steps.agree(world, one)
    world.moved("sam", one, "analysis")
    steps.analyse(world, one)
    world.moved("sam", one, "improvement")
    assert world.refused("sam", one, "analysis") == ["reason"]
    world.moved("sam", one, "analysis", reason="review again")
    world.moved("sam", one, "improvement")
    steps.plan(world, one)
    world.moved("sally", one, "training")
    world.moved("sally", one, "improvement", reason="a gap")
    world.moved("sally", one, "training")
    steps.train(world, one)
    world.moved("sally", one, "onboarding")
    world.moved("sally", one, "improvement", reason="another gap")


def test_ruling_9_a_review_of_a_new_revision_keeps_the_tier(world, session):
    one = steps.to_active(world)
    world.done("dora", "PUT", "/api/services/component/default/globe/revision", {"revision": "2"})
    due = world.done("sam", "GET", "signals?kind=review_due")["items"]
    assert [(each["engagement"], each["overdue"]) for each in due] == [(one, False)]
    assert due[0]["due"] == format_time(world.now + timedelta(days=90))
    world.later(days=91)
    assert world.done("sam", "GET", "signals?overdue=true&kind=review_due")["items"][0]["engagement"] == one
    assert [each["id"] for each in world.done("sam", "GET", "/api/engagements?overdue=true")["items"]] == [one]
    assert world.refused("sam", one, "analysis") == ["reason"]
    again = world.moved("sam", one, "analysis", reason="rewritten")
    assert (again["review_round"], world.tier()["tier"]) == (2, "full_sre")
    assert world.refused("mia", one, "declined", reason="no", alternative_tier="consultation") == ["not_taken_over"]
    steps.analyse(world, one)
    world.moved("sam", one, "improvement")
    steps.plan(world, one)
    world.moved("sally", one, "training")
    assert set(world.refused("sally", one, "onboarding")) == {"trainings_held"}
    steps.train(world, one)
    world.moved("sally", one, "onboarding")
    steps.back_up(world, one)
    world.done("dora", "POST", f"{one}/takeover-signatures", {"side": "dev_lead"})
    world.moved("sally", one, "active")
    assert (world.tier()["tier"], world.tier()["evidence"]["prr_revision"]) == ("full_sre", "2")
    assert world.done("sam", "GET", "signals?kind=review_due")["items"] == []


@pytest.mark.parametrize("who", ["bot", "dan"])
def test_plugins_and_developers_move_nothing(world, who):
    one = steps.ask_for_review(world)
    for to in ("accepted", "declined", "withdrawn"):
        more = {"reason": "x", "alternative_tier": "documentation", "sre_team": "sre"}
        assert world.refused(who, one, to, status=403, **more) == ["role"]
