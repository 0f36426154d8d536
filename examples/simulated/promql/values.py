"""The values of PromQL, and the series that a query reads."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

METRIC_NAME = "__name__"
LOOKBACK_SECONDS = 300.0
"""How old the newest sample of a series may be to answer an instant query: Prometheus's default."""

Labels = dict[str, str]


class QueryError(Exception):
    """A query that Prometheus itself would refuse, or that this simulation does not evaluate."""

    def __init__(self, message: str, error_type: str = "bad_data") -> None:
        super().__init__(message)
        self.message = message
        self.error_type = error_type


def not_evaluated(what: str) -> QueryError:
    """Return the error for a part of PromQL outside the subset: it is said, and no number is made up."""
    return QueryError(f"this simulated Prometheus does not evaluate {what}; a real one may")


@dataclass(frozen=True)
class Sample:
    """One element of an instant vector."""

    labels: Labels
    value: float


Vector = list[Sample]


@dataclass(frozen=True)
class Window:
    """The samples of one series inside a range; the values in between are read only when a function needs them."""

    first_time: float
    last_time: float
    count: int
    first: float
    last: float
    read: Callable[[], tuple[Sequence[float], Sequence[float]]]
    """Returns times and values of every sample."""
    monotonic: bool = False
    """True for a counter that never resets inside the range, so that its ends tell its increase."""

    @cached_property
    def samples(self) -> tuple[Sequence[float], Sequence[float]]:
        """Times and values of every sample."""
        return self.read()

    @property
    def values(self) -> Sequence[float]:
        """The values, oldest first."""
        return self.samples[1]


@dataclass(frozen=True)
class RangeSeries:
    """One element of a range vector."""

    labels: Labels
    window: Window


class Series(ABC):
    """A time series: its labels (with the metric's name) and its samples."""

    labels: Labels

    @abstractmethod
    def at(self, time: float) -> float | None:
        """Return the value of the newest sample within the lookback before `time` (Unix seconds), if there is one."""

    @abstractmethod
    def window(self, start: float, end: float) -> Window | None:
        """Return the samples after `start` up to and with `end` (Unix seconds), None when there is none."""


def window_of(times: Sequence[float], values: Sequence[float]) -> Window | None:
    """Return a window over samples at hand."""
    if not times:
        return None
    return Window(times[0], times[-1], len(times), values[0], values[-1], lambda: (times, values))


def without_name(labels: Labels) -> Labels:
    """Return the labels without the metric's name: what a computed value is no longer."""
    return {name: value for name, value in labels.items() if name != METRIC_NAME}


def signature(labels: Labels) -> tuple[tuple[str, str], ...]:
    """Return what tells one label set from another."""
    return tuple(sorted(labels.items()))


def format_value(value: float) -> str:
    """Write a float as Prometheus's API does: plain digits, `NaN`, `+Inf`, `-Inf`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 2**53:
        return str(int(value))
    return format(Decimal(repr(value)), "f")
