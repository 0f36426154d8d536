"""Prometheus: answers kept by query, rules, and the version, in the shapes of its own document.

It evaluates nothing: what a query means is for the tests with a real server. What it holds fast is the contract, also
where a connector is answered by faults in between.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import request

from tests.fakes.server import Fake

Row = tuple[Mapping[str, str], str]
"""Labels, and a value as the server writes it: `3`, `NaN`, `+Inf`."""
MOST_POINTS = 11_000
STEP = re.compile(r"\d+(\.\d+)?|(\d+(ms|[smhdwy]))+")


class Prometheus(Fake):
    """Keeps what queries answer; one that it does not know has no series."""

    base_path = "/api/v1"

    def __init__(self, spec_file: Path, now: datetime, token: str = "fake-token") -> None:
        self.now = now.timestamp()
        self.vectors: dict[str, Sequence[Row]] = {}
        self.histograms: dict[str, Sequence[Mapping[str, str]]] = {}
        """Series of a query whose samples are native histograms: only their labels count here."""
        self.series: dict[str, Sequence[tuple[Mapping[str, str], Sequence[float]]]] = {}
        """Answers over time: labels, and the moments at which there was a value."""
        self.rules: list[dict[str, Any]] = []
        self.told: dict[str, list[str]] = {}
        """`warnings` and `infos` of every answer to a query."""
        super().__init__(spec_file, token)

    def register(self) -> None:
        self.app.get("/api/v1/status/buildinfo")(self.version)
        self.app.get("/api/v1/rules")(self.listed_rules)
        self.app.post("/api/v1/query")(self.query)
        self.app.post("/api/v1/query_range")(self.query_range)

    def add_alert(self, name: str, query: str, labels: Mapping[str, str], **annotations: str) -> None:
        self.rules.append(
            {"type": "alerting", "name": name, "query": query, "duration": 60, "keepFiringFor": 0, "state": "inactive",
             "labels": dict(labels), "annotations": annotations, "alerts": [], "health": "ok", "evaluationTime": 0.001,
             "lastEvaluation": "2026-11-22T12:00:00Z"}
        )  # fmt: skip

    def version(self) -> Any:
        built = {"revision": "d15adb9", "branch": "HEAD", "buildUser": "root", "buildDate": "20260801-10:00:00"}
        return {"status": "success", "data": {"version": "3.14.0", "goVersion": "go1.25", **built}}

    def listed_rules(self) -> Any:
        kind = {"alert": "alerting", "record": "recording"}.get(request.args.get("type", ""))
        if "type" in request.args and kind is None:
            return self.refuse(400, f"not supported value {request.args['type']!r}")
        found = [rule for rule in self.rules if kind is None or rule["type"] == kind]
        group = {"name": "g", "file": "/etc/rules.yml", "rules": found, "interval": 60, "limit": 0,
                 "evaluationTime": 0.01, "lastEvaluation": "2026-11-22T12:00:00Z"}  # fmt: skip
        return {"status": "success", "data": {"groups": [group] if found else []}}

    def query(self) -> Any:
        asked = request.form["query"]
        rows = [{"metric": dict(labels), "value": [self.now, value]} for labels, value in self.vectors.get(asked, ())]
        rows += [{"metric": dict(labels), "histogram": [self.now, HISTOGRAM]} for labels in self._native(asked)]
        return self._answered("vector", rows)

    def query_range(self) -> Any:
        start, end = (datetime.fromisoformat(request.form[name]).timestamp() for name in ("start", "end"))
        step = request.form["step"]
        if not STEP.fullmatch(step) or end < start or (end - start) / float(step) > MOST_POINTS:
            return self.refuse(400, "exceeded maximum resolution of 11,000 points per timeseries")
        asked = request.form["query"]
        rows = [
            {"metric": dict(labels), "values": [[moment, "1"] for moment in times]}
            for labels, times in self.series.get(asked, ())
        ]
        rows += [{"metric": dict(labels), "histograms": [[self.now, HISTOGRAM]]} for labels in self._native(asked)]
        return self._answered("matrix", rows)

    def _native(self, asked: str) -> Sequence[Mapping[str, str]]:
        return self.histograms.get(asked, ())

    def _answered(self, kind: str, rows: list[dict[str, Any]]) -> Any:
        return {"status": "success", "data": {"resultType": kind, "result": rows}, **self.told}

    def refuse(self, status: int, message: str) -> tuple[Any, int]:
        return {"status": "error", "errorType": "bad_data", "error": message}, status


HISTOGRAM = {"count": "3", "sum": "1.5", "buckets": [[0, "0.25", "0.5", "3"]]}
