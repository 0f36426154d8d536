"""What a pass would gain: points, levels, and what else keeps the service where it is."""

from scorecards.checks.definitions import Axis, CheckCatalogue, Status
from scorecards.grading import grade, promise
from scorecards.holding import HeldVerdict
from tests.scorecards.samples import NOW, subject
from tests.scorecards.test_grading import FAIL, PASS, UNKNOWN, graded, result


def test_a_gain_says_points_level_and_what_else_bars_it():
    made = graded(
        result(FAIL, name="a", level=2, weight=3),
        result(FAIL, name="b", level=2, axis=Axis.CAPACITY),
        result(FAIL, name="c", level=3, axis=Axis.CAPACITY),
        result(PASS, name="d", weight=1),
    )
    gain = made.gains["a"]
    assert (gain.axis_points, gain.overall_points) == (75.0, 50.0)
    assert (gain.blocks_level, gain.others_on_axis, gain.others_overall) == (2, 0, 1)
    assert (gain.axis_level, gain.overall_level) == (3, 1)
    assert made.gains["c"].others_on_axis == 1
    assert "d" not in made.gains


def test_the_only_bar_promises_the_level_of_the_service():
    made = graded(result(FAIL, name="a", level=2), result(PASS, name="b"))
    (step,) = made.next_steps
    assert (
        step.sentence
        == "“a” does not hold: a is fail. Mend a. A pass gains 50 points on change and lifts the service to L3."
    )


def test_any_pass_lifts_an_axis_on_which_nothing_passes():
    made = graded(
        result(FAIL, name="a", level=2), result(FAIL, name="b", level=2), result(PASS, name="c", axis=Axis.CAPACITY)
    )
    assert made.axes[Axis.CHANGE].level == 0
    assert promise(made.gains["a"], Axis.CHANGE) == (
        "A pass gains 50 points on change and lifts the axis to L1; 1 other check bars L2 on the same axis."
    )


def test_a_gain_counts_what_an_outage_holds_as_the_levels_do():
    checks = [result(UNKNOWN, name="dark", level=1), result(FAIL, name="a", level=3), result(PASS, name="d", level=2)]
    catalogue = CheckCatalogue({one.check.id: one.check for one in checks}, "v")
    made = grade(subject(), checks, catalogue, {"dark": HeldVerdict("prometheus", NOW, NOW)})
    assert promise(made.gains["a"], Axis.CHANGE) == "A pass gains 33.3 points on change and lifts the service to L3."
    assert promise(made.gains["dark"], Axis.CHANGE) == (
        "A pass gains 33.3 points on change; its source is dark, and for the levels it counts as passed meanwhile."
    )
    without = grade(subject(), checks, catalogue)
    assert promise(without.gains["a"], Axis.CHANGE).endswith("; 1 other check bars L3 on the same axis.")


def test_a_gain_names_a_waived_blocker_that_keeps_the_service_where_it_is():
    made = graded(
        result(Status.WAIVED, name="w", level=2, criticality="blocker", axis=Axis.CAPACITY),
        result(FAIL, name="a", level=4),
        result(PASS, name="d", level=3),
    )
    assert made.overall.level == 3
    assert promise(made.gains["a"], Axis.CHANGE) == (
        "A pass gains 50 points on change and lifts the axis to L4; then only a waived blocker keeps the service at L3."
    )


def test_a_pass_on_an_axis_with_a_waived_blocker_promises_no_level_of_the_axis():
    made = graded(
        result(Status.WAIVED, name="w", level=2, criticality="blocker"),
        result(FAIL, name="a", level=4),
        result(FAIL, name="b", level=4, axis=Axis.CAPACITY),
        result(PASS, name="d", level=3),
    )
    assert promise(made.gains["a"], Axis.CHANGE) == "A pass gains 50 points on change; 1 other check bars L4 elsewhere."


def test_a_promise_counts_what_bars_the_level_on_other_axes_as_well():
    made = graded(
        result(FAIL, name="a", level=2, weight=1),
        result(FAIL, name="b", level=2, weight=1),
        result(FAIL, name="c", level=1, axis=Axis.CAPACITY),
        result(PASS, name="d"),
    )
    assert promise(made.gains["a"], Axis.CHANGE).endswith(
        "points on change; 2 other checks bar L2, 1 of them on the same axis."
    )
