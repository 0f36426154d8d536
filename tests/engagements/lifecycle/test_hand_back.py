"""Handing a service back: by each outcome, with notice, ladder, duties and lessons."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from catalog.models import Entity
from engagements import support
from portal_backend.core.clock import format_time
from scorecards.models import Scorecard
from tests.engagements.lifecycle import steps
from tests.engagements.lifecycle.conftest import GLOBE

WISH = {"outcome": "importance_fell", "reason": "replaced"}


@pytest.fixture
def one(world):
    return steps.to_active(world)


def test_a_hand_back_names_its_outcome_reason_and_thirty_days_of_notice(world, one):
    assert world.refused("sally", one, "disengaging") == ["outcome", "reason"]
    soon = format_time(world.now + timedelta(days=29))
    assert world.refused("sally", one, "disengaging", **WISH, notice_until=soon) == ["notice"]
    assert world.refused("dora", one, "disengaging", status=403, **WISH) == ["role"]
    announced = world.moved("sally", one, "disengaging", **WISH)
    assert announced["notice"]["until"] == format_time(world.now + timedelta(days=30))
    assert (announced["outcome"], world.tier()["tier"]) == ("importance_fell", "full_sre")
    assert world.history()[0]["kind"] == "disengagement.started"


def test_only_the_sre_manager_forces_a_hand_back(world, one):
    soon = {"notice_until": format_time(world.now + timedelta(days=1)), "forced": True}
    assert world.refused("sally", one, "disengaging", **WISH, **soon) == ["force_allowed", "notice"]
    world.moved("mia", one, "disengaging", **WISH, **soon)
    steps.transfer(world, one, "dev")
    steps.fulfil_duties(world, one)
    world.no_lessons(one)
    assert world.refused("sally", one, "disengaged") == ["notice_over"]
    assert world.moved("mia", one, "disengaged", forced=True)["outcome"] == "importance_fell"


def test_row_26_what_sre_runs_graduates_by_rule_d1_and_by_what_is_stated(world, one, session):
    wish = {"outcome": "graduated", "reason": "quiet", "tier": "consultation"}
    assert world.refused("sally", one, "disengaging", **wish) == ["outcome_holds"]
    world.moved("sally", one, "disengaging", **wish, evidence="https://wiki/quiet")
    steps.transfer(world, one, "dev")
    steps.fulfil_duties(world, one)
    world.no_lessons(one)
    world.later(days=30)
    closed = world.moved("sally", one, "disengaged")
    assert (closed["success"], world.tier()["tier"]) == (True, "consultation")


def test_row_27_usage_that_is_measured_bars_the_outcome_that_says_otherwise(world, one, observe):
    wish = {"outcome": "usage_below_forecast", "reason": "hardly used", "evidence": "we say so"}
    observe({"globe": {"traffic.peak_rps_30d": 490.0}}, now=world.now)
    assert set(world.refused("sally", one, "disengaging", **wish)) == {"outcome_holds"}


def test_what_is_known_against_a_graduation_outweighs_what_is_stated(world, one, session):
    session.execute(update(Scorecard).values(level="L2"))
    session.commit()
    wish = {"outcome": "graduated", "reason": "quiet", "evidence": "we say so"}
    assert world.refused("sally", one, "disengaging", **wish) == ["outcome_holds"]


def test_ruling_15_a_neglected_service_climbs_the_ladder_before_it_is_handed_back(world, one):
    wish = {"outcome": "neglected", "reason": "no plan since spring"}
    assert world.refused("sally", one, "disengaging", **wish) == ["ladder", "ladder"]
    step = {"step": "feature_freeze", "note": "until there is a plan"}
    first = world.done("sally", "POST", f"{one}/escalations", step)
    assert world.done("sally", "POST", f"{one}/escalations", step) == first
    assert world.refused("sally", one, "disengaging", **wish) == ["ladder"]
    version = world.show(one)["version"]
    assert world.ask("sally", "PUT", f"{one}/pager", {"carrier": "dev"}).status_code == 400
    returned = world.done("sally", "PUT", f"{one}/pager", {"carrier": "dev", "reason": "no plan"})
    assert (returned["pager_returned"], returned["version"], world.tier()["tier"]) == (True, version + 1, "full_sre")
    due = world.done("sam", "GET", "signals?kind=pager_review")["items"][0]
    assert (due["due"], due["overdue"]) == (format_time(world.now + timedelta(days=28)), False)
    world.moved("sally", one, "disengaging", **wish)
    kinds = [event["kind"] for event in world.history()][:3]
    assert kinds == ["disengagement.started", "pager.returned", "engagement.escalated"]


def test_the_pager_goes_back_to_sre(world, one):
    world.done("sally", "PUT", f"{one}/pager", {"carrier": "dev", "reason": "too noisy"})
    resumed = world.done("sally", "PUT", f"{one}/pager", {"carrier": "sre"})
    assert (resumed["pager_returned"], world.history()[0]["kind"]) == (False, "pager.resumed")
    assert world.done("sally", "PUT", f"{one}/pager", {"carrier": "sre"})["version"] == resumed["version"]


def test_row_28_a_hand_back_ends_with_lessons_and_freed_capacity(world, one):
    world.moved("sally", one, "disengaging", **WISH)
    assert world.ask("sally", "PUT", f"{one}/transfers/on_call", {"holder": "sre"}).status_code == 409
    steps.transfer(world, one, "dev")
    steps.fulfil_duties(world, one)
    freed = world.show(one)["hand_back"]["ledger_freed"]["freed"]
    assert (freed["team"], freed["posted"], freed["hours_per_quarter"] > 0) == ("group:default/sre", True, True)
    world.later(days=30)
    assert world.done("sam", "GET", "signals?kind=hand_back_due")["items"][0]["overdue"] is False
    assert world.refused("sally", one, "disengaged") == ["lessons"]
    world.no_lessons(one)
    assert world.moved("sally", one, "disengaged", tier="documentation")["closed_at"] == format_time(world.now)


def test_a_service_is_not_handed_back_to_a_platform_that_it_is_not_fit_for(world, one):
    world.moved("sally", one, "disengaging", **WISH, tier="platform")
    steps.transfer(world, one, "dev")
    steps.fulfil_duties(world, one)
    world.no_lessons(one)
    world.later(days=30)
    assert set(world.refused("sally", one, "disengaged")) == {"tier_afterwards"}
    world.moved("sally", one, "disengaged", tier="documentation")


def test_the_end_of_the_back_up_is_a_signal(world, one):
    world.later(days=90)
    assert world.done("sam", "GET", "signals?kind=backup_ended")["items"][0]["engagement"] == one


def test_a_service_that_left_the_catalog_can_still_be_handed_back(world, one, session):
    world.moved("sally", one, "disengaging", outcome="importance_fell", reason="it is gone")
    session.execute(delete(Entity).where(Entity.ref == GLOBE))
    session.commit()
    steps.transfer(world, one, "dev")
    steps.fulfil_duties(world, one)
    world.no_lessons(one)
    assert world.show(one)["state"] == "disengaging"
    world.moved("mia", one, "disengaged", forced=True)
    assert support.current(session, [GLOBE])[GLOBE].tier == "documentation"
