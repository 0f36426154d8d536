"""Rules in json-rules-engine's own form, bare and with what each condition saw. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scorecards.evidence.causes import Spec
from scorecards.evidence.values import Typed, typed
from scorecards.rules.operators import OPERATORS, Operator, read_operand, read_shift, shifted

PRIORITY = 1
"""json-rules-engine gives each group one; ours have no order."""

Node = dict[str, Any]


def rooted(tree: Mapping[str, Any] | None) -> Node:
    """Return a rule as json-rules-engine wants it: with a group at the root. Without a rule no condition stands in it.

    A check that people attest has no rule.
    """
    if tree is None:
        return {"all": []}
    return dict(tree) if tree.keys() & {"all", "any", "not"} else {"all": [dict(tree)]}


@dataclass(frozen=True)
class Seen:
    """What conditions look at: the facts that may be judged by, in their JSON form, and the time."""

    values: Mapping[str, Any]
    now: datetime


Annotate = Callable[[Seen], Node]
"""Returns the rule with the value that each condition saw, the one it was compared with, and the outcome."""


def annotator(root: Node, specs: Mapping[str, Spec]) -> Annotate:
    """Return what annotates a rooted rule; the outcome of a condition is null where one of its facts is not known."""
    for word in ("all", "any"):
        if word in root:
            inner = [annotator(node, specs) for node in root[word]]
            return lambda seen: {"priority": PRIORITY, word: [annotate(seen) for annotate in inner]}
    if "not" in root:
        negated = annotator(root["not"], specs)
        return lambda seen: {"priority": PRIORITY, "not": negated(seen)}
    return _against_fact(root, specs) if isinstance(root["value"], dict) else _against_value(root, specs)


def _against_value(leaf: Node, specs: Mapping[str, Spec]) -> Annotate:
    kind, operator = specs[leaf["fact"]].type, OPERATORS[leaf["operator"]]
    operand = read_operand(operator.operand, kind, leaf["value"])
    fact, shown = leaf["fact"], leaf["value"]

    def annotate(seen: Seen) -> Node:
        value = seen.values.get(fact)
        result = _outcome(operator, kind, value, operand, seen.now)
        return {**leaf, "factResult": value, "valueResult": shown, "result": result}

    return annotate


def _against_fact(leaf: Node, specs: Mapping[str, Spec]) -> Annotate:
    fact, other, operator = leaf["fact"], leaf["value"]["fact"], OPERATORS[leaf["operator"]]
    kind, other_kind = specs[fact].type, specs[other].type
    times, plus = leaf["value"].get("times", 1), leaf["value"].get("plus")
    more = None if plus is None else read_shift(kind, plus)

    def annotate(seen: Seen) -> Node:
        value, compared = seen.values.get(fact), seen.values.get(other)
        operand = _typed(other_kind, compared)
        operand = None if operand is None else shifted(operand, times, more)
        result = _outcome(operator, kind, value, operand, seen.now)
        return {**leaf, "factResult": value, "valueResult": compared, "result": result}

    return annotate


def _outcome(operator: Operator, kind: str, value: Any, operand: Any, now: datetime) -> bool | None:
    typed_value = _typed(kind, value)
    return None if typed_value is None or operand is None else operator.compare(typed_value, operand, now)


def _typed(kind: str, value: Any) -> Typed | None:
    """Return a value as operators see it; None when there is none, or it is none of the kind."""
    try:
        return None if value is None else typed(kind, value)
    except ValueError:
        return None
