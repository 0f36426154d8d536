"""Brings a rule into its plain form: text into a tree, named thresholds and quantities into values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scorecards.evidence.causes import Spec
from scorecards.rules.lexer import BadRuleText
from scorecards.rules.operators import NUMBERS
from scorecards.rules.quantities import read_quantity
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
    used: dict[str, str] = field(default_factory=dict)
    """Of each threshold that the rule names: the key that it is compared with."""

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
        return self.specs.get(key) is not None

    def _node(self, node: Any, path: str, depth: int) -> Any:
        if not isinstance(node, dict) or depth > MAX_DEPTH:
            return node
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
