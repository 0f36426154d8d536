"""Tier moves: which are legal, who may make them, what must hold."""

from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from engagements.tiers import MOVES, UNIFORM_CAPABILITIES, Cause, Circumstances, Tier, judge_move
from portal_backend.core.principal import Principal, Role

DOC, CONSULT, FULL, PLATFORM = Tier.DOCUMENTATION, Tier.CONSULTATION, Tier.FULL_SRE, Tier.PLATFORM
ASKING = {Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER}

WHO_AND_HOW = {
    (DOC, CONSULT): (Cause.REQUEST, ASKING),
    (CONSULT, DOC): (Cause.REQUEST, ASKING),
    (DOC, PLATFORM): (Cause.REQUEST, {Role.PLATFORM_OWNER}),
    (CONSULT, PLATFORM): (Cause.REQUEST, {Role.PLATFORM_OWNER}),
    (PLATFORM, DOC): (Cause.REQUEST, {Role.PLATFORM_OWNER}),
    (DOC, FULL): (Cause.ONBOARDED, {Role.SRE_LEAD, Role.DEV_LEAD}),
    (CONSULT, FULL): (Cause.ONBOARDED, {Role.SRE_LEAD, Role.DEV_LEAD}),
    (PLATFORM, FULL): (Cause.ONBOARDED, {Role.SRE_LEAD, Role.DEV_LEAD}),
    (FULL, DOC): (Cause.DISENGAGED, {Role.SRE_LEAD, Role.SRE_MANAGER}),
    (FULL, CONSULT): (Cause.DISENGAGED, {Role.SRE_LEAD, Role.SRE_MANAGER}),
    (FULL, PLATFORM): (Cause.DISENGAGED, {Role.SRE_LEAD, Role.SRE_MANAGER}),
}
"""The table as the domain has it, written down a second time on purpose."""

FITTING = Circumstances(
    lifecycle="ga",
    owner="group:default/bards",
    dev_lead_consent="will",
    consultation_hours_used=10,
    major_revision="2",
    prr_completed_on=date(2026, 5, 1),
    prr_revision="2",
    conformance_passed=True,
    capabilities=dict.fromkeys(UNIFORM_CAPABILITIES, True),
    oncall_split_agreed=True,
    framework_supported=False,
)
"""All that any guard may ask for."""


def somebody(*roles):
    return Principal("ann", frozenset(roles), frozenset())


def guards(current, wanted, roles, circumstances):
    decision = judge_move(current, wanted, somebody(*roles), circumstances)
    assert decision.allowed == (not decision.obstacles)
    assert all(obstacle.message and obstacle.remedy for obstacle in decision.obstacles)
    return [obstacle.guard for obstacle in decision.obstacles]


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("current", "wanted"), list(product(Tier, Tier)))
def test_every_move_by_every_role_for_every_cause(current, wanted, role, cause):
    decision = judge_move(current, wanted, somebody(role), replace(FITTING, cause=cause))
    if current == wanted:
        assert (decision.allowed, decision.changes) == (True, False)
        return
    way, roles = WHO_AND_HOW.get((current, wanted), (None, set()))
    allowed = way is cause and role in {*roles, Role.ADMINISTRATOR}
    assert (decision.allowed, decision.changes) == (allowed, allowed)


def test_the_table_has_every_legal_move_and_no_other():
    assert {pair: (move.cause, set(move.roles)) for pair, move in MOVES.items()} == WHO_AND_HOW


@pytest.mark.parametrize("current", [DOC, CONSULT, PLATFORM])
def test_full_support_on_request_is_refused_and_the_way_is_named(current):
    decision = judge_move(current, FULL, somebody(Role.ADMINISTRATOR), FITTING)
    assert [obstacle.guard for obstacle in decision.obstacles] == ["way"]
    assert "engagement" in decision.obstacles[0].remedy
    assert not decision.only_role_missing


@pytest.mark.parametrize("wanted", [DOC, CONSULT, PLATFORM])
def test_full_support_ends_with_a_disengagement_only(wanted):
    decision = judge_move(FULL, wanted, somebody(Role.SRE_MANAGER), FITTING)
    assert "way" in [obstacle.guard for obstacle in decision.obstacles]
    assert "disengagement" in decision.obstacles[0].remedy


