"""The facts of SLO definitions, and how several SLOs of one service make one value."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from plugins.connectors.openslo.indicators import Category
from plugins.connectors.openslo.slos import Objective, Slo
from plugins.contract import Fact, FactSpec, FactType, FactValue

HOURS_72 = timedelta(hours=72)
"""An outage of the source shall not change a level for 72 hours."""

SPECS = (
    FactSpec("slo.count", FactType.INTEGER, "count", "SLOs of the service that are defined and can be read.", HOURS_72),
    FactSpec("slo.names", FactType.SET, "", "Names of the service's SLOs.", HOURS_72),
    FactSpec(
        "slo.owner",
        FactType.STRING,
        "",
        "Who answers for the service's SLOs; several with commas.",
        HOURS_72,
    ),
    FactSpec(
        "slo.availability.target",
        FactType.NUMBER,
        "ratio",
        "Target of the strictest availability SLO: share of good requests or time.",
        HOURS_72,
    ),
    FactSpec(
        "slo.latency.target",
        FactType.NUMBER,
        "ratio",
        "Target of the strictest latency SLO: share of requests that are fast enough.",
        HOURS_72,
    ),
    FactSpec(
        "slo.latency.threshold_seconds",
        FactType.NUMBER,
        "seconds",
        "What is fast enough for that latency SLO.",
        HOURS_72,
    ),
    FactSpec(
        "slo.window_days",
        FactType.NUMBER,
        "days",
        "Time window of the strictest availability SLO, else latency SLO, else any.",
        HOURS_72,
    ),
    FactSpec(
        "slo.metrics",
        FactType.SET,
        "",
        "Metrics that the queries of all the service's SLOs ask for.",
        HOURS_72,
    ),
)


def observe(
    ref: str, slos: Sequence[Slo], service_owners: Sequence[str], is_complete: bool, now: datetime
) -> Iterator[Fact]:
    """Yield the facts of one service. `is_complete` is False when one of its SLOs could not be read."""
    values: dict[str, FactValue] = {}
    if is_complete:
        values["slo.names"] = sorted({slo.name for slo in slos})
    if is_complete or slos:
        values["slo.count"] = len(slos)
    values |= _targets(slos)
    owners = {owner for slo in slos for owner in slo.owners} or set(service_owners)
    if slos and owners:
        values["slo.owner"] = ", ".join(sorted(owners))
    indicators = [objective.indicator for slo in slos for objective in slo.objectives]
    if is_complete and slos and not any(indicator.unreadable for indicator in indicators):
        values["slo.metrics"] = sorted({metric for indicator in indicators for metric in indicator.metrics})
    for key, value in values.items():
        yield Fact(ref, key, value, now)


def _targets(slos: Sequence[Slo]) -> Mapping[str, FactValue]:
    values: dict[str, FactValue] = {}
    chosen: list[Slo] = []
    for category in (Category.AVAILABILITY, Category.LATENCY):
        found = _strictest(slos, category)
        if found is None:
            continue
        slo, objective = found
        chosen.append(slo)
        values[f"slo.{category}.target"] = objective.target
        if category is Category.LATENCY and objective.threshold_seconds is not None:
            values["slo.latency.threshold_seconds"] = objective.threshold_seconds
    leading = [*chosen, *sorted(slos, key=lambda slo: slo.name)][:1]
    if leading and leading[0].window_days is not None:
        values["slo.window_days"] = leading[0].window_days
    return values


def _strictest(slos: Sequence[Slo], category: Category) -> tuple[Slo, Objective] | None:
    """Return the objective with the highest target; of two, the one with the lower threshold, then by name."""
    candidates = [(slo, o) for slo in slos for o in slo.objectives if o.category is category]
    return min(
        candidates,
        key=lambda pair: (-pair[1].target, pair[1].threshold_seconds or float("inf"), pair[0].name),
        default=None,
    )
