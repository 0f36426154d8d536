"""Remembering what is computed of label sets: a query over 700 steps meets the same few objects at each of them."""

from collections.abc import Callable
from typing import Generic, TypeVar

from examples.simulated.promql.values import Labels, QueryError, Vector, signature

Result = TypeVar("Result")

MAX_REMEMBERED = 20_000
"""Enough for every series here; a query that makes ever new labels shall not fill the memory."""


class OfLabels(Generic[Result]):
    """A function of a label set, computed once for each object (a label set is never changed in place)."""

    def __init__(self, function: Callable[[Labels], Result]) -> None:
        self._function = function
        self._known: dict[int, tuple[Labels, Result]] = {}

    def __call__(self, labels: Labels) -> Result:
        """Return the function's value."""
        known = self._known.get(id(labels))
        if known is None:
            known = labels, self._function(labels)  # keeping the labels keeps their id theirs
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[id(labels)] = known
        return known[1]


class OfPairs(Generic[Result]):
    """A function of two label sets, computed once for each pair of objects."""

    def __init__(self, function: Callable[[Labels, Labels], Result]) -> None:
        self._function = function
        self._known: dict[tuple[int, int], tuple[Labels, Labels, Result]] = {}

    def __call__(self, one: Labels, other: Labels) -> Result:
        """Return the function's value."""
        key = id(one), id(other)
        known = self._known.get(key)
        if known is None:
            known = one, other, self._function(one, other)
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[key] = known
        return known[2]


class Distinct:
    """Refuses a vector in which two elements have the same labels, as Prometheus does."""

    def __init__(self) -> None:
        self._signature = OfLabels(signature)

    def __call__(self, vector: Vector) -> Vector:
        """Return the vector; raises QueryError when it is not distinct."""
        if len({self._signature(sample.labels) for sample in vector}) < len(vector):
            raise QueryError("vector cannot contain metrics with the same labelset", "execution")
        return vector
