"""Functions over range vectors, by the formulas of Prometheus's `promql/functions.go`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from examples.simulated.promql.values import Window

EXTRAPOLATION_THRESHOLD = 1.1
"""A range's edge further than this many sample intervals from the nearest sample is not extrapolated to."""


@dataclass(frozen=True)
class Span:
    """The range that a window was taken from, and the time of the evaluation (Unix seconds)."""

    start: float
    end: float
    now: float


WindowFunction = Callable[[Window, Span, Sequence[float]], float | None]
"""Takes a series' samples, the range, and the call's numbers; None drops the series."""


def _raw_increase(window: Window) -> float:
    if window.monotonic:
        return window.last - window.first
    values = window.values
    drops = sum(before for before, after in zip(values, values[1:], strict=False) if after < before)
    return window.last - window.first + drops


def _extrapolated(window: Window, span: Span, *, counter: bool) -> float | None:
    if window.count < 2:
        return None
    change = _raw_increase(window) if counter else window.last - window.first
    to_start, to_end = window.first_time - span.start, span.end - window.last_time
    sampled = window.last_time - window.first_time
    interval = sampled / (window.count - 1)
    if counter and change > 0 and window.first >= 0:
        to_start = min(to_start, sampled * (window.first / change))  # a counter was not below zero
    threshold = interval * EXTRAPOLATION_THRESHOLD
    extended = sampled + sum(edge if edge < threshold else interval / 2 for edge in (to_start, to_end))
    return change * (extended / sampled)


def _increase(window: Window, span: Span, _: Sequence[float]) -> float | None:
    return _extrapolated(window, span, counter=True)


def _rate(window: Window, span: Span, _: Sequence[float]) -> float | None:
    increase = _extrapolated(window, span, counter=True)
    return None if increase is None else increase / (span.end - span.start)


def _delta(window: Window, span: Span, _: Sequence[float]) -> float | None:
    return _extrapolated(window, span, counter=False)


def _irate(window: Window, span: Span, _: Sequence[float]) -> float | None:
    if window.count < 2:
        return None
    times, values = window.samples
    change = values[-1] if values[-1] < values[-2] else values[-1] - values[-2]
    return change / (times[-1] - times[-2])


def _changes(window: Window, span: Span, _: Sequence[float]) -> float:
    values = window.values
    pairs = zip(values, values[1:], strict=False)
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairs))


def _resets(window: Window, span: Span, _: Sequence[float]) -> float:
    if window.monotonic:
        return 0.0
    return float(sum(after < before for before, after in zip(window.values, window.values[1:], strict=False)))


def quantile(q: float, values: Sequence[float]) -> float:
    """Return the q-quantile by linear interpolation between the two nearest ranks."""
    if not values or math.isnan(q):
        return math.nan
    if q < 0 or q > 1:
        return -math.inf if q < 0 else math.inf
    ordered = sorted(values)
    rank = q * (len(ordered) - 1)
    lower = int(rank)
    upper = min(lower + 1, len(ordered) - 1)
    share = rank - lower
    return ordered[lower] * (1 - share) + ordered[upper] * share


def _regression(window: Window, intercept_time: float) -> tuple[float, float]:
    """Return slope per second and the value at `intercept_time` of the least-squares line."""
    times, values = window.samples
    if all(value == values[0] for value in values):
        return 0.0, values[0]
    mean_x = math.fsum(time - intercept_time for time in times) / len(times)
    mean_y = math.fsum(values) / len(values)
    pairs = [(time - intercept_time - mean_x, value - mean_y) for time, value in zip(times, values, strict=True)]
    slope = math.fsum(x * y for x, y in pairs) / math.fsum(x * x for x, _ in pairs)
    return slope, mean_y - slope * mean_x


def _deriv(window: Window, span: Span, _: Sequence[float]) -> float | None:
    return None if window.count < 2 else _regression(window, window.first_time)[0]


def _predict_linear(window: Window, span: Span, numbers: Sequence[float]) -> float | None:
    if window.count < 2:
        return None
    slope, value_now = _regression(window, span.now)
    return slope * numbers[0] + value_now


def _average(window: Window, span: Span, _: Sequence[float]) -> float:
    return math.fsum(window.values) / window.count


def _deviation(window: Window, span: Span, _: Sequence[float]) -> float:
    mean = math.fsum(window.values) / window.count
    return math.sqrt(math.fsum((value - mean) ** 2 for value in window.values) / window.count)


WINDOW_FUNCTIONS: dict[str, WindowFunction] = {
    "rate": _rate,
    "increase": _increase,
    "delta": _delta,
    "irate": _irate,
    "changes": _changes,
    "resets": _resets,
    "deriv": _deriv,
    "predict_linear": _predict_linear,
    "sum_over_time": lambda window, span, numbers: math.fsum(window.values),
    "avg_over_time": _average,
    "min_over_time": lambda window, span, numbers: min(window.values),
    "max_over_time": lambda window, span, numbers: max(window.values),
    "stddev_over_time": _deviation,
    "count_over_time": lambda window, span, numbers: float(window.count),
    "last_over_time": lambda window, span, numbers: window.last,
    "present_over_time": lambda window, span, numbers: 1.0,
    "quantile_over_time": lambda window, span, numbers: quantile(numbers[0], window.values),
}
KEEP_NAME = frozenset({"last_over_time"})
"""Functions whose value is still the metric's own."""
