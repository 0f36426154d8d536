"""Brings a rule into its plain form: text into a tree, named thresholds and quantities into values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scorecards.evidence.causes import Spec
from scorecards.rules.lexer import BadRuleText
from scorecards.rules.operators import NUMBERS
from scorecards.rules.quantities import read_quantity
from scorecards.rules.related import PARTS, THERE, Asked, Question, read_relation, read_which
from scorecards.rules.text import parse_rule

MAX_DEPTH = 64
"""Beyond it nothing is expanded; the compiler refuses such a tree anyway."""


@dataclass
class Expansion:
    """One rule's way to its plain form, with every fault found on it."""

    specs: Mapping[str, Spec]
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    word: str = "fact"
    faults: list[tuple[str, str]] = field(default_factory=list)
    """Path and message."""
    related: dict[str, tuple[str, Question]] = field(default_factory=dict)
    """The questions about related entities by the facts that answer them, each with its path."""
    used: dict[str, str] = field(default_factory=dict)
    """Of each threshold that the rule names: the key that it is compared with."""
    within: bool = False
    """It is asked of related entities, whose fields have plain names: in `kind is system` the value is a text."""

    def expand(self, rule: Any, path: str) -> Any:
        """Return the plain tree; what is no rule at all is returned as it is, for the compiler to refuse."""
        if not isinstance(rule, str):
            return self._node(rule, path, 1)
        try:
            return self._node(parse_rule(rule, self._is_known, self.word), path, 1)
        except BadRuleText as error:
            self.faults.append((path, str(error)))
            return None

    def _is_known(self, key: str) -> bool:
        return not (self.within and "." not in key) and self.specs.get(key) is not None

    def _node(self, node: Any, path: str, depth: int) -> Any:
        if not isinstance(node, dict) or depth > MAX_DEPTH:
            return node
        if "related" in node:
            return self._related(node, path)
        if self.word in node and "value" in node:
            return {**node, "value": self._value(node[self.word], node["value"], f"{path}.value")}
        expanded = dict(node)
        for group in ("all", "any"):
            if isinstance(node.get(group), list):
                expanded[group] = [
                    self._node(inner, f"{path}.{group}[{index}]", depth + 1) for index, inner in enumerate(node[group])
                ]
        if "not" in node:
            expanded["not"] = self._node(node["not"], f"{path}.not", depth + 1)
        return expanded

    def _related(self, node: Mapping[str, Any], path: str) -> Any:
        """A question about related entities: a condition on the fact that answers it."""
        members = of_related(self.specs)
        if members is None:
            only = "related entities are asked of in `rule` and `needs` alone, and not of related entities in turn"
            self.faults.append((path, only))
            return None
        if not {"related", "which"} <= set(node) <= PARTS or ("have" not in node and node["which"] == "every"):
            parts = "such a question has `related`, `which`, `have`, and `where` if it is about some of them"
            self.faults.append((path, parts))
            return None
        which = node["which"]
        if isinstance(which, dict) and set(which) == {"threshold"}:
            which = self._threshold(None, which["threshold"], f"{path}.which")
        inner = Expansion(members, self.thresholds, self.word, within=True)
        have = inner.expand(node.get("have", THERE), f"{path}.have")
        where = inner.expand(node["where"], f"{path}.where") if "where" in node else None
        self.faults += inner.faults
        self.used |= inner.used
        try:
            question = Question(read_relation(node["related"]), read_which(which), where, have)
        except ValueError as error:
            self.faults.append((path, str(error)))
            return None
        if inner.faults:
            return None
        self.related[question.key] = (path, question)
        if question.asked is Asked.SHARE:
            self.related[question.falling_short.key] = (path, question.falling_short)
        return question.condition(self.word)

    def _value(self, key: Any, value: Any, path: str) -> Any:
        if isinstance(value, dict) and set(value) == {"threshold"}:
            value = self._threshold(key, value["threshold"], path)
        if isinstance(value, dict) and value.keys() & {"times", "plus"}:
            return self._shift(key, value, path)
        return self._quantity(key, value, path)

    def _shift(self, key: Any, value: Mapping[str, Any], path: str) -> dict[str, Any]:
        """A multiple of another fact, or it and something more."""
        shift = dict(value)
        if isinstance(shift.get("times"), dict):
            # A factor has no unit: it is not compared with the fact.
            shift["times"] = self._threshold(None, shift["times"].get("threshold"), f"{path}.times")
        if isinstance(shift.get("plus"), dict):
            shift["plus"] = self._threshold(key, shift["plus"].get("threshold"), f"{path}.plus")
        if "plus" in shift:
            shift["plus"] = self._quantity(key, shift["plus"], f"{path}.plus")
        return shift

    def _quantity(self, key: Any, value: Any, path: str) -> Any:
        """`15%` of a ratio is 0.15; what is no quantity, or stands beside no number, stays as it is."""
        spec = self.specs.get(key) if isinstance(key, str) else None
        if not isinstance(value, str) or spec is None or spec.type not in NUMBERS:
            return value
        try:
            return read_quantity(spec.unit, value)
        except ValueError as error:
            self.faults.append((path, str(error)))
            return value

    def _threshold(self, key: Any, name: Any, path: str) -> Any:
        if not isinstance(name, str) or name not in self.thresholds:
            known = ", ".join(self.thresholds) or "none"
            self.faults.append((path, f"{name!r} is no threshold of this check; it has {known}"))
            return None
        self.used[name] = str(key)
        return self.thresholds[name]


def of_related(specs: Mapping[str, Spec]) -> Mapping[str, Spec] | None:
    """Return the declarations of what may be asked of related entities; None where nothing may."""
    found: Mapping[str, Spec] | None = getattr(specs, "of_related", None)
    return found
