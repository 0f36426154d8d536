"""Our own telemetry: structured logs that carry the request id, and Prometheus metrics of requests."""

import logging
import os
import time
from functools import lru_cache
from typing import Any

import orjson
from flask import Flask, Request, Response, g, has_request_context, request
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from portal_backend.core.clock import format_time, now

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REQUESTS = Counter("portal_http_requests_total", "HTTP requests answered.", ["method", "route", "status"])
SECONDS = Histogram("portal_http_request_duration_seconds", "Time to answer an HTTP request.", ["method", "route"])
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record with time, level, logger, message, request id and whatever `extra` it was given."""
        entry: dict[str, Any] = {
            "time": format_time(now()),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context():
            entry["request_id"] = g.get("request_id")
        if isinstance(extra := getattr(record, "portal", None), dict):
            entry.update(extra)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=str).decode()


def configure_logging() -> None:
    """Send every log record of INFO and above to standard error as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def init_app(app: Flask) -> None:
    """Measure every request."""
    app.before_request(_start)
    app.after_request(_measure)


def exposition() -> bytes:
    """Return the metrics of all processes of this server in Prometheus's text format."""
    if os.environ.get(MULTIPROCESS_VARIABLE):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(REGISTRY)


def _start() -> None:
    g.started = time.perf_counter()


def _measure(response: Response) -> Response:
    # An unknown path is one series, not one for each path that somebody tries.
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    rule, method = asked.url_rule, asked.method
    route = rule.rule if rule else "unmatched"
    method = method if method in METHODS else "other"
    counter, seconds = _series(method, route, response.status_code)
    counter.inc()
    started = g.get("started")
    if started is not None:
        seconds.observe(time.perf_counter() - started)
    return response


@lru_cache(4_096)
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Return the two series that a request belongs to: finding them by their labels costs more than counting."""
    return REQUESTS.labels(method, route, str(status)), SECONDS.labels(method, route)
