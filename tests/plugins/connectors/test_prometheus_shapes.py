"""Rarer answers of Prometheus and of what speaks like it: each is as its own document has it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from plugins.connectors.prometheus import CONNECTOR
from plugins.connectors.prometheus.options import Options
from plugins.contract import Batch, PullContext, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.conftest import shared
from tests.fakes.prometheus import Prometheus
from tests.fakes.server import Fault
from tests.plugins.connectors.reading import joined

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TARGETS = [Target("component:default/checkout", "checkout"), Target("component:default/search", "search")]
QUERIES = Options().promql()
REPLICAS, AVAILABILITY, FIRING = "runtime.replicas", "slo.availability.actual_28d", "alerts.firing"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Prometheus]:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "fake-token")
    fake = Prometheus(shared("specs", "prometheus.openapi.json"), NOW)
    fake.vectors[QUERIES["services"]] = [({"service": name}, "1") for name in ("checkout", "search")]
    with fake.running():
        yield fake
    assert fake.problems == []


def pull(fake: Prometheus) -> Batch:
    with SourceClient(fake.url, SourceAuth(token=Secret("${PROMETHEUS_TOKEN}")), Limits(attempts=1)) as client:
        return joined(CONNECTOR, PullContext("prometheus", client, {}, TARGETS, NOW))


def told(batch: Batch, key: str) -> dict[str, Any]:
    return {fact.ref.rpartition("/")[2]: fact.value for fact in batch.facts if fact.key == key}


def faults(batch: Batch) -> dict[str, str]:
    return {fault.scope: fault.message for fault in batch.faults}


@pytest.mark.parametrize("odd", ["NaN", "+Inf", "-Inf"])
def test_what_is_no_number_is_unknown_and_costs_no_other_service(server, odd):
    server.vectors[QUERIES[AVAILABILITY]] = [({"service": "checkout"}, odd), ({"service": "search"}, "0.5")]
    assert told(pull(server), AVAILABILITY) == {"search": 0.5}


def test_a_native_histogram_is_no_number_and_costs_no_other_service(server):
    server.vectors[QUERIES[REPLICAS]] = [({"service": "search"}, "2")]
    server.histograms[QUERIES[REPLICAS]] = [{"service": "checkout"}]
    server.histograms[QUERIES[FIRING]] = [{"service": "checkout"}]
    batch = pull(server)
    assert told(batch, REPLICAS) == {"search": 2}
    assert not {REPLICAS, FIRING} & faults(batch).keys()


def test_remarks_on_a_query_are_no_missing_part(server):
    server.vectors[QUERIES[REPLICAS]] = [({"service": "search"}, "2")]
    server.told = {
        "warnings": ["PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:10)"],
        "infos": ['PromQL info: metric might not be a counter, name does not end in _total: "x" (1:1)'],
    }
    batch = pull(server)
    assert told(batch, REPLICAS) == {"search": 2}
    assert REPLICAS not in faults(batch)


@pytest.mark.parametrize(
    "mark",
    ['"warnings": ["No StoreAPIs matched for this query"]', '"isPartial": true'],
    ids=["Thanos", "VictoriaMetrics"],
)
def test_a_part_of_an_answer_is_none(server, mark):
    server.vectors[QUERIES[REPLICAS]] = [({"service": "search"}, "2")]
    row = '{"metric": {"service": "search"}, "value": [1, "1"]}'
    body = f'{{"status": "success", {mark}, "data": {{"resultType": "vector", "result": [{row}]}}}}'
    server.faults.append(Fault(200, body, path="/api/v1/query"))
    batch = pull(server)
    assert [text for text in faults(batch).values() if "only a part of the answer" in text]


def test_rules_may_be_an_empty_list_that_go_writes_as_null(server):
    body = '{"status": "success", "data": {"groups": null}}'
    server.faults.append(Fault(200, body, path="/api/v1/rules"))
    assert "null" not in faults(pull(server)).get("rules", "")
    assert "expected" not in faults(pull(server)).get("rules", "")
