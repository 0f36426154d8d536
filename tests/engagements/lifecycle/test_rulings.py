"""Rulings of the domain, one by one, each by its number."""

from datetime import timedelta

import pytest

from engagements import history
from engagements.history import NewEvent
from engagements.lifecycle.machines import MACHINES
from engagements.lifecycle.states import Model, State
from portal_backend.core.principal import Role
from tests.engagements.conftest import component
from tests.engagements.lifecycle import steps
from tests.engagements.lifecycle.conftest import GLOBE, REQUEST, put_team
from tests.engagements.lifecycle.test_early import to_build, to_design

TIER = "/api/services/component/default/globe/tier"


def guards_of(model, source, to):
    transition = MACHINES[model].find(State(source), to)
    return {guard.name for guard in transition.guards}, transition.roles


def test_ruling_4_a_lesson_has_one_of_five_homes(world, session):
    one = steps.to_engagement(world)
    told = {"title": "t", "text": "why", "source": "incident", "pattern": "p", "axis": "change"}
    lesson = world.done("sam", "POST", f"{one}/lessons", told)
    path = f"lessons/{lesson['id']}/state"
    world.done("sally", "POST", path, {"state": "accepted"})
    odd = world.ask("sally", "POST", path, {"state": "linked", "home": {"kind": "drawer", "target": "x"}})
    assert odd.status_code == 400
    assert "guide, check, module, finding, process" in odd.get_data(as_text=True).replace("guide_section", "guide")
    linked = world.done("sally", "POST", path, {"state": "linked", "home": {"kind": "process", "target": "kick-off"}})
    assert linked["homes"][0]["kind"] == "process"


def test_ruling_5_what_passes_the_gate_waits_and_declining_is_an_act_of_its_own(world, session):
    put_team(session, 1.0)
    one = steps.ask_for_review(world)
    assert world.moved("mia", one, "accepted", sre_team="sre")["queued"] is True
    assert world.refused("sally", one, "engagement") == ["room"]
    offer = {"reason": "full", "alternative_tier": "consultation"}
    assert world.refused("sally", one, "declined", status=403, **offer) == ["role"]
    assert world.refused("mia", one, "declined") == ["reason", "alternative_tier"]
    place = world.done("mia", "GET", "queue")["items"][0]
    assert (place["engagement"], place["rank"]) == (one, 1)


def test_ruling_6_accepting_needs_a_forecast_besides_importance_staffing_and_consent(world):
    without = {name: value for name, value in REQUEST.items() if name != "usage_forecast_rps"}
    one = world.done("dora", "POST", "/api/engagements", without)["id"]
    assert world.refused("mia", one, "accepted", sre_team="sre") == ["usage_forecast"]
    world.done("dora", "PATCH", f"{one}/request", {"usage_forecast_rps": 10})
    world.moved("mia", one, "accepted", sre_team="sre")


def test_ruling_7_the_platform_needs_conformance_four_capabilities_and_the_split(world):
    answer = world.ask("pia", "POST", TIER, {"tier": "platform", "reason": "on the stage"})
    assert answer.status_code == 409
    assert [each["field"] for each in answer.json["errors"]] == [
        "conformance", *(f"capability_{name}" for name in ("logging", "monitoring", "configuration", "controls")),
        "oncall_split",
    ]  # fmt: skip


def test_ruling_12_a_launch_coordinator_is_a_role_that_signs_and_moves_launches(world):
    assert Role.LAUNCH_COORDINATOR in guards_of(Model.EARLY, "build", "launch")[1]
    assert Role.LAUNCH_COORDINATOR in guards_of(Model.EARLY, "launch", "post_launch")[1]


