"""Rules as plain functions over a list of values, made once per catalogue. Pure."""

import operator as builtin
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scorecards.evidence.causes import Spec
from scorecards.evidence.view import Evidence, EvidenceState
from scorecards.rules.operators import OPERATORS, read_operand
from scorecards.rules.tree import Rule

Values = Sequence[Any]
"""The value of each slot; None where it is not known."""
Test = Callable[[Values, datetime], bool | None]
SlotOf = Callable[[str], int]

PLAIN: Mapping[str, Callable[[Any, Any], bool]] = {
    "equal": builtin.eq,
    "notEqual": builtin.ne,
    "lessThan": builtin.lt,
    "lessThanInclusive": builtin.le,
    "greaterThan": builtin.gt,
    "greaterThanInclusive": builtin.ge,
}
"""Operators whose comparison is Python's own: called without a detour."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition of a rule."""

    slots: tuple[int, ...]
    test: Test
    duration: timedelta | None
    """Of a condition on a time: when that much has passed since, it turns."""


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
    slot, operator = slot_of(key), OPERATORS[name]
    if isinstance(value, dict):
        if set(value) != {"fact"}:
            raise _NotPlain
        other = slot_of(value["fact"])
        return Leaf((slot, other), _against_slot(slot, other, operator.compare), None)
    operand = read_operand(operator.operand, specs[key].type, value)
    duration = operand if isinstance(operand, timedelta) else None
    if name in PLAIN:
        return Leaf((slot,), _against_plain(slot, PLAIN[name], operand), duration)
    return Leaf((slot,), _against_value(slot, operator.compare, operand), duration)


def _negation(test: Test) -> Test:
    def negation(values: Values, now: datetime) -> bool | None:
        truth = test(values, now)
        return None if truth is None else not truth

    return negation


def _conjunction(tests: Sequence[Test]) -> Test:
    def conjunction(values: Values, now: datetime) -> bool | None:
        holds: bool | None = True
        for test in tests:
            truth = test(values, now)
            if truth is False:
                return False
            if truth is None:
                holds = None
        return holds

    return conjunction


def _disjunction(tests: Sequence[Test]) -> Test:
    def disjunction(values: Values, now: datetime) -> bool | None:
        holds: bool | None = False
        for test in tests:
            truth = test(values, now)
            if truth:
                return True
            if truth is None:
                holds = None
        return holds

    return disjunction


def _against_plain(slot: int, compare: Callable[[Any, Any], bool], operand: Any) -> Test:
    def comparison(values: Values, _now: datetime) -> bool | None:
        value = values[slot]
        return None if value is None else compare(value, operand)

    return comparison


def _against_value(slot: int, compare: Callable[[Any, Any, datetime], bool | None], operand: Any) -> Test:
    def comparison(values: Values, now: datetime) -> bool | None:
        value = values[slot]
        return None if value is None else compare(value, operand, now)

    return comparison


def _against_slot(slot: int, other: int, compare: Callable[[Any, Any, datetime], bool | None]) -> Test:
    def comparison(values: Values, now: datetime) -> bool | None:
        value, operand = values[slot], values[other]
        return None if value is None or operand is None else compare(value, operand, now)

    return comparison


def _by_the_rule(rule: Rule, specs: Mapping[str, Spec], slots: tuple[int, ...]) -> Compiled:
    """Ask the rule as it explains itself. One leaf stands for all: it is out of range when the rule has no answer."""
    places = dict(zip(rule.facts, slots, strict=True))

    def test(values: Values, now: datetime) -> bool | None:
        def lookup(key: str) -> Evidence:
            value = values[places[key]]
            state = EvidenceState.MISSING if value is None else EvidenceState.FRESH
            return Evidence(key, state, specs[key].unit, value)

        return rule.evaluate(lookup, now)[0]

    return Compiled(test, slots, (Leaf(slots, test, None),))
