"""SLO documents to write, and pulls of them, for the tests of the OpenSLO connector."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from plugins.connectors.openslo import CONNECTOR
from plugins.contract import Batch, PullContext, Target
from plugins.http_client import Limits, SourceClient

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REF = "component:default/checkout"
TARGET = Target(REF, "checkout")


def context(base_dir: Path, targets=(TARGET,), options=None, url: str = "") -> PullContext:
    return PullContext(
        source="openslo",
        client=SourceClient(url, limits=Limits(attempts=1)),
        options=CONNECTOR.options_schema().load(options or {}),
        targets=targets,
        now=NOW,
        base_dir=base_dir,
    )


def pull(base_dir: Path, targets=(TARGET,), **options: Any) -> Batch:
    (batch,) = CONNECTOR.pull(context(base_dir, targets, {"paths": ["."]} | options))
    return batch


def values(batch: Batch, ref: str = REF) -> dict[str, Any]:
    return {fact.key: fact.value for fact in batch.facts if fact.ref == ref}


def messages(batch: Batch) -> list[str]:
    return [f"{fault.scope}: {fault.message}" for fault in batch.faults]


def ratio(good: str, total: str, kind: str | None = "Prometheus", **metadata: Any) -> dict[str, Any]:
    def source(query: str) -> dict[str, Any]:
        return {"metricSource": ({"type": kind} if kind else {}) | {"spec": {"query": query}}}

    return {
        "metadata": metadata or {"name": "sli"},
        "spec": {"ratioMetric": {"good": source(good), "total": source(total)}},
    }


def threshold(query: str, **metadata: Any) -> dict[str, Any]:
    source = {"type": "Prometheus", "spec": {"query": query}}
    return {"metadata": metadata or {"name": "sli"}, "spec": {"thresholdMetric": {"metricSource": source}}}


AVAILABLE = ratio('sum(rate(http_total{code!~"5.."}[5m]))', "sum(rate(http_total[5m]))")
FAST = ratio('sum(rate(took_seconds_bucket{le="0.4"}[5m]))', "sum(rate(took_seconds_count[5m]))")


def slo(name: str = "availability", indicator: Any = AVAILABLE, **parts: Any) -> dict[str, Any]:
    labels = parts.pop("labels", {"team": "shop"})
    target = parts.pop("target", 0.999)
    spec = {
        "service": "checkout",
        "indicator": indicator,
        "timeWindow": [{"duration": "28d", "isRolling": True}],
        "objectives": [{"target": target}],
    }
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": name, "labels": labels},
        "spec": {key: value for key, value in (spec | parts).items() if value is not None},
    }


def written(folder: Path, *documents: Any, name: str = "slos.yaml") -> Path:
    (folder / name).write_text("---\n".join(yaml.safe_dump(d) for d in documents))
    return folder
