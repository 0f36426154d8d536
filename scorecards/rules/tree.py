"""Rules: a tree of conditions on facts, checked when it is loaded and compiled once. Pure.

A tree is `{all: [...]}`, `{any: [...]}`, `{not: {...}}`, or a leaf `{fact, operator, value}` spelled as in
json-rules-engine; a leaf's value may be another fact, `{fact: key}`, or a multiple of it and more, `{fact: key, times:
1.5, plus: 2}`, or a named threshold, `{threshold: name}`. A rule may be written as text as well
(`scorecards/rules/text.py`), which becomes such a tree. Evaluation follows Kleene's three-valued logic: a fact that is
not known makes its leaf unknown (None), and the tree is unknown unless the other leaves decide it alone.
Every leaf is looked at, since the sentence is to name everything that is wrong and not only the first thing.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from scorecards.evidence.causes import Spec
from scorecards.evidence.view import Evidence, EvidenceState
from scorecards.rules.expansion import Expansion, of_related
from scorecards.rules.operators import (
    ANY,
    NUMBERS,
    OPERATORS,
    PLAIN_OPERATORS,
    Operator,
    fits_fact,
    kind_for,
    missing_members,
    read_any,
    read_operand,
    read_shift,
    shifted,
)
from scorecards.rules.related import Question

ALIKE = 0.75
"""How alike two keys are of which one may be meant by the other, as `difflib` tells it."""
MAX_DEPTH = 8
MAX_NODES = 64

Lookup = Callable[[str], Evidence]


@dataclass(frozen=True)
class Leaf:
    """What one condition saw."""

    fact: str
    operator: str
    truth: bool | None
    evidence: Evidence
    operand: Any
    """The value compared with, whether it was written in the rule or is another fact's."""
    other: Evidence | None = None
    """The other fact, where the value is one."""
    missing: tuple[str, ...] = ()
    """The members of a set for which a condition on every one of them does not hold, as of `subsetOf`."""
    changes_at: datetime | None = None
    """When the passing of time alone turns the leaf: the end of a duration."""


Condition = Callable[[Lookup, datetime, list[Leaf]], bool | None]


@dataclass(frozen=True)
class Rule:
    """A compiled tree."""

    tree: Mapping[str, Any]
    facts: tuple[str, ...]
    """Every fact that it reads, in the order of the tree."""
    operators: frozenset[str]
    negates: bool
    """It holds a `not` somewhere."""
    condition: Condition
    thresholds: Mapping[str, str] = field(default_factory=dict)
    """Of each named threshold: the key that it is compared with."""
    related: Mapping[str, Question] = field(default_factory=dict)
    """What it asks of related entities, by the facts that answer it."""

    def evaluate(self, lookup: Lookup, now: datetime) -> tuple[bool | None, list[Leaf]]:
        """Return whether the rule holds (None: unknown), and what each leaf saw."""
        leaves: list[Leaf] = []
        return self.condition(lookup, now, leaves), leaves


@dataclass(frozen=True)
class RuleFault:
    """Something wrong with a tree, and where."""

    path: str
    message: str


