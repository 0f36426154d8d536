"""Levels, percentages, coverage, gains, and what to do first."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorecards.checks.definitions import Axis, Check, CheckCatalogue, Criticality, Effort, Status
from scorecards.documents import scorecard_form
from scorecards.evaluation import CheckResult
from scorecards.evidence.causes import Cause, CauseKind, Party
from scorecards.grading import grade
from scorecards.holding import HeldVerdict
from scorecards.reaching import Barred
from scorecards.rules.tree import Rule
from scorecards.scorecard import grade_service
from tests.scorecards.known_checks import known_checks as catalogue
from tests.scorecards.samples import GOOD, HEALTHY, NOW, SOURCE_OF, readings, state, subject, view

RULE = Rule({}, (), frozenset(), False, lambda lookup, now, leaves: None)
PASS, FAIL, UNKNOWN, NA = Status.PASS, Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE


def check(name, axis=Axis.CHANGE, level=1, weight=1, criticality="major", effort="days"):
    return Check(
        id=name,
        title=name,
        question="?",
        axis=axis,
        level=level,
        weight=weight,
        criticality=Criticality(criticality),
        version=1,
        owner="sre",
        sources=("x",),
        why="y",
        how_to_fix=(f"Mend {name}.",),
        guide="g",
        effort=Effort(effort),
        rule=RULE,
        passes="p",
        fails="f",
    )


def result(status, causes=(), remedy=None, **given):
    made = check(**given)
    steps = remedy if remedy is not None else made.how_to_fix
    return CheckResult(made, status, f"{made.id} is {status}.", causes=causes, remedy=() if status is PASS else steps)


def graded(*results, top=3, **service):
    checks = {one.check.id: one.check for one in results}
    checks["top"] = check("top", level=top)
    return grade(subject(**service), results, CheckCatalogue(checks, "v"))


def test_percent_is_passed_weight_over_applicable_weight_and_unknown_stays_below_the_line():
    axis = graded(
        result(PASS, name="a", weight=5),
        result(FAIL, name="b", weight=3),
        result(UNKNOWN, name="c", weight=2),
        result(NA, name="d", weight=4),
    ).axes[Axis.CHANGE]
    assert (axis.percent, axis.coverage) == (50.0, 80.0)
    assert axis.counts == {PASS: 1, FAIL: 1, UNKNOWN: 1, NA: 1, Status.WAIVED: 0, Status.INHERITED: 0}


def test_an_axis_without_an_applicable_check_has_no_level_and_holds_nothing_back():
    made = graded(result(PASS, name="a"), result(NA, name="b", axis=Axis.CAPACITY))
    assert made.axes[Axis.CAPACITY].level is None
    assert made.axes[Axis.CAPACITY].percent is None
    assert made.axes[Axis.CAPACITY].coverage is None
    assert made.overall.level == 3


def test_a_service_to_which_nothing_applies_has_no_level():
    made = graded(result(NA, name="a"))
    assert (made.overall.level, made.overall.percent, made.distance) == (None, None, None)


@pytest.mark.parametrize(
    ("results", "level"),
    [
        ([(PASS, 1, "blocker"), (PASS, 2, "major"), (PASS, 3, "major")], 3),
        ([(PASS, 1, "blocker"), (FAIL, 2, "major"), (PASS, 3, "major")], 1),
        ([(FAIL, 1, "major"), (PASS, 2, "major")], 0),
        ([(PASS, 1, "minor"), (UNKNOWN, 2, "blocker")], 1),
        ([(UNKNOWN, 2, "blocker")], 0),
        ([(FAIL, 3, "minor")], 0),
        ([(FAIL, 1, "minor"), (PASS, 3, "major")], 3),
        ([(NA, 1, "blocker"), (PASS, 2, "major")], 3),
    ],
)
def test_a_level_needs_every_blocker_and_major_up_to_it(results, level):
    made = [result(status, name=str(i), level=at, criticality=c) for i, (status, at, c) in enumerate(results)]
    assert graded(*made).overall.level == level


def test_the_highest_level_needs_the_minor_checks_too():
    made = graded(result(PASS, name="a"), result(FAIL, name="b", level=1, criticality="minor"), top=4)
    assert made.overall.level == 3


def test_what_bars_one_axis_bars_the_service():
    made = graded(
        result(PASS, name="a"),
        result(PASS, name="b", axis=Axis.EMERGENCY),
        result(FAIL, name="c", level=2, axis=Axis.EMERGENCY),
    )
    assert (made.axes[Axis.CHANGE].level, made.axes[Axis.EMERGENCY].level, made.overall.level) == (3, 1, 1)


def test_an_axis_on_which_nothing_passes_has_no_level_to_show():
    made = graded(result(PASS, name="a"), result(UNKNOWN, name="b", level=2, axis=Axis.EMERGENCY))
    assert (made.axes[Axis.EMERGENCY].level, made.overall.level) == (0, 1)


@pytest.mark.parametrize(("tier", "required"), [("T0", 3), ("T1", 3), ("T2", 2), ("T3", 1), (None, None)])
def test_the_required_level_follows_from_criticality(tier, required):
    made = graded(result(FAIL, name="a", level=1), criticality=tier)
    assert made.required_level == required
    assert made.distance == required


def test_of_what_bars_the_next_level_the_cheapest_comes_first_then_criticality_and_weight():
    made = graded(
        result(FAIL, name="later", level=3, criticality="blocker", weight=5),
        result(FAIL, name="light", level=2, weight=2, effort="hours"),
        result(FAIL, name="cheap", level=2, weight=3, effort="hours"),
        result(FAIL, name="costly", level=2, weight=3, effort="weeks"),
        result(FAIL, name="blocker", level=2, criticality="blocker", weight=1, effort="weeks"),
    )
    assert [step.checks for step in made.next_steps] == [("cheap",), ("light",), ("blocker",)]
    assert [step.effort for step in made.next_steps] == ["hours", "hours", "weeks"]


def test_the_next_steps_say_what_each_gains_and_what_they_reach_together():
    made = graded(
        result(PASS, name="a", weight=4),
        result(FAIL, name="b", level=2, weight=3, effort="hours"),
        result(FAIL, name="c", level=2, weight=2, effort="days"),
        result(FAIL, name="d", level=3, weight=1, effort="hours"),
    )
    assert made.overall.level == 1
    assert [(step.checks, step.overall_points, step.overall_level) for step in made.next_steps] == [
        (("b",), 30.0, 1),
        (("c",), 20.0, 1),
        (("d",), 10.0, 1),
    ]
    assert (made.reach.level, made.reach.percent) == (3, 100.0)
    assert made.reach.sentence == "These 3 steps together lift the service to L3 and to 100 percent."


def test_steps_that_reach_no_further_level_say_so():
    made = graded(*[result(FAIL, name=name) for name in "abcd"])
    assert made.reach.sentence == (
        "These 3 steps together bring it to 75 percent; it stays at L0: 1 more check bars L1 (d)."
    )
    assert made.reach.barred == Barred(1, ("d",), (), None)
    alone = made.next_steps[0].reach
    assert alone.sentence == (
        "This step alone brings it to 25 percent; it stays at L0: 3 more checks bar L1 (b, c, d)."
    )
    assert (alone.level, alone.barred.checks) == (0, ("b", "c", "d"))
    only = graded(result(FAIL, name="a", criticality="minor"), result(PASS, name="b"))
    assert only.reach.sentence == "This step brings it to 100 percent; it stays at L3."


def test_a_step_that_lifts_the_service_says_what_bars_the_level_after_it():
    made = graded(
        result(FAIL, name="a", level=1),
        result(FAIL, name="c", level=2, axis=Axis.CAPACITY, effort="weeks"),
        result(FAIL, name="b", level=2, effort="weeks"),
        result(PASS, name="d", level=3),
    )
    first, second, _third = made.next_steps
    assert first.checks == ("a",)
    assert first.reach.sentence == (
        "This step alone lifts the service to L1 and to 50 percent; then 2 more checks bar L2 (c, b)."
    )
    assert second.reach.sentence == (
        "This step alone brings it to 50 percent; it stays at L0: 1 more check bars L1 (a)."
    )
    assert made.reach.sentence == "These 3 steps together lift the service to L3 and to 100 percent."
    assert made.reach.barred is None


def test_a_waived_blocker_that_keeps_the_service_from_the_highest_level_is_named():
    made = graded(
        result(Status.WAIVED, name="w", level=2, criticality="blocker"),
        result(FAIL, name="a", level=1),
        result(PASS, name="d", level=3),
        top=4,
    )
    assert made.reach.sentence == (
        "This step lifts the service to L3 and to 100 percent; then a waived blocker keeps it at L3 (w)."
    )
    assert (made.reach.barred.level, made.reach.barred.waived) == (4, ("w",))


def test_a_level_that_an_outage_holds_is_not_lifted_to_what_it_holds():
    until = HeldVerdict("prometheus", NOW, NOW)
    checks = [result(UNKNOWN, name="dark", level=1), result(FAIL, name="a", level=3), result(PASS, name="d", level=2)]
    catalogue = CheckCatalogue({one.check.id: one.check for one in checks}, "v")
    made = grade(subject(), checks, catalogue, {"dark": until})
    assert made.overall.level == 2
    assert [(step.checks, step.reach.level) for step in made.next_steps] == [(("dark",), 2), (("a",), 3)]
    assert made.next_steps[0].reach.sentence == (
        "This step alone brings it to 66.7 percent; it stays at L2: 1 more check bars L3 (a)."
    )


def test_every_source_that_is_dark_is_named_while_they_hold_a_level():
    checks = [result(UNKNOWN, name=name, level=1) for name in "ab"] + [result(PASS, name="d", level=2)]
    catalogue = CheckCatalogue({one.check.id: one.check for one in checks}, "v")
    held = {
        name: HeldVerdict(source, NOW, NOW + timedelta(hours=hours))
        for name, source, hours in (("a", "prometheus", 2), ("b", "argocd", 1))
    }
    frozen = scorecard_form(grade(subject(), checks, catalogue, held), {})["frozen"]
    assert frozen["sources"] == ["argocd", "prometheus"]
    assert frozen["sentence"] == (
        "Frozen until 2026-11-22 13:00 UTC, because the sources argocd, prometheus are dark, argocd since "
        "2026-11-22 12:00 UTC; then the level falls to L0 unless they are back."
    )


def test_checks_unknown_for_one_dead_source_make_one_step_for_the_operators():
    cause = Cause(CauseKind.SOURCE_FAILING, "x", "It is down", "Mend it.", Party.OPERATORS, "prometheus")
    made = graded(
        result(UNKNOWN, name="a", causes=(cause,), remedy=("Mend it.",)),
        result(UNKNOWN, name="b", causes=(cause,), remedy=("Mend it.",)),
        result(FAIL, name="c"),
    )
    first, second = made.next_steps
    assert first.checks == ("a", "b")
    assert first.party is Party.OPERATORS
    assert first.sentence.startswith("Evidence for 2 checks (a, b): ")
    assert second.checks == ("c",)


def test_what_only_time_mends_comes_last():
    few = Cause(CauseKind.TOO_FEW, "x", "Too few", "Wait.", Party.TEAM)
    made = graded(
        result(UNKNOWN, name="a", causes=(few,), remedy=("Wait.",), criticality="blocker"),
        result(FAIL, name="b", level=3),
    )
    assert [step.checks for step in made.next_steps] == [("b",), ("a",)]


def test_a_service_in_good_order_reaches_the_top_and_has_nothing_left_to_do():
    made = grade_service(subject(), view(), catalogue(), NOW)
    assert (made.overall.level, made.overall.percent, made.overall.coverage) == (3, 100.0, 100.0)
    assert made.next_steps == ()
    assert made.distance == 0


keys = st.sets(st.sampled_from(sorted(GOOD)))


@settings(deadline=None)
@given(keys)
def test_removing_evidence_never_makes_a_pass_and_never_raises_a_level(lost):
    before = grade_service(subject(), view(), catalogue(), NOW)
    after = grade_service(subject(), view(observed=readings(without=tuple(lost))), catalogue(), NOW)
    passed = {one.check.id for one in before.results if one.status is PASS}
    assert {one.check.id for one in after.results if one.status is PASS} <= passed
    assert after.overall.level <= before.overall.level
    assert after.overall.percent <= before.overall.percent


@settings(deadline=None)
@given(keys, st.sampled_from(sorted(GOOD)))
def test_no_check_passes_on_a_fact_that_is_missing_stale_or_wrong(spoiled, one):
    observed = readings()
    for key in spoiled:
        observed |= readings({key: GOOD[key]}, age=timedelta(days=30))
    observed |= readings({one: object()})
    made = grade_service(subject(), view(observed=observed), catalogue(), NOW)
    for each in made.results:
        if each.status is PASS:
            assert all(fact.evidence.state == "fresh" for fact in each.facts)
            assert not ({*spoiled, one} & set(each.check.facts))


@settings(deadline=None)
@given(st.sampled_from(sorted({source for source in SOURCE_OF.values() if source != "catalog"})))
def test_a_dead_source_leaves_every_check_on_it_unknown_with_its_name(dead):
    sources = HEALTHY | {
        dead: state(dead, state="failing", failure_kind="timeout", failure_message="no answer in 10 s")
    }
    lost = tuple(key for key, source in SOURCE_OF.items() if source == dead)
    made = grade_service(subject(), view(observed=readings(without=lost), sources=sources), catalogue(), NOW)
    for each in made.results:
        if set(each.check.facts) & set(lost):
            assert each.status in {UNKNOWN, NA}
            if each.status is UNKNOWN:
                assert f"The source {dead} has been failing" in each.sentence


def test_a_cause_of_the_team_is_one_step_and_names_the_other_checks_that_it_helps():
    def lacking(name, fact, **given):
        cause = Cause(
            CauseKind.NOT_OBSERVED, fact, "The source prometheus does not know this service", "Tie it.", Party.TEAM
        )
        return replace(result(UNKNOWN, name=name, **given), causes=(cause,), remedy=(f"Declare {fact}.", "Tie it."))

    made = graded(
        lacking("a", "x", effort="hours"),
        lacking("b", "y"),
        lacking("c", "z", level=2),
        result(FAIL, name="d"),
        result(PASS, name="e", level=2),
    )
    assert [(step.checks, step.also_helps) for step in made.next_steps] == [(("a",), ("b", "c")), (("d",), ())]
    assert made.reach.sentence == (
        "These 2 steps together bring it to 60 percent; it stays at L0: 1 more check bars L1 (b)."
    )
