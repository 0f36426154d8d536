"""The rule tree: Kleene's logic with unknowns, and faults that are named instead of raised."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.contract import FactSpec, FactType
from scorecards.evidence.values import READERS
from scorecards.evidence.view import Evidence, EvidenceState
from scorecards.rules.operators import OPERATORS, parse_duration
from scorecards.rules.tree import MAX_DEPTH, MAX_NODES, Compiler

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SPECS = {
    key: FactSpec(key, kind, "", "", timedelta(days=1))
    for key, kind in {
        "flag": FactType.BOOLEAN,
        "count": FactType.INTEGER,
        "other.count": FactType.INTEGER,
        "ratio": FactType.NUMBER,
        "word": FactType.STRING,
        "tier": FactType.STRING,
        "at": FactType.DATETIME,
        "names": FactType.SET,
        "more": FactType.SET,
    }.items()
}

# hypothesis takes its bounds without a zone.
BOUNDS = (datetime(2000, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001
moments = st.datetimes(*BOUNDS, timezones=st.just(UTC))
words = st.text(max_size=5)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": st.integers(-5, 5),
    "number": st.floats(-2, 2),
    "string": st.one_of(words, st.sampled_from(["T0", "T1", "T2", "T3"])),
    "datetime": moments,
    "set": st.lists(st.sampled_from("abcd"), unique=True).map(sorted).map(tuple),
}


def compiled(tree: Any):
    compiler = Compiler(SPECS)
    rule = compiler.compile(tree, "rule")
    assert compiler.faults == []
    assert rule is not None
    return rule


def known(**facts: Any):
    given = {key.replace("__", "."): value for key, value in facts.items()}

    def lookup(key: str) -> Evidence:
        if given.get(key) is None:
            return Evidence(key, EvidenceState.MISSING)
        return Evidence(key, EvidenceState.FRESH, value=given[key])

    return lookup


def truth(tree: Any, **facts: Any) -> bool | None:
    return compiled(tree).evaluate(known(**facts), NOW)[0]


def leaf(fact: str, operator: str, value: Any) -> dict[str, Any]:
    return {"fact": fact, "operator": operator, "value": value}


@st.composite
def leaves(draw):
    key = draw(st.sampled_from(sorted(SPECS)))
    kind = SPECS[key].type
    name = draw(st.sampled_from([name for name, operator in OPERATORS.items() if kind in operator.types]))
    operand = OPERATORS[name].operand.name
    plain = VALUES[kind] if kind != "datetime" else moments.map(lambda at: at.isoformat())
    value = {
        "SAME": plain,
        "LIST": st.lists(plain, min_size=1, max_size=3),
        "MEMBER": st.sampled_from("abcd"),
        "SET": st.lists(st.sampled_from("abcd")),
        "FLAG": st.booleans(),
        "COUNT": st.integers(0, 4),
        "VERSION": st.sampled_from(["1", "2.3.0", "v17"]),
        "PATTERN": st.sampled_from(["a*", "?", "*b*"]),
        "REGEX": st.sampled_from(["^a", "b|c", "[a-c]+$"]),
        "TEXTS": st.lists(st.sampled_from("abcd"), min_size=1, max_size=3),
        "DURATION": st.sampled_from(["1d", "180d", "30m", "9999w"]),
    }[operand]
    return leaf(key, name, draw(value))


trees = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda nodes: {"all": nodes}),
        st.lists(inner, min_size=1, max_size=3).map(lambda nodes: {"any": nodes}),
        inner.map(lambda node: {"not": node}),
    ),
    max_leaves=6,
)
facts = st.fixed_dictionaries({key: st.one_of(st.none(), VALUES[spec.type]) for key, spec in SPECS.items()})


def judge(tree, values):
    compiler = Compiler(SPECS)
    rule = compiler.compile(tree, "rule")
    if rule is None:
        assert compiler.faults
        return None
    return rule.evaluate(known(**{key.replace(".", "__"): value for key, value in values.items()}), NOW)[0]


@given(trees, facts)
def test_a_tree_never_raises_and_twice_not_is_the_same(tree, values):
    assert judge(tree, values) is judge({"not": {"not": tree}}, values)


@given(trees, trees, facts)
def test_de_morgan_holds_with_unknowns(left, right, values):
    assert judge({"not": {"all": [left, right]}}, values) is judge({"any": [{"not": left}, {"not": right}]}, values)
    assert judge({"not": {"any": [left, right]}}, values) is judge({"all": [{"not": left}, {"not": right}]}, values)


@given(trees, trees, facts)
def test_the_order_of_conditions_does_not_matter(left, right, values):
    assert judge({"all": [left, right]}, values) is judge({"all": [right, left]}, values)
    assert judge({"any": [left, right]}, values) is judge({"any": [right, left]}, values)


@given(trees, facts, st.sampled_from(sorted(SPECS)))
def test_losing_a_fact_never_turns_a_verdict_into_another_only_into_unknown(tree, values, lost):
    assert judge(tree, values | {lost: None}) in {None, judge(tree, values)}


@given(trees)
def test_without_any_fact_nothing_is_known(tree):
    assert judge(tree, {}) is None


@given(st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), words), lambda x: st.one_of(
    st.lists(x, max_size=3), st.dictionaries(st.sampled_from(["all", "any", "not", "fact", "operator", "value", 3]), x)
), max_leaves=10))  # fmt: skip
def test_any_rubbish_for_a_tree_is_a_named_fault(rubbish):
    compiler = Compiler(SPECS)
    rule = compiler.compile(rubbish, "rule")
    assert (rule is None) is bool(compiler.faults)
    assert all(fault.path.startswith("rule") for fault in compiler.faults)


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        (leaf("flag", "equal", True), {"flag": True}, True),
        (leaf("flag", "notEqual", True), {"flag": True}, False),
        (leaf("count", "lessThan", 3), {"count": 3}, False),
        (leaf("count", "lessThanInclusive", 3), {"count": 3}, True),
        (leaf("count", "greaterThan", 3), {"count": 3}, False),
        (leaf("count", "greaterThanInclusive", 2.5), {"count": 3}, True),
        (leaf("ratio", "equal", 1), {"ratio": 1.0}, True),
        (leaf("word", "in", ["a", "b"]), {"word": "b"}, True),
        (leaf("word", "notIn", ["a", "b"]), {"word": "b"}, False),
        (leaf("names", "contains", "a"), {"names": ("a", "b")}, True),
        (leaf("names", "doesNotContain", "a"), {"names": ("a", "b")}, False),
        (leaf("names", "subsetOf", ["a", "b", "c"]), {"names": ("a", "b")}, True),
        (leaf("names", "subsetOf", {"fact": "more"}), {"names": ("a",), "more": ("b",)}, False),
        (leaf("names", "subsetOf", {"fact": "more"}), {"names": ("a",)}, None),
        (leaf("names", "isEmpty", True), {"names": ()}, True),
        (leaf("names", "isEmpty", False), {"names": ()}, False),
        (leaf("at", "youngerThan", "1d"), {"at": NOW - timedelta(days=1)}, True),
        (leaf("at", "youngerThan", "1d"), {"at": NOW - timedelta(days=1, seconds=1)}, False),
        (leaf("at", "olderThan", "1d"), {"at": NOW - timedelta(days=1, seconds=1)}, True),
        (leaf("at", "youngerThan", "1d"), {"at": NOW + timedelta(days=2)}, None),
        (leaf("at", "lessThan", "2026-01-01T00:00:00Z"), {"at": NOW}, False),
        (leaf("count", "equal", {"fact": "other.count"}), {"count": 2, "other__count": 2}, True),
        (leaf("tier", "atLeastAsCriticalAs", "T1"), {"tier": "T0"}, True),
        (leaf("tier", "atLeastAsCriticalAs", "T1"), {"tier": "T2"}, False),
        (leaf("tier", "atLeastAsCriticalAs", "T1"), {"tier": "gold"}, None),
    ],
)
def test_operators_compare_as_their_names_say(condition, values, expected):
    assert truth(condition, **values) is expected


def test_unknown_decides_nothing_that_the_others_decide_alone():
    yes, no = leaf("flag", "equal", True), leaf("flag", "equal", False)
    unknown = leaf("count", "equal", 1)
    assert truth({"all": [unknown, no]}, flag=True) is False
    assert truth({"all": [unknown, yes]}, flag=True) is None
    assert truth({"any": [unknown, yes]}, flag=True) is True
    assert truth({"any": [unknown, no]}, flag=True) is None
    assert truth({"not": unknown}) is None


def test_every_leaf_is_seen_even_when_the_first_decides():
    tree = {"all": [leaf("flag", "equal", True), leaf("count", "equal", 1)]}
    _, seen = compiled(tree).evaluate(known(flag=False, count=1), NOW)
    assert [(one.fact, one.truth) for one in seen] == [("flag", False), ("count", True)]


def test_a_subset_that_is_none_names_what_is_missing():
    tree = leaf("names", "subsetOf", {"fact": "more"})
    _, (seen,) = compiled(tree).evaluate(known(names=("a", "b", "c"), more=("b",)), NOW)
    assert seen.missing == ("a", "c")


def test_a_duration_says_when_time_alone_turns_it():
    _, (seen,) = compiled(leaf("at", "youngerThan", "180d")).evaluate(known(at=NOW - timedelta(days=100)), NOW)
    assert seen.changes_at == NOW + timedelta(days=80)


@pytest.mark.parametrize(
    ("tree", "path", "words"),
    [
        ({"fact": "nope", "operator": "equal", "value": 1}, "rule.fact", "not a fact that anything declares"),
        (leaf("count", "bigger", 1), "rule.operator", "no operator"),
        (leaf("flag", "lessThan", True), "rule.operator", "does not fit flag, a boolean"),
        (leaf("count", "equal", True), "rule.value", "true or false, not a number"),
        (leaf("flag", "equal", 1), "rule.value", "not true or false"),
        (leaf("ratio", "equal", float("nan")), "rule.value", "not a finite number"),
        (leaf("word", "in", []), "rule.value", "not a list with members"),
        (leaf("word", "in", ["x"] * 101), "rule.value", "more than 100 members"),
        (leaf("at", "youngerThan", "soon"), "rule.value", "a duration such as 180d"),
        (leaf("count", "equal", {"fact": "word"}), "rule.value", "they cannot be compared"),
        (leaf("word", "in", {"fact": "word"}), "rule.value", "expected a list"),
        ({"all": []}, "rule.all", "at least one condition"),
        ({"all": [leaf("flag", "equal", True)], "any": []}, "rule", "must stand alone"),
        ({"any": [leaf("flag", "equal", True), {"fact": "flag"}]}, "rule.any[1]", "has exactly"),
        (3, "rule", "must be a condition"),
        ("all", "rule.fact", "not a fact that anything declares"),
    ],
)
def test_a_bad_tree_is_refused_with_the_place_of_the_fault(tree, path, words):
    compiler = Compiler(SPECS)
    assert compiler.compile(tree, "rule") is None
    assert path in [fault.path for fault in compiler.faults]
    assert words in " ".join(fault.message for fault in compiler.faults)


def test_trees_too_deep_or_too_large_are_refused():
    tree: Any = leaf("flag", "equal", True)
    for _ in range(MAX_DEPTH):
        tree = {"not": tree}
    deep = Compiler(SPECS)
    assert deep.compile(tree, "rule") is None
    assert "nested deeper" in deep.faults[0].message
    large = Compiler(SPECS)
    assert large.compile({"all": [leaf("flag", "equal", True)] * MAX_NODES}, "rule") is None
    assert "more than" in large.faults[0].message


def test_durations_are_read_in_minutes_hours_days_and_weeks():
    assert parse_duration("180d") == timedelta(days=180)
    assert parse_duration("4w") == timedelta(weeks=4)
    for wrong in ("0d", "1y", "d", 5, None, "1.5h", "99999d"):
        with pytest.raises(ValueError, match="a duration such as"):
            parse_duration(wrong)


def test_every_type_of_fact_has_a_reader():
    assert set(READERS) == {kind.value for kind in FactType}
