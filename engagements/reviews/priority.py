"""The computed priority of an improvement, each term stated. Pure.

4 x criticality of the check + 3 x link to an objective or an incident + 2 x gap of its axis + 1 x blast radius, each
from 0 to 1, hence 0 to 10. Effort breaks ties only. Urgent follow-ups of incidents (P0, P1) go before everything.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

URGENCY_RANK = {"P0": 0, "P1": 1, None: 2}
EFFORT_RANK = {"hours": 0, "days": 1, "weeks": 2}


@dataclass(frozen=True)
class Grounds:
    """What the priority of an improvement rests on."""

    severity: str
    """`blocker`, `major` or `minor`: of its check, else of the finding."""
    check: str | None
    linked_by: str
    """The objective or the incident that is behind it; empty: none."""
    axis: str
    axis_percent: float | None
    """How ready the service is on that axis, 0 to 100; None when it was never judged."""
    dependents: int
    """Services that depend on this one."""


@dataclass(frozen=True)
class Term:
    """One term of the sum."""

    term: str
    raw: Any
    normalised: float
    weight: float
    points: float
    sentence: str


def compute(
    grounds: Grounds, weights: Mapping[str, float], severity_values: Mapping[str, float], full_at_dependents: float
) -> tuple[float, list[dict[str, Any]]]:
    """Return the priority, 0 to the sum of the weights, and its terms."""
    parts = [
        ("criticality_of_check", grounds.severity, severity_values[grounds.severity], _about_severity(grounds)),
        ("slo_or_incident_link", grounds.linked_by or None, 1.0 if grounds.linked_by else 0.0, _about_link(grounds)),
        ("axis_gap", grounds.axis_percent, _gap(grounds.axis_percent), _about_gap(grounds)),
        (
            "blast_radius",
            grounds.dependents,
            min(1.0, math.log2(1 + grounds.dependents) / math.log2(1 + full_at_dependents)),
            f"{grounds.dependents} services depend on it.",
        ),
    ]
    terms = [
        Term(name, raw, round(share, 4), weights[name], round(weights[name] * share, 2), sentence)
        for name, raw, share, sentence in parts
    ]
    return round(sum(term.points for term in terms), 2), [asdict(term) for term in terms]


def rank(urgency: str | None, priority: float, effort: str, identity: str) -> tuple[int, float, int, str]:
    """Return the place in the order of work: urgent follow-ups, then priority, then the smaller effort."""
    return URGENCY_RANK[urgency], -priority, EFFORT_RANK[effort], identity


def _gap(percent: float | None) -> float:
    """What nobody judged earns nothing: it says nothing of the size of the gap."""
    return 0.0 if percent is None else 1 - percent / 100


def _about_severity(grounds: Grounds) -> str:
    what = f"The check {grounds.check}" if grounds.check else "The finding"
    return f"{what} is a {grounds.severity}."


def _about_link(grounds: Grounds) -> str:
    return f"Linked to {grounds.linked_by}." if grounds.linked_by else "No objective and no incident is linked to it."


def _about_gap(grounds: Grounds) -> str:
    if grounds.axis_percent is None:
        return f"Readiness in {grounds.axis} was never judged, so its gap is unknown and earns nothing."
    return f"Readiness in {grounds.axis} is {grounds.axis_percent:g} %."
