"""A simulated Prometheus: its HTTP API over the series that `telemetry.yaml` declares."""

import math
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import promql_parser
from flask import Flask, Response, request

from examples.simulated import server
from examples.simulated.promql.engine import MAX_POINTS, Engine
from examples.simulated.promql.values import METRIC_NAME, QueryError, RangeSeries, Sample, format_value
from examples.simulated.rules import alert_annotations, alert_labels, group_document, rule_groups
from examples.simulated.storage import SimulatedStorage
from examples.simulated.telemetry import AlertRule, ServiceTelemetry, load
from portal_backend.core.clock import parse_time

STATUS_OF = {"bad_data": 400, "execution": 422}
KINDS = {"_total": "counter", "_bucket": "histogram", "_count": "histogram", "_sum": "histogram"}


def create_app(telemetry: Path) -> Flask:
    """Return the application; raises TelemetryFault when the file cannot be understood."""
    app = server.make_app("simulated-prometheus", "Prometheus")
    api = _Api(SimulatedStorage(load(telemetry), server.present()))
    app.before_request(api.advance)
    app.register_error_handler(QueryError, _refuse)
    asking: dict[str, Callable[..., Any]] = {
        "query": api.query,
        "query_range": api.query_range,
        "series": api.series,
        "labels": api.labels,
    }
    reading: dict[str, Callable[..., Any]] = {
        "rules": api.rules,
        "alerts": api.alerts,
        "targets": api.targets,
        "metadata": api.metadata,
        "label/<name>/values": api.label_values,
        "status/buildinfo": api.build_info,
    }
    for path, view in {**asking, **reading}.items():
        methods = ["GET", "POST"] if path in asking else ["GET"]
        app.add_url_rule(f"/api/v1/{path}", path, _succeed(view), methods=methods)
    app.add_url_rule("/-/ready", "ready", lambda: "Simulated Prometheus is Ready.\n")
    app.add_url_rule("/-/healthy", "healthy", lambda: "Simulated Prometheus is Healthy.\n")
    return app


def _succeed(view: Callable[..., Any]) -> Callable[..., Response]:
    return lambda **arguments: server.answer({"status": "success", "data": view(**arguments)})


def _refuse(error: QueryError) -> Response:
    document = {"status": "error", "errorType": error.error_type, "error": error.message}
    return server.answer(document, STATUS_OF[error.error_type])


class _Api:
    """The views; one evaluation at a time, so that the engine's memory needs no care."""

    def __init__(self, storage: SimulatedStorage) -> None:
        self.storage = storage
        self.engine = Engine(storage)
        self.groups = [group for service in storage.telemetry.services for group in rule_groups(service)]
        self._evaluating = Lock()

    def advance(self) -> None:
        """Bring the series up to the present."""
        self.storage.advance(server.present())

    def query(self) -> dict[str, Any]:
        """`/api/v1/query`."""
        time = _moment("time", server.present().timestamp())
        with self._evaluating:
            value = self.engine.instant(self.engine.parse(_required("query")), time)
        return _instant_document(value, time)

    def query_range(self) -> dict[str, Any]:
        """`/api/v1/query_range`."""
        start, end = _moment("start"), _moment("end")
        step = _step(_required("step"))
        if end < start:
            raise QueryError('invalid parameter "end": end timestamp must not be before start time')
        if (end - start) / step > MAX_POINTS:
            raise QueryError(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
                "(?step=XX)"
            )
        with self._evaluating:
            matrix = self.engine.over_range(self.engine.parse(_required("query")), start, end, step)
        result = [{"metric": labels, "values": [_point(*point) for point in points]} for labels, points in matrix]
        return {"resultType": "matrix", "result": result}

    def series(self) -> list[dict[str, str]]:
        """`/api/v1/series`: the label sets that the selectors name."""
        selectors = request.values.getlist("match[]")
        if not selectors:
            raise QueryError("no match[] parameter provided")
        found: dict[int, dict[str, str]] = {}
        for selector in selectors:
            found |= {id(one): one.labels for one in self.engine.select(selector)}
        return list(found.values())

    def labels(self) -> list[str]:
        """`/api/v1/labels`."""
        return sorted({name for one in self.storage.series for name in one.labels})

    def label_values(self, name: str) -> list[str]:
        """`/api/v1/label/<name>/values`."""
        return sorted({one.labels[name] for one in self.storage.series if name in one.labels})

    def rules(self) -> dict[str, Any]:
        """`/api/v1/rules`, of one type when asked."""
        kind = request.args.get("type", "")
        if kind not in {"", "alert", "record"}:
            raise QueryError(f'invalid parameter "type": not supported value "{kind}"')
        groups = [self._group(group, kind) for group in self.groups]
        return {"groups": [group for group in groups if group["rules"]]}

    def _group(self, group: Any, kind: str) -> dict[str, Any]:
        interval = self.storage.grid.interval
        evaluated = math.floor(self.storage.grid.horizon / interval) * interval
        document = group_document(group, server.rfc3339(evaluated), interval, self._active)
        wanted = {"alert": "alerting", "record": "recording"}.get(kind)
        document["rules"] = [rule for rule in document["rules"] if wanted in (None, rule["type"])]
        return document

    def alerts(self) -> dict[str, Any]:
        """`/api/v1/alerts`: what fires now."""
        found = [
            active
            for service in self.storage.telemetry.services
            for alert in service.alerts
            for active in self._active(service, alert)
        ]
        return {"alerts": found}

    def _active(self, service: ServiceTelemetry, alert: AlertRule) -> list[dict[str, Any]]:
        stretches = self.storage.alerts[service.name, alert.name]
        index = stretches.holding(self.storage.grid.horizon)
        if index is None:
            return []
        return [
            {
                "labels": {"alertname": alert.name, **alert_labels(service, alert)},
                "annotations": alert_annotations(service, alert),
                "state": "firing",
                "activeAt": server.rfc3339(stretches.starts[index]),
                "value": "1e+00",
            }
        ]

    def targets(self) -> dict[str, Any]:
        """`/api/v1/targets`: one per simulated replica."""
        up = [one.labels for one in self.storage.named("up")]
        scraped = math.floor(self.storage.grid.horizon / self.storage.grid.interval) * self.storage.grid.interval
        active = [_target(labels, server.rfc3339(scraped), self.storage.grid.interval) for labels in up]
        return {"activeTargets": active, "droppedTargets": [], "droppedTargetCounts": {}}

    def metadata(self) -> dict[str, Any]:
        """`/api/v1/metadata`, of one metric when asked."""
        wanted = request.args.get("metric")
        names = [name for name in self.storage.metrics() if wanted in (None, "", name)]
        return {name: [{"type": _kind(name), "unit": "", "help": f"Simulated {name}."}] for name in names}

    def build_info(self) -> dict[str, str]:
        """`/api/v1/status/buildinfo`."""
        return {
            "version": server.VERSION,
            "revision": "simulated",
            "branch": "simulated",
            "buildUser": "simulated",
            "buildDate": "simulated",
            "goVersion": "simulated",
        }


