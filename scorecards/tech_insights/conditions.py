"""Rules in json-rules-engine's own form, bare and with what each condition saw. Pure.

Of an annotated rule, what is the same for every service is written once, and the rest put between.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from scorecards.evidence.causes import Spec
from scorecards.evidence.values import Typed, typed
from scorecards.rules.operators import OPERATORS, Operator, read_operand, read_shift, shifted

PRIORITY = 1
"""json-rules-engine gives each group one; ours have no order."""

OUTCOMES: Mapping[bool | None, bytes] = {True: b"true}", False: b"false}", None: b"null}"}

Node = dict[str, Any]


def rooted(tree: Mapping[str, Any] | None) -> Node:
    """Return a rule as json-rules-engine wants it: with a group at the root. Without a rule no condition stands in it.

    A check that people attest has no rule.
    """
    if tree is None:
        return {"all": []}
    return dict(tree) if tree.keys() & {"all", "any", "not"} else {"all": [dict(tree)]}


Fresh = Mapping[str, tuple[Any, bytes]]
"""The facts that may be judged by: the JSON form of each, as a value and written out."""
NOT_KNOWN = None, b"null"

Annotate = Callable[[Fresh, datetime], bytes]
"""Returns the rule as JSON, with the value that each condition saw, the one it was compared with, and the outcome."""


def annotator(root: Node, specs: Mapping[str, Spec]) -> Annotate:
    """Return what annotates a rooted rule; the outcome of a condition is null where one of its facts is not known."""
    for word in ("all", "any"):
        if word in root:
            inner = [annotator(node, specs) for node in root[word]]
            opening = orjson.dumps({"priority": PRIORITY, word: []})[:-2]
            return lambda fresh, now: opening + b",".join([annotate(fresh, now) for annotate in inner]) + b"]}"
    if "not" in root:
        negated = annotator(root["not"], specs)
        return lambda fresh, now: b'{"priority":%d,"not":' % PRIORITY + negated(fresh, now) + b"}"
    return _against_fact(root, specs) if isinstance(root["value"], dict) else _against_value(root, specs)


def _against_value(leaf: Node, specs: Mapping[str, Spec]) -> Annotate:
    kind, operator = specs[leaf["fact"]].type, OPERATORS[leaf["operator"]]
    operand = read_operand(operator.operand, kind, leaf["value"])
    fact = leaf["fact"]
    opening = _opening(leaf)
    compared = b',"valueResult":' + orjson.dumps(leaf["value"]) + b',"result":'

    def annotate(fresh: Fresh, now: datetime) -> bytes:
        value, written = fresh.get(fact, NOT_KNOWN)
        return opening + written + compared + OUTCOMES[_outcome(operator, kind, value, operand, now)]

    return annotate


def _against_fact(leaf: Node, specs: Mapping[str, Spec]) -> Annotate:
    fact, other, operator = leaf["fact"], leaf["value"]["fact"], OPERATORS[leaf["operator"]]
    kind, other_kind = specs[fact].type, specs[other].type
    times, plus = leaf["value"].get("times", 1), leaf["value"].get("plus")
    more = None if plus is None else read_shift(kind, plus)
    opening = _opening(leaf)

    def annotate(fresh: Fresh, now: datetime) -> bytes:
        value, written = fresh.get(fact, NOT_KNOWN)
        compared, told = fresh.get(other, NOT_KNOWN)
        operand = _typed(other_kind, compared)
        operand = None if operand is None else shifted(operand, times, more)
        result = OUTCOMES[_outcome(operator, kind, value, operand, now)]
        return opening + written + b',"valueResult":' + told + b',"result":' + result

    return annotate


def _opening(leaf: Node) -> bytes:
    """Write a condition up to the value that it saw."""
    return orjson.dumps(leaf)[:-1] + b',"factResult":'


def _outcome(operator: Operator, kind: str, value: Any, operand: Any, now: datetime) -> bool | None:
    typed_value = _typed(kind, value)
    return None if typed_value is None or operand is None else operator.compare(typed_value, operand, now)


def _typed(kind: str, value: Any) -> Typed | None:
    """Return a value as operators see it; None when there is none, or it is none of the kind."""
    try:
        return None if value is None else typed(kind, value)
    except ValueError:
        return None
