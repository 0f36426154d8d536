"""Functions over instant vectors, by the formulas of Prometheus's `promql/functions.go` and `quantile.go`."""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial

from examples.simulated.promql.memory import Distinct, OfLabels
from examples.simulated.promql.values import Labels, QueryError, Sample, Vector, signature, without_name

BUCKET_LABEL = "le"
GROUP_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)\}|(\$))")

MathFunction = Callable[[float, Sequence[float]], float]


def _round(value: float, numbers: Sequence[float]) -> float:
    inverse = 1.0 / (numbers[0] if numbers else 1.0)
    return math.floor(value * inverse + 0.5) / inverse


def _clamp(value: float, numbers: Sequence[float]) -> float:
    return max(numbers[0], min(numbers[1], value))


def _logarithm(function: Callable[[float], float]) -> MathFunction:
    def apply(value: float, _: Sequence[float]) -> float:
        if value == 0:
            return -math.inf
        return function(value) if value > 0 else math.nan

    return apply


def _whole(function: Callable[[float], int]) -> MathFunction:
    return lambda value, _: float(function(value)) if math.isfinite(value) else value


MATH_FUNCTIONS: dict[str, MathFunction] = {
    "abs": lambda value, _: abs(value),
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "round": _round,
    "sqrt": lambda value, _: math.sqrt(value) if value >= 0 else math.nan,
    "exp": lambda value, _: math.exp(value) if value < 700 else math.inf,
    "ln": _logarithm(math.log),
    "log2": _logarithm(math.log2),
    "log10": _logarithm(math.log10),
    "sgn": lambda value, _: math.copysign(1.0, value) if value else value,
    "clamp": _clamp,
    "clamp_min": lambda value, numbers: max(numbers[0], value),
    "clamp_max": lambda value, numbers: min(numbers[0], value),
}


class MapValues:
    """A function applied to each value of a vector; the metric's name is dropped."""

    def __init__(self, function: MathFunction) -> None:
        self._function = function
        self._without_name = OfLabels(without_name)
        self._distinct = Distinct()

    def __call__(self, vector: Vector, numbers: Sequence[float]) -> Vector:
        """Return the result."""
        function, labels = self._function, self._without_name
        return self._distinct([Sample(labels(sample.labels), function(sample.value, numbers)) for sample in vector])


class HistogramQuantile:
    """The q-quantile of each classic histogram (series with an `le` label) of a vector."""

    def __init__(self) -> None:
        self._histograms: dict[tuple[tuple[str, str], ...], Labels] = {}
        self._histogram_of = OfLabels(self._histogram)

    def __call__(self, q: float, vector: Vector) -> Vector:
        """Return one element for each histogram."""
        groups: dict[int, tuple[Labels, list[tuple[float, float]]]] = {}
        for sample in vector:
            bound = _bound(sample.labels.get(BUCKET_LABEL))
            if bound is not None:
                labels = self._histogram_of(sample.labels)
                groups.setdefault(id(labels), (labels, []))[1].append((bound, sample.value))
        return [Sample(labels, _bucket_quantile(q, sorted(buckets))) for labels, buckets in groups.values()]

    def _histogram(self, labels: Labels) -> Labels:
        """Return the histogram's labels: the same object for every bucket."""
        kept = {name: value for name, value in without_name(labels).items() if name != BUCKET_LABEL}
        return self._histograms.setdefault(signature(kept), kept)


def _bound(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _bucket_quantile(q: float, buckets: list[tuple[float, float]]) -> float:
    if math.isnan(q) or len(buckets) < 2 or not math.isinf(buckets[-1][0]):
        return math.nan
    if q < 0 or q > 1:
        return -math.inf if q < 0 else math.inf
    bounds = [bound for bound, _ in buckets]
    counts: list[float] = []
    for _, count in buckets:  # scrapes are not atomic: a smaller count in a wider bucket is raised to its neighbour
        counts.append(max(count, counts[-1]) if counts else count)
    if counts[-1] == 0:
        return math.nan
    return _interpolate(q * counts[-1], bounds, counts)


def _interpolate(rank: float, bounds: list[float], counts: list[float]) -> float:
    index = next((i for i, count in enumerate(counts[:-1]) if count >= rank), len(counts) - 1)
    if index == len(counts) - 1:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0:
        return bounds[0]
    start, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    return start + (bounds[index] - start) * ((rank - below) / (counts[index] - below))


class Relabel:
    """A function that sets labels: the values stay as they are."""

    def __init__(self, change: Callable[[Labels], Labels]) -> None:
        self._change = OfLabels(change)
        self._distinct = Distinct()

    def __call__(self, vector: Vector) -> Vector:
        """Return the relabelled vector."""
        return self._distinct([Sample(self._change(sample.labels), sample.value) for sample in vector])


def label_replace(target: str, replacement: str, source: str, pattern: str) -> Relabel:
    """Set a label from another by a regular expression; elements that do not match stay as they are."""
    try:
        compiled = re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise QueryError(f"invalid regular expression in label_replace(): {pattern}", "execution") from error

    def change(labels: Labels) -> Labels:
        match = compiled.fullmatch(labels.get(source, ""))
        if not match:
            return labels
        return _set(labels, target, GROUP_REFERENCE.sub(partial(_group, match), replacement))

    return Relabel(change)


def label_join(target: str, separator: str, *sources: str) -> Relabel:
    """Set a label to other labels' values, joined."""
    return Relabel(lambda labels: _set(labels, target, separator.join(labels.get(name, "") for name in sources)))


def _set(labels: Labels, name: str, value: str) -> Labels:
    """Return the labels with one more; an empty one is none."""
    return {key: text for key, text in {**labels, name: value}.items() if text}


def _group(match: re.Match[str], reference: re.Match[str]) -> str:
    if reference[3]:
        return "$"
    name = reference[1] or reference[2]
    try:
        return match[int(name) if name.isdigit() else name] or ""
    except IndexError:
        return ""
