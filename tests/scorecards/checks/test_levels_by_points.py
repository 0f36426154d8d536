"""Levels by points: a share of the weight for each level, and blockers that still bar theirs."""

import pytest
import yaml

from portal_backend.core.errors import InvalidInput
from scorecards.changes import ChangeCause, StatusChange, level_move
from scorecards.checks.catalogue import make_catalogue
from scorecards.checks.definitions import CatalogueFile, CheckCatalogue, Criticality, Status
from scorecards.grading import grade, promise
from tests.scorecards.samples import SPECS, subject
from tests.scorecards.test_grading import FAIL, NA, PASS, UNKNOWN, check, result

SHARES = (0.25, 0.5, 0.75, 0.9)


def graded(*results, shares=SHARES):
    checks = {one.check.id: one.check for one in results}
    checks["top"] = check("top", level=4)
    return grade(subject(), results, CheckCatalogue(checks, "v", shares=shares))


@pytest.mark.parametrize(
    ("statuses", "level"),
    [
        ([PASS, PASS, PASS, PASS], 4),
        ([PASS, PASS, PASS, FAIL], 3),
        ([PASS, PASS, UNKNOWN, FAIL], 2),
        ([FAIL, FAIL, FAIL, PASS], 1),
        ([FAIL, FAIL, FAIL, FAIL], 0),
        ([PASS, PASS, NA, NA], 4),
    ],
)
def test_a_level_asks_for_its_share_of_the_points_and_an_unknown_earns_none(statuses, level):
    made = graded(*[result(status, name=f"c{place}", weight=2) for place, status in enumerate(statuses)])
    assert made.overall.level == level


def test_a_blocker_bars_its_level_whatever_the_points_and_a_major_bars_none():
    rest = [result(PASS, name=f"c{place}", weight=5) for place in range(4)]
    assert graded(result(FAIL, name="b", level=2, criticality="blocker"), *rest).overall.level == 1
    assert graded(result(FAIL, name="b", level=2, criticality="major"), *rest).overall.level == 4


def test_a_step_says_what_its_points_gain():
    made = graded(
        result(PASS, name="a", weight=2), result(FAIL, name="b", weight=1), result(FAIL, name="c", level=4, weight=5)
    )
    assert made.overall.level == 1
    assert promise(made.gains["c"], check("c").axis).endswith("points on change and lifts the service to L3.")
    assert promise(made.gains["b"], check("b").axis) == "A pass gains 12.5 points on change."
    assert [step.checks for step in made.next_steps] == [("c",), ("b",)]
    assert made.reach.sentence == "These 2 steps together lift the service to L4 and to 100 percent."


def test_a_blocker_that_passes_lifts_nothing_while_the_points_are_lacking():
    made = graded(
        result(FAIL, name="b", level=2, weight=1, criticality="blocker"),
        result(PASS, name="a", weight=3),
        result(FAIL, name="c", weight=5),
    )
    assert promise(made.gains["b"], check("b").axis).endswith(
        "nothing bars L2 then, but the service has the points of L1 only."
    )
    assert made.next_steps[0].reach.sentence == (
        "This step alone brings it to 44.4 percent; it stays at L1: L2 asks for 50 percent of the points."
    )


def test_a_level_that_moves_by_points_names_checks_of_every_level():
    change = StatusChange("c", "pass", "fail", ChangeCause.SERVICE, 1, None, 4)
    assert level_move(None, "L3", "L2", False, [change]).checks == ()
    move = level_move(None, "L3", "L2", False, [change], by_points=True)
    assert (move.cause, move.checks) == (ChangeCause.SERVICE, ("c",))


def of_file(text):
    return make_catalogue([CatalogueFile("org.yaml", yaml.safe_load(text))], SPECS)


def test_shares_are_read_from_a_file_and_change_the_version():
    made = of_file("levels_by_points: {L1: 25%, L3: 0.75}")
    assert made.ladder.told() == {"L1": 25, "L2": 25, "L3": 75, "L4": 75}
    assert made.version != of_file("checks: []").version


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("{L2: 80%, L3: 50%}", "org.yaml: levels_by_points: L3 asks for less than the level below it"),
        ("{gold: 80%}", "org.yaml: levels_by_points: names gold; write shares of the points by level: {L1: 25%}"),
        ("{L1: 120}", "org.yaml: levels_by_points: L1: 120 is no share of the points; write 1% to 100%"),
        ("{L1: true}", "org.yaml: levels_by_points: L1: True is no share of the points; write 1% to 100%"),
        ("{}", "org.yaml: levels_by_points: Shorter than minimum length 1."),
    ],
)
def test_a_fault_in_the_shares_is_named(given, fault):
    with pytest.raises(InvalidInput) as caught:
        of_file(f"levels_by_points: {given}")
    assert [str(one) for one in caught.value.faults] == [fault]


def test_of_points_alone_a_waived_blocker_still_caps():
    made = graded(result(Status.WAIVED, name="b", criticality="blocker"), result(PASS, name="a", weight=5))
    assert made.overall.level == 3
    assert Criticality.BLOCKER in {one.check.criticality for one in made.results}
