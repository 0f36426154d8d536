"""Label selectors, as text (`app=checkout,tier in (web,api),!canary`) and as objects. Pure.

After Kubernetes' documentation, "Labels and Selectors": all requirements must hold; `notin` and `!=` hold for objects
without the label too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Labels = Mapping[str, str]
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")

_KEY = r"[A-Za-z0-9][\w.\-/]*"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<absent>!)\s*(?P<absent_key>{_KEY})"
    rf"|(?P<key>{_KEY})\s*(?:(?P<operator>==|=|!=)\s*(?P<value>[\w.\-]*)|(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?)"
    r"\s*(?:,|$)"
)


@dataclass(frozen=True)
class Requirement:
    """One of the conditions of a selector."""

    operator: str
    key: str
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an operator that Kubernetes does not have (ValueError)."""
        if self.operator not in OPERATORS:
            raise ValueError(f"{self.operator!r} is no operator of a label selector")

    def holds(self, labels: Labels) -> bool:
        """Say whether an object with these labels fulfils it."""
        if self.operator in ("In", "NotIn"):
            return (labels.get(self.key) in self.values) is (self.operator == "In")
        return (self.key in labels) is (self.operator == "Exists")


@dataclass(frozen=True)
class Selector:
    """What chooses objects by their labels: all requirements must hold."""

    requirements: tuple[Requirement, ...]
    of_everything: bool = False
    """Without requirements it selects everything; else nothing."""

    def __call__(self, labels: Labels) -> bool:
        """Say whether an object with these labels is selected."""
        if not self.requirements:
            return self.of_everything
        return all(one.holds(labels) for one in self.requirements)

    def pairs(self) -> Sequence[Sequence[tuple[str, str]]]:
        """Return sets of labels, of each of which whatever is selected has one: where an index may look first."""
        return [[(one.key, value) for value in one.values] for one in self.requirements if one.operator == "In"]


def parse(text: str) -> Selector:
    """Read a selector; raises ValueError that says what cannot be read. An empty one selects nothing."""
    requirements: list[Requirement] = []
    rest = text.strip()
    while rest:
        match = _REQUIREMENT.match(rest)
        if match is None:
            raise ValueError(f"{rest[:100]!r} is no label selector; write app=checkout,tier in (web,api),!canary")
        requirements.append(_requirement(match))
        rest = rest[match.end() :].strip()
    return Selector(tuple(requirements))


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement("DoesNotExist", match["absent_key"])
    if match["operator"]:
        return Requirement("NotIn" if match["operator"] == "!=" else "In", match["key"], (match["value"],))
    if match["set"]:
        values = tuple(value.strip() for value in match["values"].split(","))
        return Requirement("In" if match["set"] == "in" else "NotIn", match["key"], values)
    return Requirement("Exists", match["key"])


def of_object(written: Mapping[str, Any] | None) -> Selector:
    """Read a `LabelSelector` of an object; one without requirements selects everything, a missing one nothing.

    Raises ValueError, KeyError, TypeError or AttributeError for what is none.
    """
    if written is None:
        return Selector(())
    requirements = [Requirement("In", key, (str(value),)) for key, value in (written.get("matchLabels") or {}).items()]
    for one in written.get("matchExpressions") or []:
        requirements.append(Requirement(str(one["operator"]), one["key"], tuple(one.get("values") or ())))
    return Selector(tuple(requirements), of_everything=True)