def _instant_document(value: Any, time: float) -> dict[str, Any]:
    if isinstance(value, float):
        return {"resultType": "scalar", "result": _point(time, value)}
    if isinstance(value, str):
        return {"resultType": "string", "result": [time, value]}
    if value and isinstance(value[0], RangeSeries):
        return {"resultType": "matrix", "result": [_range_document(member) for member in value]}
    return {"resultType": "vector", "result": [_sample_document(sample, time) for sample in value]}


def _sample_document(sample: Sample, time: float) -> dict[str, Any]:
    return {"metric": sample.labels, "value": _point(time, sample.value)}


def _range_document(member: RangeSeries) -> dict[str, Any]:
    return {"metric": member.labels, "values": [_point(*point) for point in zip(*member.window.samples, strict=True)]}


def _point(time: float, value: float) -> list[float | str]:
    return [int(time) if time == int(time) else time, format_value(value)]


def _required(name: str) -> str:
    value = request.values.get(name, "")
    if not value:
        raise QueryError(f'invalid parameter "{name}": it is missing')
    return value


def _moment(name: str, default: float | None = None) -> float:
    text = request.values.get(name) or ("" if default is not None else _required(name))
    if not text and default is not None:
        return round(default, 3)
    try:
        return _finite(float(text))
    except ValueError:
        pass
    try:
        return parse_time(text).timestamp()
    except ValueError as error:
        raise QueryError(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp') from error


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def _step(text: str) -> float:
    try:
        seconds = _finite(float(text))
    except ValueError:
        try:
            seconds = promql_parser.parse_duration(text).total_seconds()
        except ValueError as error:
            raise QueryError(f'invalid parameter "step": cannot parse "{text}" to a valid duration') from error
    if seconds <= 0:
        raise QueryError(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a '
            "positive integer"
        )
    return seconds


def _target(labels: dict[str, str], scraped_at: str, interval: int) -> dict[str, Any]:
    address = f"http://{labels['instance']}/metrics"
    return {
        "discoveredLabels": {"__address__": labels["instance"], "job": labels["job"]},
        "labels": {name: value for name, value in labels.items() if name != METRIC_NAME},
        "scrapePool": labels["job"],
        "scrapeUrl": address,
        "globalUrl": address,
        "lastError": "",
        "lastScrape": scraped_at,
        "lastScrapeDuration": 0.004,
        "health": "up",
        "scrapeInterval": f"{interval}s",
        "scrapeTimeout": "10s",
    }


def _kind(metric: str) -> str:
    return next((kind for ending, kind in KINDS.items() if metric.endswith(ending)), "gauge")
