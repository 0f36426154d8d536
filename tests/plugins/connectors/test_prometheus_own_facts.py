"""Facts that an organisation measures by PromQL of its own, with a server double that checks each question."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.connectors.prometheus import CONNECTOR
from plugins.connectors.prometheus.options import Options
from plugins.contract import Batch, FactSpec, FactType, PullContext, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth, load_config
from portal_backend.core.errors import InvalidInput
from portal_backend.settings import declared_facts, option_schemas
from tests.conftest import shared
from tests.fakes.prometheus import Prometheus
from tests.plugins.connectors.reading import joined

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REF = "component:default/checkout"


def fact(key: str = "queue.oldest_seconds", kind: str = "number", query: str = "", **parts: Any) -> dict[str, Any]:
    query = query or f"max by ($service_label) ({key.replace('.', '_')})"
    return {"key": key, "type": kind, "description": "What it is.", "query": query, **parts}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Prometheus]:
    fake = Prometheus(shared("specs", "prometheus.openapi.json"), NOW)
    monkeypatch.setenv("PROMETHEUS_TOKEN", fake.token)
    fake.vectors[Options().promql()["services"]] = [({"service": "checkout"}, "2")]
    with fake.running():
        yield fake
    assert fake.problems == []


def pull(fake: Prometheus, *facts: dict[str, Any]) -> Batch:
    client = SourceClient(fake.url, SourceAuth(token=Secret("${PROMETHEUS_TOKEN}")), Limits(attempts=1))
    loaded = CONNECTOR.options_schema().load({"facts": list(facts)})
    return joined(CONNECTOR, PullContext("prometheus", client, loaded, [Target(REF, "checkout")], NOW))


def values(batch: Batch) -> dict[str, Any]:
    return {one.key: one.value for one in batch.facts if one.ref == REF}


@pytest.mark.parametrize(
    ("kind", "sample", "value"),
    [
        ("number", "12.5", 12.5),
        ("integer", "12.0000001", 12),
        ("boolean", "1", True),
        ("boolean", "0.5", False),
        ("datetime", "1763812800", "2025-11-22T12:00:00Z"),
    ],
)
def test_a_sample_becomes_a_value_of_the_declared_type(server: Prometheus, kind: str, sample: str, value: Any) -> None:
    server.vectors["max by (service) (queue_oldest_seconds)"] = [({"service": "checkout"}, sample)]
    found = values(pull(server, fact(kind=kind)))["queue.oldest_seconds"]
    assert (found, type(found)) == (value, type(value))


def test_what_is_not_measured_or_ambiguous_gives_no_fact(server: Prometheus) -> None:
    assert "queue.oldest_seconds" not in values(pull(server, fact()))
    both = [({"service": "checkout", "queue": name}, "1") for name in ("a", "b")]
    server.vectors["max by (service) (queue_oldest_seconds)"] = both
    batch = pull(server, fact())
    assert "queue.oldest_seconds" not in values(batch)
    assert [one.scope for one in batch.faults if "not one sample" in one.message] == ["queue.oldest_seconds"]


def test_each_fact_is_declared_with_its_age() -> None:
    loaded = CONNECTOR.options_schema().load({"facts": [fact(unit="seconds", max_age_days=1)]})
    (spec,) = CONNECTOR.declared(loaded)
    assert isinstance(spec, FactSpec)
    assert (spec.key, spec.type, spec.unit, spec.max_age.days) == (
        "queue.oldest_seconds",
        FactType.NUMBER,
        "seconds",
        1,
    )


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ([fact(kind="string")], "must be one of boolean, datetime, integer, number: a sample is a number"),
        ([fact("traffic.rps_now")], "give its query under queries: {traffic.rps_now: …}"),
        ([fact(), fact()], "declares queue.oldest_seconds more than once"),
        ([fact("Queue")], "must be words joined by dots"),
        ([{**fact(), "query": ""}], "Shorter than minimum length"),
        ([fact("loadtest.max_rps", unit="hours")], "is known as number in requests_per_second"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused_at_start(
    tmp_path: Path, facts: list[dict[str, Any]], words: str
) -> None:
    source = {"name": "prod", "plugin": "prometheus", "url": "http://127.0.0.1:9/", "options": {"facts": facts}}
    (tmp_path / "portal.yaml").write_text(yaml.safe_dump({"sources": [source]}))
    with pytest.raises(InvalidInput) as refused:
        declared_facts(load_config(tmp_path / "portal.yaml", option_schemas()))
    (fault,) = refused.value.faults
    assert words in fault.message
    assert "options.facts" in fault.path