def test_no_takeover_without_a_review_of_the_running_revision():
    onboarded = replace(FITTING, cause=Cause.ONBOARDED)
    assert guards(DOC, FULL, [Role.SRE_LEAD], onboarded) == []
    assert guards(DOC, FULL, [Role.SRE_LEAD], replace(onboarded, prr_completed_on=None)) == ["review_completed"]
    newer = replace(onboarded, major_revision="3")
    assert guards(DOC, FULL, [Role.SRE_LEAD], newer) == ["review_of_running_revision"]


@pytest.mark.parametrize("lifecycle", ["deprecation", "abandoned", "unsupported"])
def test_a_service_that_is_being_ended_gets_no_new_full_support(lifecycle):
    ending = replace(FITTING, cause=Cause.ONBOARDED, lifecycle=lifecycle)
    assert guards(DOC, FULL, [Role.SRE_LEAD], ending) == ["lifecycle"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"consultation_hours_used": 39.5}, []),
        ({"consultation_hours_used": 40}, ["consultation_hours"]),
        ({"consultation_hours_used": 41}, ["consultation_hours"]),
        ({"consultation_hours_used": 41, "consultation_hours_per_quarter": 60}, []),
        ({"consultation_hours_used": None}, ["consultation_hours"]),
        ({"owner": None, "consultation_hours_used": None}, ["consultation_hours"]),
        ({"dev_lead_consent": ""}, ["development_agrees"]),
        (
            {"dev_lead_consent": "", "consultation_hours_used": 40},
            ["development_agrees", "consultation_hours"],
        ),
    ],
)
def test_consultation_takes_free_hours_and_consent(change, expected):
    assert guards(DOC, CONSULT, [Role.SRE], replace(FITTING, **change)) == expected


def test_the_development_lead_consents_by_asking():
    assert guards(DOC, CONSULT, [Role.DEV_LEAD], replace(FITTING, dev_lead_consent="")) == []


def test_advice_can_be_given_up_whatever_the_hours():
    assert guards(CONSULT, DOC, [Role.SRE], Circumstances()) == []


def test_the_platform_takes_conformance_all_capabilities_and_the_oncall_split():
    everything = ["conformance", *(f"capability_{name}" for name in UNIFORM_CAPABILITIES), "oncall_split"]
    assert guards(CONSULT, PLATFORM, [Role.PLATFORM_OWNER], Circumstances()) == everything
    partly = replace(FITTING, conformance_passed=False, capabilities={**FITTING.capabilities, "logging": False})
    assert guards(DOC, PLATFORM, [Role.PLATFORM_OWNER], partly) == ["conformance", "capability_logging"]
    assert guards(FULL, PLATFORM, [Role.SRE_LEAD], replace(partly, cause=Cause.DISENGAGED)) == [
        "conformance",
        "capability_logging",
    ]


def test_what_is_unknown_is_not_told_as_failing():
    unknown = judge_move(DOC, PLATFORM, somebody(Role.PLATFORM_OWNER), replace(FITTING, conformance_passed=None))
    failing = judge_move(DOC, PLATFORM, somebody(Role.PLATFORM_OWNER), replace(FITTING, conformance_passed=False))
    assert "No source says" in unknown.obstacles[0].message
    assert "fail" in failing.obstacles[0].message


@pytest.mark.parametrize("supported", [True, None])
def test_the_platform_is_left_when_the_framework_leaves_support(supported):
    still = replace(FITTING, framework_supported=supported)
    assert guards(PLATFORM, DOC, [Role.PLATFORM_OWNER], still) == ["framework_left_support"]


def test_every_guard_that_fails_is_named_at_once():
    assert guards(DOC, FULL, [Role.DEV], replace(FITTING, prr_completed_on=None, lifecycle="abandoned")) == [
        "way",
        "role",
        "review_completed",
        "lifecycle",
    ]


def test_only_a_missing_role_is_told_from_other_obstacles():
    assert judge_move(DOC, CONSULT, somebody(Role.DEV), FITTING).only_role_missing
    no_hours = replace(FITTING, consultation_hours_used=40)
    assert not judge_move(DOC, CONSULT, somebody(Role.DEV), no_hours).only_role_missing


def test_plugins_move_nothing():
    for current, wanted in product(Tier, Tier):
        for cause in Cause:
            decision = judge_move(current, wanted, somebody(Role.PLUGIN), replace(FITTING, cause=cause))
            assert not decision.changes