@pytest.mark.parametrize(("model", "source", "to", "guards", "roles"), [
    (Model.EARLY, "candidate", "accepted", {"criterion", "development_agrees"}, {Role.SRE_MANAGER}),
    (Model.EARLY, "accepted", "design", {"reviewers_named"}, None),
    (Model.EARLY, "design", "build", {"design_review", "trade_offs"}, None),
    (Model.EARLY, "build", "launch", {"launch_checklist", "launch_blockers"}, None),
    (Model.EARLY, "launch", "post_launch", {"launched"}, None),
    (Model.EARLY, "post_launch", "training", {"watched_long_enough"}, None),
    (Model.EARLY, "post_launch", "disengaging", {"watched_long_enough"}, None),
    (Model.FRAMEWORK, "assessing", "adopting", {"modules_chosen"}, {Role.DEV_LEAD}),
    (Model.FRAMEWORK, "adopting", "conformant", {"conformance_passes"}, None),
    (Model.FRAMEWORK, "conformant", "platform_active", {"tier_platform"}, {Role.PLATFORM_OWNER}),
])  # fmt: skip
def test_ruling_14_the_guards_of_early_engagement_and_of_the_framework(model, source, to, guards, roles):
    found, may = guards_of(model, source, to)
    assert guards <= found
    assert roles is None or may == roles


def test_ruling_14_trade_offs_are_recorded_or_none_is_said_and_the_tier_stays(world):
    swan = {"entity_ref": "component:default/swan", "model": "early"}
    one = world.done("dora", "POST", "/api/engagements", swan)["id"]
    to_design(world, one)
    assert world.refused("sam", one, "build") == ["design_review", "trade_offs"]
    assert world.tier("swan")["tier"] == "documentation"


def test_ruling_14_nothing_that_fails_on_observability_or_emergency_is_launched(world, session, observe):
    from sqlalchemy import update

    from scorecards.models import Scorecard

    swan = {"entity_ref": "component:default/swan", "model": "early"}
    one = world.done("dora", "POST", "/api/engagements", swan)["id"]
    to_build(world, one)
    world.done("lea", "POST", f"{one}/launches", {"name": "first night"})
    failing = {"obs.slo.defined": ["fail"], "chg.rollback": ["fail"]}
    session.execute(update(Scorecard).where(Scorecard.entity_ref.endswith("swan")).values(statuses=failing))
    session.commit()
    assert world.refused("lea", one, "launch") == ["launch_blockers"]


def test_ruling_17_forty_hours_of_advice_and_one_over_is_refused_with_the_hours_left(world):
    advice = {"topic": "caching", "axis": "capacity", "hours": 30, "sres": ["sam"], "held_at": "2026-03-01T09:00:00Z"}
    path = "/api/services/component/default/globe/consultations"
    world.done("sam", "POST", path, advice)
    refused = world.ask("sam", "POST", path, {**advice, "topic": "queues", "hours": 11})
    assert (refused.status_code, "10 hours are left" in refused.json["detail"]) == (409, True)
    world.done("sam", "POST", path, {**advice, "topic": "queues", "hours": 10})


def test_an_abandoned_service_is_signalled_until_somebody_hands_it_back(world, session, catalog_of):
    one = steps.to_active(world)
    catalog_of(component("globe", annotations={"criticality": "T1", "revision": "1", "lifecycle": "abandoned"}))
    changed = NewEvent(GLOBE, "service.lifecycle_changed", world.now, "catalog", "l1", "It is abandoned.",
                       details={"from": "ga", "to": "abandoned"})  # fmt: skip
    history.record(session, [changed], world.now)
    session.commit()
    signals = world.done("sam", "GET", "signals?kind=abandoned")["items"]
    assert [(each["engagement"], each["overdue"]) for each in signals] == [(one, False)]
    world.at(world.now + timedelta(days=31))
    assert world.done("sam", "GET", "signals?kind=abandoned&overdue=true")["items"][0]["engagement"] == one
    assert (world.show(one)["state"], world.tier()["tier"]) == ("active", "full_sre")


def test_a_service_shows_the_blockers_that_bar_its_support(world):
    one = steps.to_engagement(world)
    finding = {"title": "no kill switch", "axis": "emergency", "severity": "blocker", "source": "drill"}
    made = world.done("sam", "POST", f"{one}/findings", finding)
    service = world.done("dora", "GET", "/api/services/component/default/globe")
    assert [(each["finding"], each["title"]) for each in service["blockers"]] == [(made["id"], "no kill switch")]
