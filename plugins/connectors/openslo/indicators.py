"""Service level indicators: the metrics behind an SLO, and whether it is about availability or latency."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from plugins.promql import Query, read

CATEGORY_KEYS = ("sli", "category")
"""Labels, or else annotations, that say what an SLO is about."""

MAX_THRESHOLD = 1e12
"""Of whatever unit; a larger one is a slip."""

_PROMQL_SOURCES = frozenset({"prometheus", "thanos", "mimir", "cortex", "victoriametrics", "victoria-metrics"})
_QUERY_KEYS = ("query", "promql", "expr")

_LATENCY = re.compile(r"latency|latencies|duration|response[-_ ]?time|\bslow|\bfast|\bspeed|\bp9[059]\b")
_AVAILABILITY = re.compile(r"availab|uptime|error|success|failure|failed|\b5xx\b")
_OTHER = re.compile(r"fresh|throughput|durab|correct|quality|saturation|\blag\b|stale|coverage")
_LATENCY_METRIC = re.compile(r"duration|latency|response_time")
_REQUEST_METRIC = re.compile(r"request|response|http|grpc|rpc")


class Category(StrEnum):
    """What an SLO is about."""

    AVAILABILITY = "availability"
    LATENCY = "latency"
    OTHER = "other"


@dataclass(frozen=True)
class Indicator:
    """An SLI with its queries read."""

    metadata: Mapping[str, Any]
    is_threshold: bool
    queries: Sequence[Query] = ()
    good: Query | None = None
    """The query that counts good events, of a ratio."""
    unreadable: str = ""
    """Why the metrics are not known, or not all of them."""

    @property
    def metrics(self) -> frozenset[str]:
        """Names of all metrics that the queries ask for."""
        return frozenset(metric for query in self.queries for metric in query.metrics)


def indicator_of(
    metadata: Mapping[str, Any], spec: Mapping[str, Any], source_types: Mapping[str, str]
) -> Indicator | None:
    """Read an SLI's spec; None when it holds no metric. `source_types` gives the types of data sources by name."""
    ratio, threshold = spec.get("ratioMetric"), spec.get("thresholdMetric")
    if isinstance(threshold, dict):
        parts = {"threshold": threshold}
    elif isinstance(ratio, dict):
        parts = {key: ratio[key] for key in ("good", "bad", "total", "raw") if isinstance(ratio.get(key), dict)}
    else:
        return None
    queries: dict[str, Query] = {}
    reasons = []
    for key, part in parts.items():
        try:
            queries[key] = _query(part, source_types)
        except ValueError as error:
            reasons.append(f"{key}: {error}")
    return Indicator(
        metadata=metadata,
        is_threshold=isinstance(threshold, dict),
        queries=tuple(queries.values()),
        good=queries.get("good"),
        unreadable="; ".join(reasons) if parts else "ratioMetric holds neither good, bad, total nor raw",
    )


def categorise(indicator: Indicator, slo_metadata: Mapping[str, Any]) -> Category | None:
    """Say what an SLO is about: by a label, else words in its names, else its metrics; None when nothing tells."""
    for metadata in (indicator.metadata, slo_metadata):
        labelled = _labelled(metadata)
        if labelled:
            return labelled
    return _by_words([indicator.metadata, slo_metadata]) or _by_metrics(indicator)


def threshold_seconds(indicator: Indicator, objective: Mapping[str, Any]) -> float | None:
    """Return the latency that an objective allows, where its value or its histogram's bucket and a unit give it."""
    if indicator.is_threshold:
        value = objective.get("value")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MAX_THRESHOLD:
            return None
        scales = {_seconds_per_unit(metric) for metric in indicator.metrics}
        scale = scales.pop() if len(scales) == 1 else None
        return float(value) * scale if scale else None
    bounds = set(_bucket_bounds(indicator.good)) if indicator.good else set()
    return bounds.pop() if len(bounds) == 1 else None


def _query(part: Mapping[str, Any], source_types: Mapping[str, str]) -> Query:
    """Read one metricSource; raises ValueError that says why its metrics cannot be known."""
    source = part.get("metricSource")
    if not isinstance(source, dict):
        raise ValueError("there is no metricSource")
    kind = source.get("type") or source_types.get(str(source.get("metricSourceRef")))
    if not isinstance(kind, str) or kind.lower() not in _PROMQL_SOURCES:
        raise ValueError(f"metrics are read from PromQL only, the source's type is {str(kind)[:40]!r}")
    spec = source.get("spec")
    expressions = [spec[key] for key in _QUERY_KEYS if isinstance(spec.get(key), str)] if isinstance(spec, dict) else []
    if not expressions:
        raise ValueError(f"metricSource.spec has none of {', '.join(_QUERY_KEYS)}")
    query = read(expressions[0])
    if not query.parsed:
        raise ValueError(f"no PromQL that can be parsed: {expressions[0][:80]!r}")
    if not query.metrics:
        raise ValueError(f"the query names no metric: {expressions[0][:80]!r}")
    return query


def _labelled(metadata: Mapping[str, Any]) -> Category | None:
    for part in ("labels", "annotations"):
        for key in CATEGORY_KEYS:
            for value in texts(metadata.get(part), key):
                word = value.lower()
                return Category(word) if word in set(Category) else Category.OTHER
    return None


def _by_words(metadatas: Sequence[Mapping[str, Any]]) -> Category | None:
    """Return the one category that the names speak of; None when they speak of none or of two."""
    names = " ".join(str(m[key]) for m in metadatas for key in ("name", "displayName") if isinstance(m.get(key), str))
    patterns = {Category.LATENCY: _LATENCY, Category.AVAILABILITY: _AVAILABILITY, Category.OTHER: _OTHER}
    found = [category for category, pattern in patterns.items() if pattern.search(names.lower())]
    return found[0] if len(found) == 1 else None


def _by_metrics(indicator: Indicator) -> Category | None:
    if indicator.is_threshold:
        is_latency = any(_LATENCY_METRIC.search(metric) for metric in indicator.metrics)
        return Category.LATENCY if is_latency else None
    if indicator.good and any(_bucket_bounds(indicator.good)):
        return Category.LATENCY
    if any(_REQUEST_METRIC.search(metric) for metric in indicator.metrics):
        return Category.AVAILABILITY
    return None


def _bucket_bounds(query: Query) -> Iterator[float]:
    """Yield the upper bounds, in seconds, of the histogram buckets that a query selects."""
    for selector in query.selectors:
        scale = _seconds_per_unit(selector.metric)
        try:
            bound = float(selector.equals["le"])
        except (KeyError, ValueError):
            continue
        if scale and selector.metric.endswith("_bucket") and math.isfinite(bound):
            yield bound * scale


def _seconds_per_unit(metric: str) -> float | None:
    name = metric.removesuffix("_bucket")
    if name.endswith(("_milliseconds", "_ms", "_millis")):
        return 0.001
    return 1.0 if "_seconds" in name else None


def texts(holder: Any, key: str) -> list[str]:
    """Return a label's values: OpenSLO allows one text or a list of them."""
    value = holder.get(key) if isinstance(holder, dict) else None
    values = value if isinstance(value, list) else [value]
    return [item.strip() for item in values if isinstance(item, str) and item.strip()]
