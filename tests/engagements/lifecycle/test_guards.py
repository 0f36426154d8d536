"""Every guard by itself: what it asks for, what fails, what meets it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engagements.lifecycle import machines
from engagements.lifecycle.circumstances import ReviewFacts
from engagements.lifecycle.machines import MACHINES
from engagements.lifecycle.schemas import EngagementDetailSchema, EngagementSchema
from engagements.lifecycle.states import Case, EngagementState, Model, Outcome, Outside, Rule, State, Wish
from engagements.tiers import Circumstances, Tier
from portal_backend.core.principal import Role
from tests.engagements.conftest import NOW, somebody

GUARDS = {guard.name: guard for machine in MACHINES.values() for each in machine.transitions for guard in each.guards}
GUARDS |= {guard.name: guard for guard in machines.resumption(State.ANALYSIS).guards}
BARE = Case(
    EngagementState("e", "component:default/globe", Model.SIMPLE_PRR, State.REQUESTED, NOW, "dora", NOW),
    Wish("accepted"),
    somebody(Role.DEV),
    Outside(),
    NOW,
)
RUN_BY_SRE = replace(BARE, outside=Outside(tier=Tier.FULL_SRE))


def wishing(**wish):
    return replace(BARE, wish=replace(BARE.wish, **wish))


def outside(case=BARE, **values):
    return replace(case, outside=replace(case.outside, **values))


def with_terms(case, **sections):
    return replace(case, engagement=replace(case.engagement, document=sections))


REQUESTS = {
    "items_answered": (outside(review=ReviewFacts(items=2, unanswered=("a",))), "/api/engagements/e/checklist/answers"),
    "no_open_blocker": (outside(review=ReviewFacts(open_blockers=("x",))), "/api/engagements/e/findings tells the id"),
    "launched": (BARE, "/api/engagements/e/launches tells its id"),
    "waivers_named": (outside(waived=("b", "a")), '`waivers`: ["a", "b"]'),
}
"""What the remedy of a guard names, so that nobody has to look for it."""
FAILING = {
    "not_ending": outside(tiers=Circumstances(lifecycle="abandoned")),
    "not_taken_over": RUN_BY_SRE,
    "room_to_resume": replace(
        outside(room=False, room_sentence="full"), engagement=replace(BARE.engagement, state=State.ANALYSIS)
    ),
    "no_open_blocker": outside(review=ReviewFacts(open_blockers=("no owner",))),
    "waivers_named": outside(waived=("arch.spof",)),
    "outcome_holds": outside(wishing(outcome=Outcome.GRADUATED), rule=Rule(unknown=("stability",))),
    "forecast_captured": wishing(outcome=Outcome.USAGE_BELOW_FORECAST),
    "ladder": replace(RUN_BY_SRE, wish=replace(BARE.wish, outcome=Outcome.NEGLECTED)),
    "notice": replace(RUN_BY_SRE, wish=replace(BARE.wish, notice_until=NOW + timedelta(days=29))),
    "force_allowed": wishing(forced=True),
    "launch_is_old_enough": wishing(outcome=Outcome.GRADUATED),
    "notice_over": with_terms(RUN_BY_SRE, notice={"until": "2027-01-01T00:00:00Z"}),
    "responsibilities_back": with_terms(RUN_BY_SRE, transfers={"capacity": {"holder": "sre"}}),
    "duties": RUN_BY_SRE,
    "tier_documentation": outside(tier=Tier.PLATFORM),
    "tier_afterwards": replace(RUN_BY_SRE, wish=replace(BARE.wish, tier=Tier.FULL_SRE)),
}
"""Cases that fail a guard which a bare engagement passes."""


@pytest.mark.parametrize("name", GUARDS)
def test_every_guard_can_fail_and_says_what_would_meet_it(name):
    failures = list(GUARDS[name].failures(FAILING.get(name, BARE)))
    assert failures
    assert all(wrong.strip() and remedy.strip() for wrong, remedy in failures)
    assert GUARDS[name].says.endswith(".")


@pytest.mark.parametrize("name", FAILING)
def test_a_guard_that_does_not_concern_a_case_lets_it_pass(name):
    assert list(GUARDS[name].failures(BARE)) == []


def met(name, case):
    return list(GUARDS[name].failures(case)) == []


@pytest.mark.parametrize(("criticality", "important"), [("T0", True), ("T2", True), ("T3", False), (None, False)])
def test_row_1_importance_is_criticality_or_triage(criticality, important):
    assert met("importance", outside(criticality=criticality)) is important
    assert met("importance", outside(criticality=criticality, triage_candidate=True))


def test_ruling_10_the_level_asked_for_does_not_depend_on_the_criticality():
    for criticality in ("T0", "T3"):
        assert not met("readiness", outside(criticality=criticality, level="L2"))
        assert met("readiness", outside(criticality=criticality, level="L3"))
        assert met("readiness", outside(criticality=criticality, level="L4"))


def test_row_9_the_three_models_have_machines_of_their_own():
    assert {model: machine.initial.value for model, machine in MACHINES.items()} == {
        Model.SIMPLE_PRR: "requested",
        Model.EARLY: "candidate",
        Model.FRAMEWORK: "assessing",
    }


def test_ruling_1_every_way_into_training_takes_a_complete_review():
    for model in (Model.SIMPLE_PRR, Model.EARLY):
        entering = [each for each in MACHINES[model].transitions if each.to == State.TRAINING]
        assert entering
        for each in entering:
            assert {"items_answered", "incident_review", "no_open_blocker", "plan_signed", "readiness"} <= {
                guard.name for guard in each.guards
            }


def test_row_2_the_only_way_to_active_is_the_takeover():
    for machine in MACHINES.values():
        entering = {(each.source, each.to) for each in machine.transitions if each.to == State.ACTIVE}
        assert entering <= {(State.ONBOARDING, State.ACTIVE)}


def test_only_what_lacks_the_role_alone_is_forbidden():
    asked = machines.judge(wishing(to="withdrawn", reason="later"))
    assert (asked.allowed, asked.only_role_missing) == (False, True)
    both = machines.judge(wishing(to="withdrawn"))
    assert ([each.guard for each in both.obstacles], both.only_role_missing) == (["role", "reason"], False)


def test_an_answer_has_the_fields_that_its_schema_names():
    from engagements.lifecycle.reading import show

    assert set(show(BARE.engagement)) == set(EngagementSchema().fields)
    assert set(EngagementDetailSchema().fields) - set(EngagementSchema().fields) == {"next", "queue"}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_remedy_names_the_request_that_mends_it(name):
    case, named = REQUESTS[name]
    assert [named in remedy for _, remedy in GUARDS[name].failures(case)] == [True]
