"""Rules written as text: the tree that they stand for, and what is said of one that cannot be read."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.contract import FactSpec, FactType
from scorecards.rules.lexer import BadRuleText
from scorecards.rules.text import parse_rule
from scorecards.rules.tree import MAX_NODES, Compiler

SPECS = {
    spec.key: spec
    for spec in (
        FactSpec("deploys.cfr", FactType.NUMBER, "ratio", "", timedelta(days=1)),
        FactSpec("deploys.count", FactType.INTEGER, "count", "", timedelta(days=1)),
        FactSpec("deploys.canary", FactType.BOOLEAN, "", "", timedelta(days=1)),
        FactSpec("latency.p99", FactType.NUMBER, "seconds", "", timedelta(days=1)),
        FactSpec("mem.limit", FactType.NUMBER, "bytes", "", timedelta(days=1)),
        FactSpec("slo.target", FactType.NUMBER, "ratio", "", timedelta(days=1)),
        FactSpec("docs.at", FactType.DATETIME, "", "", timedelta(days=1)),
        FactSpec("repo.branch", FactType.STRING, "", "", timedelta(days=1)),
        FactSpec("tags.all", FactType.SET, "", "", timedelta(days=1)),
    )
}


def parsed(text, word="fact"):
    return parse_rule(text, lambda key: key in SPECS, word)


def leaf(fact, operator, value):
    return {"fact": fact, "operator": operator, "value": value}


CFR = leaf("deploys.cfr", "lessThanInclusive", "15%")
CANARY = leaf("deploys.canary", "equal", True)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("deploys.cfr <= 15%", CFR),
        ("deploys.cfr ≤ 15 %", CFR),
        ("15% >= deploys.cfr", CFR),
        ("deploys.canary", CANARY),
        ("deploys.canary == TRUE", CANARY),
        ("not deploys.canary", {"not": CANARY}),
        ("! deploys.canary", {"not": CANARY}),
        ("deploys.cfr <= 15% and deploys.canary", {"all": [CFR, CANARY]}),
        ("deploys.cfr <= 15% && deploys.canary", {"all": [CFR, CANARY]}),
        ("deploys.cfr <= 15% OR NOT deploys.canary", {"any": [CFR, {"not": CANARY}]}),
        (
            "deploys.canary or deploys.canary and deploys.cfr <= 15%",
            {"any": [CANARY, {"all": [CANARY, CFR]}]},
        ),
        (
            "(deploys.canary or deploys.canary) and not (deploys.cfr <= 15%)",
            {"all": [{"any": [CANARY, CANARY]}, {"not": CFR}]},
        ),
        ("deploys.cfr >= slo.target", leaf("deploys.cfr", "greaterThanInclusive", {"fact": "slo.target"})),
        (
            "deploys.cfr >= 1.5 * slo.target",
            leaf("deploys.cfr", "greaterThanInclusive", {"fact": "slo.target", "times": 1.5}),
        ),
        ("deploys.cfr < slo.target * 2", leaf("deploys.cfr", "lessThan", {"fact": "slo.target", "times": 2})),
        ("deploys.cfr <= $most", leaf("deploys.cfr", "lessThanInclusive", {"threshold": "most"})),
        ("docs.at younger than 180 days", leaf("docs.at", "youngerThan", "180d")),
        ("docs.at is older than 4w", leaf("docs.at", "olderThan", "4w")),
        ("age(docs.at) <= 365d", leaf("docs.at", "youngerThan", "365d")),
        ("age(docs.at) > 12h", leaf("docs.at", "olderThan", "12h")),
        ("docs.at >= 2026-01-01", leaf("docs.at", "greaterThanInclusive", "2026-01-01T00:00:00Z")),
        ('repo.branch == "main"', leaf("repo.branch", "equal", "main")),
        ("repo.branch is main", leaf("repo.branch", "equal", "main")),
        ("repo.branch is not 'main'", leaf("repo.branch", "notEqual", "main")),
        ("repo.branch != main", leaf("repo.branch", "notEqual", "main")),
        ("repo.branch in [main, 'trunk']", leaf("repo.branch", "in", ["main", "trunk"])),
        ("repo.branch not in (main)", leaf("repo.branch", "notIn", ["main"])),
        ("repo.branch matches 'release/*'", leaf("repo.branch", "matches", "release/*")),
        ("repo.branch at least version 2.3.0", leaf("repo.branch", "versionAtLeast", "2.3.0")),
        ("repo.branch is below version 17", leaf("repo.branch", "versionBelow", "17")),
        ("repo.branch starts with release", leaf("repo.branch", "startsWith", "release")),
        ("tags.all contains deploys.canary", leaf("tags.all", "contains", "deploys.canary")),
        ("tags.all does not contain pci", leaf("tags.all", "doesNotContain", "pci")),
        ("tags.all subset of [a, b]", leaf("tags.all", "subsetOf", ["a", "b"])),
        ("tags.all is empty", leaf("tags.all", "isEmpty", True)),
        ("tags.all is not empty", leaf("tags.all", "isEmpty", False)),
        ("tags.all has at least 2", leaf("tags.all", "hasAtLeast", 2)),
        (
            "tags.all contains any of [a, b]",
            {"any": [leaf("tags.all", "contains", "a"), leaf("tags.all", "contains", "b")]},
        ),
        (
            "deploys.count between 1 and 5 and deploys.canary",
            {
                "all": [
                    {
                        "all": [
                            leaf("deploys.count", "greaterThanInclusive", 1),
                            leaf("deploys.count", "lessThanInclusive", 5),
                        ]
                    },
                    CANARY,
                ]
            },
        ),
        ("deploys.count > -3", leaf("deploys.count", "greaterThan", -3)),
    ],
)
def test_a_text_stands_for_a_tree(text, tree):
    assert parsed(text) == tree
    compiler = Compiler(SPECS, thresholds={"most": 0.15})
    assert compiler.compile(text, "rule"), compiler.faults


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("deploys.cfr <=", 15, "expected a value, not the end"),
        ("deploys.cfr <= and", 16, "expected a value, not `and`"),
        ("(deploys.canary", 16, "a bracket is not closed"),
        ("deploys.canary deploys.canary", 16, "expected `and`, `or` or the end"),
        ("deploys.cfr <= slo.tragte", 16, "is not a fact that anything declares"),
        ("", 1, "expected a value, not the end"),
        ("and", 1, "expected the name of a fact"),
        ("deploys.cfr ~ 3", 13, "means nothing in a rule"),
        ("age(docs.at) == 3d", 14, "an age is compared with"),
        ("deploys.count between 1", 24, "`between` takes two values"),
        ("repo.branch in main", 16, "expected a list"),
        ("repo.branch in [main", 21, "the list is not closed"),
        ('repo.branch == "main', 16, "means nothing in a rule"),
        ("3 and deploys.canary", 3, "a comparison such as"),
    ],
)
def test_a_text_that_cannot_be_read_says_where_and_what_to_do(text, position, words):
    with pytest.raises(BadRuleText, match="at character") as caught:
        parsed(text)
    assert caught.value.position == position
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("deploys.cfr <= 15%", 0.15),
        ("deploys.cfr <= 0.15", 0.15),
        ("latency.p99 < 300ms", 0.3),
        ("latency.p99 < 2 min", 120.0),
        ("mem.limit >= 10GiB", 10 * 2**30),
    ],
)
def test_a_quantity_is_read_in_the_unit_of_its_fact(text, value):
    rule = Compiler(SPECS).compile(text, "rule")
    assert rule is not None
    assert rule.tree["value"] == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("deploys.count <= 15%", "does not fit the unit count"),
        ("latency.p99 < 15%", "does not fit the unit seconds; expected a number with one of ms"),
        ("mem.limit < 3d", "expected a number with one of B"),
        ("deploys.canary > 3", "greaterThan does not fit deploys.canary, a boolean"),
        ("docs.at == $gone", "'gone' is no threshold of this check; it has none"),
        ("repo.branch exists", "asked of fields of the catalog's entity only"),
        ("repo.branch * 2 == 3", "expected `and`, `or` or the end"),
        ("repo.branch == 2 * repo.branch", "a number can be multiplied"),
        ("repo.branch matches '**********'", "more than 5 stars"),
    ],
)
def test_types_and_units_are_checked_when_a_text_is_loaded(text, words):
    compiler = Compiler(SPECS)
    assert compiler.compile(text, "rule") is None
    assert words in " ".join(fault.message for fault in compiler.faults)


def test_texts_too_long_too_deep_or_of_too_many_conditions_are_refused():
    for text in (
        "deploys.canary and " * 400 + "deploys.canary",
        "(" * 100 + "deploys.canary" + ")" * 100,
        "not " * 100 + "deploys.canary",
        " and ".join(["deploys.canary"] * MAX_NODES),
        "repo.branch in [" + "x, " * 200 + "x]",
    ):
        compiler = Compiler(SPECS)
        assert compiler.compile(text, "rule") is None
        assert compiler.faults


@given(st.text(alphabet="ab.()[]<>=!$%\"' andornt0123456789d,*", max_size=60))
def test_no_text_does_anything_but_give_a_tree_or_a_fault(text):
    compiler = Compiler(SPECS)
    assert (compiler.compile(text, "rule") is None) == bool(compiler.faults)
