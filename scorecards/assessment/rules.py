"""Rules as plain functions over columns of values, made once per catalogue. Pure.

A column holds one fact of many services. Going down a column with one condition costs a tenth of asking each service
about each condition in turn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scorecards.evidence.causes import Spec
from scorecards.evidence.view import Evidence, EvidenceState
from scorecards.rules.operators import ANY, MOST_AHEAD, OPERATORS, Operator, read_operand, read_shift, shifted
from scorecards.rules.tree import Rule

Column = Sequence[Any]
"""A fact of each service; None where it is not known."""
Truths = Sequence[bool | None]
Test = Callable[[Sequence[Column], datetime], Truths]
"""Asks all services: takes the columns by slot."""
SlotOf = Callable[[str], int]

PLAIN: Mapping[str, Callable[[Column, Any], Truths]] = {
    "equal": lambda column, operand: [None if value is None else value == operand for value in column],
    "notEqual": lambda column, operand: [None if value is None else value != operand for value in column],
    "lessThan": lambda column, operand: [None if value is None else value < operand for value in column],
    "lessThanInclusive": lambda column, operand: [None if value is None else value <= operand for value in column],
    "greaterThan": lambda column, operand: [None if value is None else value > operand for value in column],
    "greaterThanInclusive": lambda column, operand: [None if value is None else value >= operand for value in column],
    "contains": lambda column, operand: [None if value is None else operand in value for value in column],
    "doesNotContain": lambda column, operand: [None if value is None else operand not in value for value in column],
}
"""Operators whose comparison is Python's own: written out, without a call for each value."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition of a rule."""

    slots: tuple[int, ...]
    test: Test
    duration: timedelta | None
    """Of a condition on a time: when that much has passed since, it turns."""

    def test_one(self, values: Sequence[Any], now: datetime) -> bool | None:
        """Ask one service: takes its values by slot."""
        return self.test([(value,) for value in values], now)[0]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule as a function."""

    test: Test
    slots: tuple[int, ...]
    leaves: tuple[Leaf, ...]


class _NotPlain(Exception):
    """The tree holds something that this module does not know."""


def compile_rule(rule: Rule, specs: Mapping[str, Spec], slot_of: SlotOf) -> Compiled:
    """Return a rule as a function; what is not known here is left to the rule itself, which is slower."""
    slots = tuple(slot_of(key) for key in rule.facts)
    leaves: list[Leaf] = []
    try:
        return Compiled(_node(rule.tree, specs, slot_of, leaves), slots, tuple(leaves))
    except (_NotPlain, ValueError, KeyError, TypeError, AttributeError):
        return _by_the_rule(rule, specs, slots)


def _node(tree: Mapping[str, Any], specs: Mapping[str, Spec], slot_of: SlotOf, leaves: list[Leaf]) -> Test:
    if "not" in tree:
        return _negation(_node(tree["not"], specs, slot_of, leaves))
    for word, join in (("all", _conjunction), ("any", _disjunction)):
        if word in tree:
            tests = [_node(node, specs, slot_of, leaves) for node in tree[word]]
            return tests[0] if len(tests) == 1 else join(tests)
    leaf = _leaf(tree, specs, slot_of)
    leaves.append(leaf)
    return leaf.test


def _leaf(tree: Mapping[str, Any], specs: Mapping[str, Spec], slot_of: SlotOf) -> Leaf:
    if set(tree) != {"fact", "operator", "value"}:
        raise _NotPlain
    key, name, value = tree["fact"], tree["operator"], tree["value"]
    if specs[key].type == ANY:  # what stands in an entity is read with care
        raise _NotPlain
    slot, operator = slot_of(key), OPERATORS[name]
    if isinstance(value, dict):
        other = slot_of(value["fact"])
        plus = read_shift(specs[key].type, value["plus"]) if "plus" in value else None
        return Leaf((slot, other), _against_slot(slot, other, operator, (value.get("times", 1), plus)), None)
    operand = read_operand(operator.operand, specs[key].type, value)
    if name == "isAhead":
        return Leaf((slot,), _against_value(slot, operator, operand), -operand)
    if isinstance(operand, timedelta):
        return Leaf((slot,), _against_age(slot, operand, younger=name == "youngerThan"), operand)
    if name in PLAIN:
        return Leaf((slot,), _against_plain(slot, PLAIN[name], operand), None)
    return Leaf((slot,), _against_value(slot, operator, operand), None)


def _negation(test: Test) -> Test:
    return lambda columns, now: [None if truth is None else not truth for truth in test(columns, now)]


def _conjunction(tests: Sequence[Test]) -> Test:
    def conjunction(columns: Sequence[Column], now: datetime) -> Truths:
        rows = zip(*[test(columns, now) for test in tests], strict=True)
        return [False if False in row else None if None in row else True for row in rows]

    return conjunction


def _disjunction(tests: Sequence[Test]) -> Test:
    def disjunction(columns: Sequence[Column], now: datetime) -> Truths:
        rows = zip(*[test(columns, now) for test in tests], strict=True)
        return [True if True in row else None if None in row else False for row in rows]

    return disjunction


def _against_plain(slot: int, compare: Callable[[Column, Any], Truths], operand: Any) -> Test:
    return lambda columns, _now: compare(columns[slot], operand)


def _against_age(slot: int, allowed: timedelta, younger: bool) -> Test:
    """As the operators have it, with what is the same for every service reckoned once."""

    def comparison(columns: Sequence[Column], now: datetime) -> Truths:
        oldest, latest = now - allowed, now + MOST_AHEAD
        return [None if value is None or value > latest else (value >= oldest) is younger for value in columns[slot]]

    return comparison


def _against_value(slot: int, operator: Operator, operand: Any) -> Test:
    compare = operator.compare
    return lambda columns, now: [None if value is None else compare(value, operand, now) for value in columns[slot]]


def _against_slot(
    slot: int, other: int, operator: Operator, shift: tuple[float, float | timedelta | None] = (1, None)
) -> Test:
    compare = operator.compare

    def comparison(columns: Sequence[Column], now: datetime) -> Truths:
        operands = columns[other]
        if shift != (1, None):
            operands = [None if operand is None else shifted(operand, *shift) for operand in operands]
        pairs = zip(columns[slot], operands, strict=True)
        return [None if value is None or operand is None else compare(value, operand, now) for value, operand in pairs]

    return comparison


def _by_the_rule(rule: Rule, specs: Mapping[str, Spec], slots: tuple[int, ...]) -> Compiled:
    """Ask the rule as it explains itself. One leaf stands for all: it is out of range when the rule has no answer."""
    places = {key: place for place, key in enumerate(rule.facts)}

    def ask(row: Sequence[Any], now: datetime) -> bool | None:
        def lookup(key: str) -> Evidence:
            value = row[places[key]]
            state = EvidenceState.MISSING if value is None else EvidenceState.FRESH
            return Evidence(key, state, specs[key].unit, value)

        return rule.evaluate(lookup, now)[0]

    def test(columns: Sequence[Column], now: datetime) -> Truths:
        return [ask(row, now) for row in zip(*[columns[slot] for slot in slots], strict=True)]

    return Compiled(test, slots, (Leaf(slots, test, None),))
