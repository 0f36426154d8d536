"""Evaluates PromQL at a moment, or over a range of moments."""

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import promql_parser as syntax

from examples.simulated.promql.compiler import Compiler, Evaluate, EvaluateRange, Moment, Storage, Value, is_range
from examples.simulated.promql.values import Labels, QueryError, RangeSeries, Sample, Series, Vector, signature

MAX_POINTS = 11_000
"""Prometheus's own limit for each series of a range query."""
MAX_KEPT_STEPS = 100_000
"""Subquery steps lie on a fixed grid, so their vectors are kept: the next 30-day subquery computes only new ones."""
MAX_KEPT_QUERIES = 200

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Query:
    """A query that was read: one of the two is there."""

    instant: Evaluate | None = None
    range_vector: EvaluateRange | None = None


@dataclass
class Engine:
    """Evaluates queries over one storage. Not for several threads at a time."""

    storage: Storage
    _steps: OrderedDict[tuple[str, float], Vector] = field(default_factory=OrderedDict)
    _queries: OrderedDict[str, Query] = field(default_factory=OrderedDict)

    def parse(self, text: str) -> Query:
        """Read a query; raises QueryError when it is not PromQL, or lies outside the subset."""
        if text not in self._queries:
            self._queries[text] = self._compile(_parse(text))
            if len(self._queries) > MAX_KEPT_QUERIES:
                self._queries.popitem(last=False)
        return self._queries[text]

    def _compile(self, expression: Any) -> Query:
        compiler = Compiler(self.storage, self._step_vector)
        if is_range(expression):
            return Query(range_vector=compiler.range_vector(expression))
        return Query(instant=compiler.expression(expression))

    def instant(self, query: Query, time: float) -> Value | list[RangeSeries]:
        """Return the value of a query at a time (Unix seconds). Raises QueryError."""
        moment = Moment(time, time, time)
        if query.range_vector is not None:
            return query.range_vector(moment)[0]
        return query.instant(moment) if query.instant else []

    def over_range(self, query: Query, start: float, end: float, step: float) -> list[tuple[Labels, Points]]:
        """Return each series of the result with its points, one per step. Raises QueryError."""
        if query.instant is None:
            raise _no_range_query("range vector")
        result: dict[Any, tuple[Labels, Points]] = {}
        for index in range(math.floor((end - start) / step + 1e-9) + 1):
            time = start + index * step
            value = query.instant(Moment(time, start, end))
            if isinstance(value, str):
                raise _no_range_query("string")
            for sample in value if isinstance(value, list) else [Sample({}, value)]:
                entry = result.setdefault(signature(sample.labels), (sample.labels, []))
                entry[1].append((time, sample.value))
        return [result[key] for key in sorted(result)]

    def select(self, selector: str) -> list[Series]:
        """Return the series that a selector names, whatever their samples. Raises QueryError."""
        expression = _parse(selector)
        if not isinstance(expression, syntax.VectorSelector):
            raise QueryError(f'invalid parameter "match[]": {selector!r} is not a selector')
        return Compiler(self.storage, self._step_vector).series(expression)

    def _step_vector(self, text: str, inner: Evaluate, time: float) -> Vector:
        """Return a subquery's inner vector at one step, kept from earlier queries where it is."""
        key = (text, time)
        if key in self._steps:
            return self._steps[key]
        value = inner(Moment(time, time, time))
        vector = value if isinstance(value, list) else [Sample({}, float(value))]
        if self.storage.settled(time):
            self._steps[key] = vector
            if len(self._steps) > MAX_KEPT_STEPS:
                self._steps.popitem(last=False)
        return vector


def _parse(text: str) -> Any:
    try:
        return syntax.parse(text)
    except ValueError as error:
        raise QueryError(f'invalid parameter "query": {error}') from error


def _no_range_query(kind: str) -> QueryError:
    return QueryError(f'invalid expression type "{kind}" for range query, must be Scalar or instant Vector')