class Compiler:
    """Compiles one tree, collecting every fault instead of stopping at the first."""

    def __init__(
        self, specs: Mapping[str, Spec], word: str = "fact", thresholds: Mapping[str, Any] | None = None
    ) -> None:
        self.specs = specs
        self.thresholds = thresholds or {}
        self.word = word
        """What a leaf calls what it looks at: `fact`, or `field` in conditions on the service itself."""
        self.faults: list[RuleFault] = []
        self.facts: dict[str, None] = {}
        self.operators: set[str] = set()
        self.negates = False
        self.nodes = 0

    def compile(self, rule: Any, path: str) -> Rule | None:
        """Return the compiled rule, or None when it has faults (then they are in `faults`)."""
        expansion = Expansion(self.specs, self.thresholds, self.word)
        tree = expansion.expand(rule, path)
        if expansion.faults:
            self.faults += [RuleFault(where, message) for where, message in expansion.faults]
            return None
        condition = self._node(tree, path, 1)
        for where, question in expansion.related.values():
            self._check_question(question, where)
        if condition is None or self.faults:
            return None
        facts = tuple(self.facts)
        related = {key: question for key, (_, question) in expansion.related.items()}
        return Rule(tree, facts, frozenset(self.operators), self.negates, condition, expansion.used, related)

    def _check_question(self, question: Question, path: str) -> None:
        """See that what is asked of related entities can be asked of them."""
        for word, tree in (("have", question.have), ("where", question.where)):
            if tree is not None:
                inner = Compiler(of_related(self.specs) or {}, self.word)
                inner.compile(tree, f"{path}.{word}")
                self.faults += inner.faults

    def _fault(self, path: str, message: str) -> None:
        self.faults.append(RuleFault(path, message))

    def _node(self, node: Any, path: str, depth: int) -> Condition | None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self._fault(path, f"the rule has more than {MAX_NODES} conditions; split the check")
            return None
        if depth > MAX_DEPTH:
            self._fault(path, f"the rule is nested deeper than {MAX_DEPTH} levels; flatten it")
            return None
        if not isinstance(node, dict):
            self._fault(path, f"must be a condition: {{{self.word}, operator, value}}, all, any or not")
            return None
        groups = [word for word in ("all", "any", "not") if word in node]
        if not groups:
            return self._leaf(node, path)
        if len(node) > 1:
            self._fault(path, f"`{groups[0]}` must stand alone; wrap the other conditions into it")
            return None
        return self._group(groups[0], node[groups[0]], f"{path}.{groups[0]}", depth)

    def _group(self, word: str, inner: Any, path: str, depth: int) -> Condition | None:
        if word == "not":
            self.negates = True
            condition = self._node(inner, path, depth + 1)
            return None if condition is None else _negation(condition)
        if not isinstance(inner, list) or not inner:
            self._fault(path, "must be a list of at least one condition")
            return None
        compiled = [self._node(node, f"{path}[{index}]", depth + 1) for index, node in enumerate(inner)]
        conditions = [condition for condition in compiled if condition is not None]
        return _conjunction(conditions) if word == "all" else _disjunction(conditions)

    def _leaf(self, node: dict[Any, Any], path: str) -> Condition | None:
        wanted = {self.word, "operator", "value"}
        if set(node) != wanted:
            self._fault(path, f"a condition has exactly {', '.join(sorted(wanted))}; it has {_words(node)}")
            return None
        spec = self._spec(node[self.word], f"{path}.{self.word}")
        name = node["operator"]
        operator = OPERATORS.get(name) if isinstance(name, str) else None
        if operator is None:
            self._fault(f"{path}.operator", f"{name!r} is no operator; choose from {', '.join(PLAIN_OPERATORS)}")
        if spec is None or operator is None:
            return None
        if spec.type == ANY:
            return self._on_field(spec, name, operator, node["value"], f"{path}.value")
        if spec.type not in operator.types:
            if name == "exists":
                why = "a fact that nobody has observed makes the check unknown by itself; leave the condition out"
                self._fault(f"{path}.operator", f"exists is asked of fields of the catalog's entity only: {why}")
                return None
            fitting = ", ".join(sorted(operator.types))
            self._fault(f"{path}.operator", f"{name} does not fit {spec.key}, a {spec.type}; it fits {fitting}")
            return None
        self.operators.add(name)
        return self._comparison(spec, name, operator, node["value"], f"{path}.value")

    def _on_field(self, spec: Spec, name: str, operator: Operator, value: Any, path: str) -> Condition | None:
        """A field of the entity: how it is read is told by the operator and what it is compared with."""
        try:
            kind = kind_for(name, value)
            operand = read_operand(operator.operand, kind, value)
        except ValueError as error:
            self._fault(path, str(error))
            return None
        self.operators.add(name)
        if name == "exists":
            return _presence(spec.key, operand)
        return _on_any(spec.key, name, operator, kind, operand)

    def _spec(self, key: Any, path: str) -> Spec | None:
        spec = self.specs.get(key) if isinstance(key, str) else None
        if spec is None:
            self._fault(path, f"{key!r} is not a {self.word} that anything declares{self._nearest(key)}")
            return None
        self.facts[spec.key] = None
        return spec

    def _nearest(self, key: Any) -> str:
        """Name the known keys that are written alike, or else those of the same beginning."""
        meant = get_close_matches(str(key), list(self.specs), 3, ALIKE)
        if meant:
            return f"; did you mean {' or '.join(meant)}?"
        start = str(key).rpartition(".")[0]
        alike = sorted(known for known in self.specs if start and known.startswith(start))[:5]
        return f"; there are {', '.join(alike)}" if alike else ""

    def _comparison(self, spec: Spec, name: str, operator: Operator, value: Any, path: str) -> Condition | None:
        if not isinstance(value, dict):
            try:
                operand = read_operand(operator.operand, spec.type, value)
            except ValueError as error:
                self._fault(path, str(error))
                return None
            return _against_value(spec.key, name, operator, operand)
        if set(value) - {"times", "plus"} != {self.word}:
            self._fault(path, f"expected {operator.operand.value}")
            return None
        other = self._spec(value[self.word], f"{path}.{self.word}")
        if other is None:
            return None
        if not fits_fact(operator.operand, spec.type, other.type):
            both = f"{spec.key} is a {spec.type} and {other.key} a {other.type}: they cannot be compared by {name}"
            self._fault(path, f"{both}; expected {operator.operand.value}")
            return None
        times = value.get("times", 1)
        is_number = isinstance(times, int | float) and not isinstance(times, bool)
        if "times" in value and not (is_number and spec.type in NUMBERS):
            self._fault(f"{path}.times", "a number can be multiplied, by a number")
            return None
        try:
            plus = read_shift(spec.type, value["plus"]) if "plus" in value else None
        except ValueError as error:
            self._fault(f"{path}.plus", f"{error}; expected a number, or a duration where times are compared")
            return None
        return _against_fact(spec.key, name, operator, other.key, (times, plus))


