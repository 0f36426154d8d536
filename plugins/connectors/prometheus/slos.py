"""Picks, for each service and kind of SLO, the one whose figures are published together."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plugins.connectors.prometheus.api import Sample
from plugins.connectors.prometheus.options import Options
from plugins.label_join import Join

SloKey = tuple[str, str]
"""Service (entity reference) and the SLO's name; an empty name is the service as a whole."""


@dataclass(frozen=True)
class Slo:
    """A recorded SLO. What is not recorded is None."""

    name: str
    target: float
    period_error: float | None
    budget_left: float | None


def by_slo(samples: Iterable[Sample], join: Join, options: Options) -> dict[SloKey, float]:
    """Return the samples' values by service and SLO."""
    return {
        (ref, sample.labels.get(options.slo_name_label, "")): sample.value
        for sample in samples
        for ref in join.find(sample.labels)
    }


def collect(
    objectives: Mapping[SloKey, float], errors: Mapping[SloKey, float], budgets: Mapping[SloKey, float]
) -> dict[str, list[Slo]]:
    """Return every SLO that has an objective, by service."""
    found: dict[str, list[Slo]] = {}
    for (ref, name), target in objectives.items():
        found.setdefault(ref, []).append(Slo(name, target, errors.get((ref, name)), budgets.get((ref, name))))
    return found


def worst(slos: Iterable[Slo], *, latency: bool, pattern: str) -> Slo | None:
    """Return the SLO of one kind with the least budget left, or with the strictest target where no budget is known.

    A latency SLO is one whose name the pattern finds itself in; every other one counts as availability.
    """
    kind = [slo for slo in slos if bool(re.search(pattern, slo.name, re.IGNORECASE)) == latency]
    return min(kind, key=_badness, default=None)


def _badness(slo: Slo) -> tuple[float, float, str]:
    return (float("inf") if slo.budget_left is None else slo.budget_left, -slo.target, slo.name)
