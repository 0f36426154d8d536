"""Aggregations of an instant vector: `sum by (…)`, `topk`, `quantile` and their like."""

import math
from collections.abc import Callable, Sequence

from promql_parser import AggModifier, AggModifierType

from examples.simulated.promql.memory import OfLabels
from examples.simulated.promql.values import METRIC_NAME, Labels, Sample, Vector, not_evaluated, signature
from examples.simulated.promql.windows import quantile

SIMPLE: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum,
    "min": min,
    "max": max,
    "avg": lambda values: math.fsum(values) / len(values),
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0,
}
CHOOSING = frozenset({"topk", "bottomk"})


class Aggregation:
    """One aggregation of a query; raises QueryError on an operator outside the subset."""

    def __init__(self, operator: str, modifier: AggModifier | None) -> None:
        if operator not in {*SIMPLE, *CHOOSING, "quantile"}:
            raise not_evaluated(f"the aggregation {operator}")
        self.operator = operator
        self._is_by = modifier is not None and modifier.type == AggModifierType.By
        self._names = tuple(modifier.labels) if modifier is not None else ()
        self._is_whole = modifier is None
        self._groups: dict[tuple[tuple[str, str], ...], Labels] = {}
        self._group_of = OfLabels(self._group)

    def __call__(self, vector: Vector, parameter: float | None) -> Vector:
        """Return the aggregated vector."""
        groups: dict[int, tuple[Labels, Vector]] = {}
        for sample in vector:
            labels = self._group_of(sample.labels)
            groups.setdefault(id(labels), (labels, []))[1].append(sample)
        if self.operator in CHOOSING:
            chosen = (_first(members, self.operator, parameter or 0) for _, members in groups.values())
            return [sample for members in chosen for sample in members]
        return [Sample(labels, _reduce(self.operator, members, parameter)) for labels, members in groups.values()]

    def _group(self, labels: Labels) -> Labels:
        """Return the group's labels: the same object for every member of the group."""
        kept = self._kept(labels)
        return self._groups.setdefault(signature(kept), kept)

    def _kept(self, labels: Labels) -> Labels:
        if self._is_whole:
            return {}
        if self._is_by:
            return {name: labels[name] for name in self._names if name in labels}
        return {name: value for name, value in labels.items() if name != METRIC_NAME and name not in self._names}


def _reduce(operator: str, members: Vector, parameter: float | None) -> float:
    values = [member.value for member in members]
    if operator == "quantile":
        return quantile(math.nan if parameter is None else parameter, values)
    if operator in {"min", "max"}:  # Prometheus ignores NaN unless nothing else is there
        values = [value for value in values if not math.isnan(value)] or values
    return SIMPLE[operator](values)


def _first(members: Vector, operator: str, parameter: float) -> Vector:
    ordered = sorted(members, key=lambda member: member.value, reverse=operator == "topk")
    return ordered[: max(0, int(parameter))]
