"""The portal's own records as facts: what they say, and that checks which need them are judged by it."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from engagements import history, own_facts
from engagements.history import NewEvent
from engagements.lifecycle.models import Engagement
from engagements.models import HistoryEvent
from portal_backend import engagement_facts, settings
from portal_backend.core.clock import format_time
from portal_backend.core.principal import Role
from scorecards import facts
from scorecards.exceptions.modules import adoption, registry, releases
from tests.engagements.conftest import ref, somebody
from tests.engagements.lifecycle import steps
from tests.engagements.lifecycle.conftest import AGREEMENT, World, company
from tests.engagements.lifecycle.test_early import launch_fully

__all__ = ["company"]
PIA = somebody(Role.PLATFORM_OWNER, name="pia")


@pytest.fixture
def world(client, monkeypatch, company):
    return World(client, monkeypatch)


def told(session, world, name="globe"):
    session.expire_all()
    return {fact.key: fact.value for fact in own_facts.observe(session, world.now) if fact.ref == ref(name)}


def test_a_service_without_records_has_no_facts(session, world):
    assert own_facts.observe(session, world.now) == []


def test_conformance_exercises_and_a_signed_policy_come_from_the_engagement(session, world):
    one = steps.to_engagement(world)
    world.done("sam", "PUT", f"{one}/agreement", {**AGREEMENT, "error_budget_policy": "https://wiki/policy"})
    assert told(session, world) == {"ebp.approved_by": []}
    world.done("dora", "POST", f"{one}/agreement/signatures", {"side": "dev_lead"})
    world.done("bot", "PUT", f"{one}/conformance", {"passed": False, "version_supported": True})
    says = told(session, world)
    assert says == {"ebp.approved_by": ["dev_lead"], "fw.conformance.pass": False, "fw.version.supported": True}


def test_releases_without_budget_break_a_policy_that_both_sides_signed(session, world, observe):
    one = steps.to_engagement(world)
    world.done("sam", "PUT", f"{one}/agreement", {**AGREEMENT, "error_budget_policy": "https://wiki/policy"})
    world.done("dora", "POST", f"{one}/agreement/signatures", {"side": "dev_lead"})
    assert "ebp.violations_90d" not in told(session, world), "one side alone has no policy"
    world.done("sally", "POST", f"{one}/agreement/signatures", {"side": "sre_lead"})
    assert "ebp.violations_90d" not in told(session, world), "nobody watches the budget"
    observe({"globe": {"slo.availability.budget_left": 0.5}}, now=world.now)
    assert told(session, world)["ebp.violations_90d"] == 0
    signed = world.now
    world.later(days=20)
    happened = [
        (-1, "deploy.finished", {}), (1, "deploy.finished", {}), (2, "budget.exhausted", {}),
        (3, "deploy.finished", {}), (4, "deploy.finished", {"priority": "P0"}), (5, "deploy.rolled_back", {}),
        (6, "deploy.finished", {"security": True}), (7, "deploy.finished", {}), (8, "slo.recovered", {}),
        (9, "deploy.finished", {}), (19, "event.corrected", {"corrects": 0}),
    ]  # fmt: skip
    for day, kind, details in happened:
        if "corrects" in details:
            query = select(HistoryEvent.sequence).where(HistoryEvent.source_event_id == "day 7")
            details = {"corrects": session.scalar(query)}
        event = NewEvent(
            ref("globe"), kind, signed + timedelta(days=day), "argocd", f"day {day}", kind, details=details
        )
        history.record(session, [event], world.now)
    session.commit()
    assert told(session, world)["ebp.violations_90d"] == 1
    world.later(days=80)
    assert told(session, world)["ebp.violations_90d"] == 0, "longer than 90 days ago"


def test_the_last_exercise_and_the_launch_are_told(session, world):
    one = steps.to_active(world)
    held = world.show(one)["trainings"][-1]["held_at"]
    assert told(session, world)["exercises.last_at"] == held
    launch = world.done("lea", "POST", "/api/services/component/default/globe/launches", {"name": "a new wing"})
    assert told(session, world)["launches.open.checklist_pct"] == 0
    launch_fully(world, launch)
    says = told(session, world)
    assert (says["launches.open.checklist_pct"], says["launches.last.stages"]) == (
        100, ["canary", "dark", "full", "ramp"],
    )  # fmt: skip


def test_the_registry_of_modules_says_what_is_uniform_until_support_ends(session, world, judging):
    definition = registry.ModuleDefinition("Traffic", "", "traffic_load_control", "group:default/sre",
                                           capabilities=("controls",))  # fmt: skip
    registry.define(session, "traffic", definition, None, PIA, world.now)
    ends = world.now + timedelta(days=10)
    note = releases.ReleaseNote(world.now, ends)
    releases.publish(session, judging.catalogue, "traffic", "1", note, None, PIA, world.now)
    from catalog.services import services

    globe = services(session, judging.service_types, [ref("globe")])[0]
    adoption.adopt(session, globe, "traffic", adoption.Adoption("1"), None, PIA, world.now)
    session.commit()
    says = told(session, world)
    assert (says["fw.module.traffic"], says["fw.capability.controls"], says["fw.capability.logging"]) == (
        True, True, False,
    )  # fmt: skip
    assert says["fw.components.registered"] is True
    one = world.done("dora", "POST", "/api/engagements", {"entity_ref": ref("globe"), "model": "framework"})["id"]
    for names, all_registered in ((["traffic"], True), (["traffic", "home-made"], False)):
        chosen = {"modules": [{"name": name, "version": "1"} for name in names]}
        world.done("dora", "PUT", f"/api/engagements/{one}/modules", chosen)
        assert told(session, world)["fw.components.registered"] is all_registered
    world.later(days=11)
    assert told(session, world)["fw.module.traffic"] is False


def test_causes_that_came_back_are_counted_where_incidents_tell_them(session, world):
    def happened(day, kind, of="globe", **details):
        at = world.now - timedelta(days=day)
        event = NewEvent(ref(of), kind, at, "pager", f"{kind} {day} {of}", kind, details=details)
        history.record(session, [event], world.now)
        session.commit()
        return told(session, world).get("incidents.repeated_causes_90d")

    assert happened(89, "incident.opened", incident="a", cause="bad_change") == 0
    assert happened(95, "incident.opened", incident="old", cause="bad_change") == 0, "longer than 90 days ago"
    assert happened(90, "incident.opened", of="rose", incident="b", cause="bad_change") == 0, "another service's"
    assert happened(40, "incident.opened", incident="c") is None, "its cause is not told: it may be the same"
    assert happened(39, "postmortem.published", incident="c", cause="Bad_Change") == 1
    assert happened(20, "incident.opened", incident="d") == 1, "one came back for certain"
    wrong = session.scalar(select(HistoryEvent.sequence).where(HistoryEvent.source_event_id.like("postmortem%")))
    assert happened(10, "event.corrected", corrects=wrong) is None


def test_facts_follow_the_records_are_observed_hourly_and_withdrawn(app, session, world):
    with app.app_context():
        specs = settings.current().specs
        assert {spec.key for spec in own_facts.FACTS} <= specs.keys()
        one = steps.to_engagement(world)
        world.done("bot", "PUT", f"{one}/conformance", {"passed": True, "version_supported": True})
        session.expire_all()
        assert engagement_facts.follow(session, world.now) == {ref("globe")}
        assert engagement_facts.follow(session, world.now + timedelta(minutes=59)) == set()
        later = world.now + timedelta(minutes=61)
        engagement_facts.follow(session, later)
        session.commit()
        (reading,) = facts.readings(session, [ref("globe")])[ref("globe")]["fw.conformance.pass"]
        assert (reading.source, reading.value, format_time(reading.observed_at)) == ("portal", True, format_time(later))
        world.done("bot", "PUT", f"{one}/conformance", {"passed": False, "version_supported": True})
        session.expire_all()
        assert engagement_facts.follow(session, later) == {ref("globe")}
        session.execute(delete(Engagement))
        assert engagement_facts.follow(session, later) == {ref("globe")}
        assert "fw.conformance.pass" not in facts.readings(session, [ref("globe")])[ref("globe")]
