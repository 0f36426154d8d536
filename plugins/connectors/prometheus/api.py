"""Prometheus' HTTP API: questions out, checked shapes back.

Sent by POST, since a question over many labels outgrows a URL; both ways only read.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from plugins.contract import FailureKind, PullFailed
from plugins.http_client import SourceClient
from plugins.moments import rfc3339


@dataclass(frozen=True)
class Sample:
    """One series' value at one time; never NaN or infinite."""

    labels: Mapping[str, str]
    value: float
    at: datetime


@dataclass(frozen=True)
class Series:
    """The points in time (Unix seconds) at which a series had a value, in order."""

    labels: Mapping[str, str]
    times: tuple[float, ...]


@dataclass(frozen=True)
class AlertRule:
    """An alerting rule as the server evaluates it."""

    name: str
    expression: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True)
class RecordingRule:
    """A recording rule as the server evaluates it."""

    name: str
    expression: str
    labels: Mapping[str, str]


def instant(client: SourceClient, promql: str) -> list[Sample]:
    """Evaluate a query at the server's own time. Raises PullFailed, also when the answer is only a part."""
    answer = client.post_form_json("api/v1/query", {"query": promql})
    samples = []
    for row in _result(answer, "vector"):
        if "value" not in row and "histogram" in row:
            continue  # a native histogram is no number; a query for one says histogram_quantile or histogram_count
        at, value = _pair(row.get("value"))
        if math.isfinite(value):
            samples.append(Sample(_labels(row.get("metric")), value, _moment(at)))
    return samples


def over_time(client: SourceClient, promql: str, start: float, end: float, step: int) -> list[Series]:
    """Evaluate a query at every step (seconds) from start to end (Unix seconds). Raises PullFailed."""
    question = {"query": promql, "start": rfc3339(_moment(start)), "end": rfc3339(_moment(end)), "step": str(step)}
    answer = client.post_form_json("api/v1/query_range", question)
    return [
        Series(_labels(row.get("metric")), tuple(_pair(pair)[0] for pair in _list(row.get("values"))))
        for row in _result(answer, "matrix")
        if "values" in row or "histograms" not in row
    ]


def alert_rules(client: SourceClient) -> list[AlertRule]:
    """Return every alerting rule that the server has loaded. Raises PullFailed."""
    return [
        AlertRule(
            name=str(rule.get("name", "")),
            expression=str(rule.get("query", "")),
            labels=_labels(rule.get("labels") or {}),
            annotations=_labels(rule.get("annotations") or {}),
        )
        for rule in _rules(client, "alert", "alerting")
    ]


def recording_rules(client: SourceClient) -> list[RecordingRule]:
    """Return every recording rule that the server has loaded. Raises PullFailed."""
    return [
        RecordingRule(str(rule.get("name", "")), str(rule.get("query", "")), _labels(rule.get("labels") or {}))
        for rule in _rules(client, "record", "recording")
    ]


def _rules(client: SourceClient, asked: str, kind: str) -> Iterator[dict[str, Any]]:
    data = _data(client.get_json("api/v1/rules", {"type": asked}))
    groups = data.get("groups", ())
    for group in [] if groups is None else _list(groups):  # Go writes an empty list as null, and some proxies do
        yield from (rule for rule in _list(_dict(group).get("rules") or []) if _dict(rule).get("type") == kind)


def version(client: SourceClient) -> str:
    """Return the version that the server gives. Raises PullFailed."""
    return str(_data(client.get_json("api/v1/status/buildinfo")).get("version", "unknown"))


def _result(answer: Any, wanted: str) -> Iterator[dict[str, Any]]:
    data = _data(answer)
    if data.get("resultType") != wanted:
        raise _bad(
            f"a {data.get('resultType')} where a {wanted} was asked for; the query must give one value per service"
        )
    for row in _list(data.get("result")):
        yield _dict(row)


def _data(answer: Any) -> dict[str, Any]:
    document = _dict(answer)
    if "status" not in document:
        raise _bad("an object without the status that each answer of a Prometheus has")
    if document["status"] != "success":
        raise _bad(f"status {document['status']!r}: {document.get('error', '')}")
    partial = [text for text in document.get("warnings") or [] if not str(text).startswith("PromQL ")]
    if partial:  # some store did not answer: a sum over the rest would be wrong
        raise _bad(f"only a part of the answer: {partial[0]}")
    if document.get("isPartial") is True:  # so says VictoriaMetrics
        raise _bad("only a part of the answer: some of its storage nodes did not answer")
    return _dict(document.get("data"))


def _pair(pair: Any) -> tuple[float, float]:
    try:
        at, value = pair
        return float(at), float(value)
    except (TypeError, ValueError) as error:
        raise _bad(f"a sample of an unknown shape: {pair!r:.80}") from error


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise _bad(f"a sample of an impossible time: {seconds!r}") from error


def _labels(labels: Any) -> Mapping[str, str]:
    return {str(name): str(value) for name, value in _dict(labels).items()}


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(f"{type(value).__name__} where an object was expected")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _bad(f"{type(value).__name__} where a list was expected")
    return value


def _bad(message: str) -> PullFailed:
    return PullFailed(FailureKind.BAD_ANSWER, f"the server answered {message}")