def _words(node: Mapping[Any, Any]) -> str:
    return ", ".join(sorted(map(str, node))) or "nothing"


def _negation(condition: Condition) -> Condition:
    def evaluate(lookup: Lookup, now: datetime, leaves: list[Leaf]) -> bool | None:
        truth = condition(lookup, now, leaves)
        return None if truth is None else not truth

    return evaluate


def _conjunction(conditions: list[Condition]) -> Condition:
    def evaluate(lookup: Lookup, now: datetime, leaves: list[Leaf]) -> bool | None:
        truths = [condition(lookup, now, leaves) for condition in conditions]
        if False in truths:
            return False
        return None if None in truths else True

    return evaluate


def _disjunction(conditions: list[Condition]) -> Condition:
    def evaluate(lookup: Lookup, now: datetime, leaves: list[Leaf]) -> bool | None:
        truths = [condition(lookup, now, leaves) for condition in conditions]
        if True in truths:
            return True
        return None if None in truths else False

    return evaluate


def _against_value(key: str, name: str, operator: Operator, operand: Any) -> Condition:
    def evaluate(lookup: Lookup, now: datetime, leaves: list[Leaf]) -> bool | None:
        evidence = lookup(key)
        truth = operator.compare(evidence.value, operand, now) if evidence.state is EvidenceState.FRESH else None
        leaves.append(_seen(key, name, truth, evidence, operand, now))
        return truth

    return evaluate


def _presence(key: str, wanted: bool) -> Condition:
    def evaluate(lookup: Lookup, now: datetime, leaves: list[Leaf]) -> bool | None:
        evidence = lookup(key)
        truth = OPERATORS["exists"].compare(evidence.value, wanted, now)
        leaves.append(Leaf(key, "exists", truth, evidence, wanted))
        return truth

    return evaluate


def _on_any(key: str, name: str, operator: Operator, kind: str, operand: Any) -> Condition:
    def evaluate(lookup: Lookup, now: datetime, leaves: list[Leaf]) -> bool | None:
        evidence = lookup(key)
        # A filter on a field that is not there does not match; other conditions on it decide nothing.
        truth = False if name == "hasValue" else None
        if evidence.state is EvidenceState.FRESH:
            # What stands there may be of another type: then it answers nothing.
            with suppress(ValueError, TypeError, AttributeError):
                truth = operator.compare(read_any(kind, evidence.value), operand, now)
        leaves.append(_seen(key, name, truth, evidence, operand, now))
        return truth

    return evaluate


def _against_fact(
    key: str, name: str, operator: Operator, other_key: str, shift: tuple[float, float | timedelta | None]
) -> Condition:
    def evaluate(lookup: Lookup, now: datetime, leaves: list[Leaf]) -> bool | None:
        evidence, other = lookup(key), lookup(other_key)
        known = evidence.state is EvidenceState.FRESH and other.state is EvidenceState.FRESH
        operand = shifted(other.value, *shift) if known else other.value
        truth = operator.compare(evidence.value, operand, now) if known else None
        leaves.append(_seen(key, name, truth, evidence, operand, now, other))
        return truth

    return evaluate


def _seen(
    key: str,
    name: str,
    truth: bool | None,
    evidence: Evidence,
    operand: Any,
    now: datetime,
    other: Evidence | None = None,
) -> Leaf:
    missing: tuple[str, ...] = ()
    changes_at = None
    if truth is False and isinstance(evidence.value, tuple):
        missing = missing_members(name, evidence.value, operand, now)
    if truth is not None and isinstance(operand, timedelta) and isinstance(evidence.value, datetime):
        end = evidence.value - operand if name == "isAhead" else evidence.value + operand
        changes_at = end if end > now else None
    return Leaf(key, name, truth, evidence, operand, other, missing, changes_at)
