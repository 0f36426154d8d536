"""A Prometheus that hangs, talks rubbish, breaks off or knows no rules, and options that are wrong."""

import time
from typing import Any

import pytest
from marshmallow import ValidationError

from plugins.connectors.prometheus import CONNECTOR
from plugins.contract import Batch, FailureKind, PullContext, PullFailed, PullFault
from plugins.http_client import Limits, SourceClient
from portal_backend.core.clock import now
from tests.plugins.connectors.prometheus_history import (
    END,
    LAST,
    STEP,
    TARGETS,
    by_service,
    faults_of,
    pull,
)
from tests.plugins.misbehaving import Answer, always, send, serving
from tests.prometheus_server import prometheus, series


def test_a_server_without_rules_says_nothing_about_alerts() -> None:
    lines = series("up", {"service": "quiet"}, range(END - STEP, LAST + 1, STEP), lambda _: 1)
    with prometheus(lines) as url:
        batches, _ = pull(url)
    assert not [key for key in by_service(batches)["quiet"] if key.startswith("alerts.")]
    assert "no alerting rules" in faults_of(batches)["rules"]


def failure_of(answer: Answer, **limits: Any) -> PullFailed:
    with serving(answer) as server, pytest.raises(PullFailed) as caught:
        pull(server.url, **{"attempts": 1, **limits})
    return caught.value


def test_a_source_that_hangs_fails_the_pull_soon() -> None:
    started = time.monotonic()
    failure = failure_of(lambda _: time.sleep(1), read_seconds=0.2, total_seconds=5)
    assert failure.kind is FailureKind.TIMEOUT
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "body",
    [
        b"<html>sign in</html>",
        b"\x00\xff",
        b"[]",
        b"{}",
        b'{"status": "error", "error": "no"}',
        b'{"status": "success", "data": null}',
        b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": {}}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1]}]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": 3, "value": [1, "2"]}]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"value": ["x", "y"]}]}}',
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1e99, "1"]}]}}',
        b'{"status": "success", "warnings": ["store-3 is down"], "data": {"resultType": "vector", "result": []}}',
    ],
)
def test_rubbish_fails_the_pull_and_gives_no_fact(body: bytes) -> None:
    assert failure_of(always(200, body)).kind is FailureKind.BAD_ANSWER


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, FailureKind.CREDENTIALS), (404, FailureKind.MISCONFIGURED), (503, FailureKind.UNREACHABLE)],
)
def test_what_would_go_on_failing_is_asked_once(status: int, kind: FailureKind) -> None:
    with serving(always(status)) as server:
        with pytest.raises(PullFailed) as caught:
            pull(server.url, attempts=1)
        assert caught.value.kind is kind
        assert len(server.seen) == 1


def test_a_source_that_breaks_off_half_way_keeps_what_it_has_said() -> None:
    row = b'{"metric": {"service": "quiet"}, "value": [%d, "3"]}' % time.time()
    good = b'{"status": "success", "data": {"resultType": "vector", "result": [%s]}}' % row

    def half(handler: Any) -> None:
        if len(server.seen) <= 7:
            send(handler, 200, good)
        else:
            send(handler, 401)

    batches: list[Batch] = []
    with serving(half) as server, SourceClient(server.url, limits=Limits(attempts=1)) as client:
        context = PullContext("prometheus", client, {}, TARGETS, now())
        with pytest.raises(PullFailed) as caught:
            batches.extend(CONNECTOR.pull(context))
    assert caught.value.kind is FailureKind.CREDENTIALS
    assert by_service(batches)["quiet"]["runtime.replicas"] == 3
    assert len(server.seen) == 8
    left = [fault for batch in batches for fault in batch.faults if "not asked any more" in fault.message]
    assert left == [PullFault(left[0].scope, left[0].message)]
    assert "signals.latency" in left[0].scope
    assert "alerts.slo_burn.count" not in by_service(batches)["quiet"]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"service_label": "a-b"}, "service_label"),
        ({"window": "4w"}, "window"),
        ({"queries": {"no.such": "up"}}, "queries"),
        ({"paging_severities": []}, "paging_severities"),
        ({"latency_slo_pattern": "("}, "latency_slo_pattern"),
        ({"labels": "x"}, "labels"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], path: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CONNECTOR.options_schema().load(options)
    assert list(caught.value.messages) == [path]
