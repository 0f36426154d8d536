"""What an expression of Cortex says is said whole, or not at all: nothing of it is dropped, nothing turned round."""

import pytest

from scorecards.importing.cql import translate
from scorecards.importing.cql_conditions import Untranslatable
from tests.scorecards.importing.test_products import leaf


@pytest.mark.parametrize(
    ("expression", "tree"),
    [
        ('jq(custom("x"), "not") == true', leaf("custom.x", "equal", False)),
        ('jq(custom("x"), "not") != true', leaf("custom.x", "notEqual", False)),
        ('sonar.freshness() < duration("P1DT12H")', leaf("cortex.sonar", "youngerThan", "36h")),
        ('sonar.freshness() < duration("PT1H30M")', leaf("cortex.sonar", "youngerThan", "90m")),
        ('custom("x").matches("a.*")', leaf("custom.x", "matchesRegex", "^(?:a.*)$")),
        ('not custom("x").matchesIn("secret")', {"not": leaf("custom.x", "matchesRegex", "secret")}),
        ('git.tags().all((t) => t.name.matches("v1"))', leaf("git.tags.name", "everyFact:matchesRegex", "^(?:v1)$")),
        ('git.tags().any((t) => t.name.matchesIn("v1"))', leaf("git.tags.name", "someFact:matchesRegex", "v1")),
        ("git.slos().all((s) => s.budget.get(1) > 0)", leaf("git.slos.budget.get.1.min", "greaterThan", 0)),
        ('git.x().average(duration("P1M")) > 5', leaf("git.x.average.P1M", "greaterThan", 5)),
        ('git.pulls.count(lookback = duration("P7D")) >= 2', leaf("git.pulls.P7D", "hasAtLeast", 2)),
        ("git.branches(true) == 5", leaf("git.branches.true", "equal", 5)),
    ],
)
def test_arguments_parts_of_durations_and_negations_count(expression, tree):
    assert translate(expression).tree == tree


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ('custom("a") * 2 > custom("b")', "only what stands on the right may be multiplied"),
        ('git.pulls().length * 2 > 5', "neither multiplied nor added to"),
        ('jq(custom("x"), "not") in [true]', "stand beside `in`"),
        ('jq(custom("x"), "not") > 5', "turned round is compared with true or false"),
        ('snyk.issues().filter((i) => i.severity == "high") == null', "only what is read itself"),
        ('git.pulls().length != null', "only what is read itself"),
        ('custom("d").until() > duration("P30D")', "a duration is compared with an age"),
        ('custom("a").contains(custom("b"))', "takes one text, as it is written"),
        ('git.fileExists(custom("path"))', "a file is asked for by its path"),
    ],
)  # fmt: skip
def test_what_would_lose_something_is_not_said(expression, why):
    with pytest.raises(Untranslatable, match=why.replace("`", ".")):
        translate(expression)
