"""Label selectors, as text (`app=checkout,tier in (web,api),!canary`) and as objects. Pure.

After Kubernetes' documentation, "Labels and Selectors": all requirements must hold; `notin` and `!=` hold for objects
without the label too.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Labels = Mapping[str, str]
Selector = Callable[[Labels], bool]

_KEY = r"[A-Za-z0-9][\w.\-/]*"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<absent>!)\s*(?P<absent_key>{_KEY})"
    rf"|(?P<key>{_KEY})\s*(?:(?P<operator>==|=|!=)\s*(?P<value>[\w.\-]*)|(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?)"
    r"\s*(?:,|$)"
)


def parse(text: str) -> Selector:
    """Read a selector; raises ValueError that says what cannot be read. An empty one selects nothing."""
    requirements: list[Selector] = []
    rest = text.strip()
    while rest:
        match = _REQUIREMENT.match(rest)
        if match is None:
            raise ValueError(f"{rest[:100]!r} is no label selector; write app=checkout,tier in (web,api),!canary")
        requirements.append(_requirement(match))
        rest = rest[match.end() :].strip()
    return lambda labels: bool(requirements) and all(holds(labels) for holds in requirements)


def _requirement(match: re.Match[str]) -> Selector:
    if match["absent"]:
        return _holds("DoesNotExist", match["absent_key"], ())
    if match["operator"]:
        return _holds("NotIn" if match["operator"] == "!=" else "In", match["key"], (match["value"],))
    if match["set"]:
        values = tuple(value.strip() for value in match["values"].split(","))
        return _holds("In" if match["set"] == "in" else "NotIn", match["key"], values)
    return _holds("Exists", match["key"], ())


def of_object(written: Mapping[str, Any] | None) -> Selector:
    """Read a `LabelSelector` of an object; one without requirements selects everything, a missing one nothing."""
    if written is None:
        return lambda _labels: False
    requirements = [_holds("In", key, (str(value),)) for key, value in (written.get("matchLabels") or {}).items()]
    for one in written.get("matchExpressions") or []:
        requirements.append(_holds(str(one["operator"]), one["key"], tuple(one.get("values") or ())))
    return lambda labels: all(holds(labels) for holds in requirements)


def _holds(operator: str, key: str, values: tuple[str, ...]) -> Selector:
    if operator == "In":
        return lambda labels: labels.get(key) in values
    if operator == "NotIn":
        return lambda labels: labels.get(key) not in values
    if operator == "Exists":
        return lambda labels: key in labels
    if operator == "DoesNotExist":
        return lambda labels: key not in labels
    raise ValueError(f"{operator!r} is no operator of a label selector")
