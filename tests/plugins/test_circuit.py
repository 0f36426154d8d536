"""The circuit breaker of a source: pure rules, and what sources, runs and people see of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import ValidationError
from sqlalchemy.orm import Session

from plugins import circuit, sources
from plugins.circuit import CircuitState
from plugins.contract import FailureKind, PullFailed
from plugins.health import SourceHealth, get_health
from plugins.http_client import Limits, SourceClient
from plugins.pulling import Progress
from plugins.settings import CollectingSettings, CollectingSettingsSchema, current
from portal_backend.app import create_app
from portal_backend.core.config import SourceConfig, load_config
from portal_backend.core.errors import InvalidInput
from tests.plugins.misbehaving import always, in_turn, serving

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SETTINGS = CollectingSettings(failures_to_open=3, open_for=10 * MINUTE, longest_open=30 * MINUTE)
AWAY = PullFailed(FailureKind.UNREACHABLE, "connection refused")


@pytest.fixture
def prod(session: Session) -> Session:
    source = SourceConfig("prod", "prometheus", "http://prometheus", every=5 * MINUTE)
    sources.sync_sources(session, [source])
    session.commit()
    return session


def run(session: Session, now: datetime, failure: PullFailed | None = None) -> sources.Lease:
    lease = sources.acquire(session, "prod", now, settings=SETTINGS)
    assert lease is not None
    sources.finish(session, lease, Progress(), now, failure, SETTINGS)
    return lease


def health(session: Session, now: datetime) -> SourceHealth:
    session.expire_all()
    return get_health(session, "prod", now)


def fail(session: Session, times: int, failure: PullFailed = AWAY) -> None:
    for number in range(times):
        run(session, NOW + number * MINUTE, failure)


def test_repeated_failures_open_the_circuit_and_its_state_is_said_in_words(prod: Session) -> None:
    fail(prod, 2)
    assert health(prod, NOW).circuit is CircuitState.CLOSED
    run(prod, NOW, AWAY)
    told = health(prod, NOW)
    assert (told.circuit, told.circuit_opened_at) == (CircuitState.OPEN, NOW)
    assert told.next_due_at == NOW + 10 * MINUTE
    assert told.circuit_words == (
        "open since 2026-11-22T10:00:00Z, after 3 failed runs in a row: it is left alone until 2026-11-22T10:10:00Z, "
        "then asked once"
    )
    assert sources.due(prod, NOW + 9 * MINUTE) == []
    assert sources.due(prod, NOW + 10 * MINUTE) == ["prod"]
    half = health(prod, NOW + 10 * MINUTE)
    assert half.circuit is CircuitState.HALF_OPEN
    assert "the next run asks once" in half.circuit_words


def test_the_probe_closes_the_circuit_or_opens_it_for_twice_as_long(prod: Session) -> None:
    fail(prod, 3)
    opened = health(prod, NOW).circuit_opened_at
    later = NOW + 20 * MINUTE
    assert run(prod, later, AWAY).probe is True
    told = health(prod, later)
    assert (told.circuit, told.circuit_opened_at, told.next_due_at) == (CircuitState.OPEN, opened, later + 20 * MINUTE)
    for number in range(2, 6):
        run(prod, NOW + number * 60 * MINUTE, AWAY)
    told = health(prod, NOW + 300 * MINUTE)
    assert told.next_due_at == NOW + 300 * MINUTE + SETTINGS.longest_open
    assert run(prod, NOW + 400 * MINUTE).probe is True
    closed = health(prod, NOW + 400 * MINUTE)
    assert (closed.circuit, closed.circuit_opened_at, closed.consecutive_failures) == (CircuitState.CLOSED, None, 0)
    assert run(prod, NOW + 500 * MINUTE).probe is False


@pytest.mark.parametrize("kind", [FailureKind.RATE_LIMITED, FailureKind.INTERNAL])
def test_what_is_no_outage_opens_no_circuit(prod: Session, kind: FailureKind) -> None:
    fail(prod, 6, PullFailed(kind, "wait", retry_after_seconds=5))
    assert health(prod, NOW).circuit is CircuitState.CLOSED


def test_a_person_may_ask_for_the_probe_at_once_and_a_new_service_does_not(prod: Session) -> None:
    fail(prod, 3)
    sources.request_collection_of_all(prod, NOW + 3 * MINUTE)
    assert sources.due(prod, NOW + 3 * MINUTE) == []
    sources.request_collection(prod, "prod", NOW + 3 * MINUTE)
    assert sources.due(prod, NOW + 3 * MINUTE) == ["prod"]


def test_another_address_starts_with_a_closed_circuit(prod: Session) -> None:
    fail(prod, 3)
    sources.sync_sources(prod, [SourceConfig("prod", "prometheus", "http://elsewhere", every=5 * MINUTE)])
    assert health(prod, NOW).circuit is CircuitState.CLOSED


def test_the_state_is_read_by_http_and_runs_say_that_they_were_probes(prod: Session, client: FlaskClient) -> None:
    fail(prod, 3)
    run(prod, NOW + 15 * MINUTE)
    fail(prod, 3)
    prod.commit()
    told = client.get("/api/plugins/sources/prod").get_json()
    assert told["circuit"] in {"open", "half_open"}
    assert told["circuit_opened_at"] == "2026-11-22T10:02:00Z"
    assert "3 failed runs" in told["circuit_words"]
    runs = client.get("/api/plugins/sources/prod/runs").get_json()["items"]
    assert [one["probe"] for one in runs] == [False, False, False, True, False, False, False]


def test_a_probe_asks_once_and_goes_on_as_usual_after_the_first_answer() -> None:
    with serving(always(503)) as server:
        for probing, requests in ((True, 1), (False, 3)):
            with SourceClient(server.url, limits=Limits(attempts=3, total_seconds=20), probing=probing) as client:
                with pytest.raises(PullFailed):
                    client.get_json("x")
                assert client.requests_made == requests
    with serving(in_turn(always(200), always(503), always(200))) as server, SourceClient(server.url, probing=True) as c:
        assert (c.get_json("x"), c.get_json("y"), c.requests_made) == ({}, {}, 3)


def test_a_source_is_read_whole_at_first_and_once_a_day(prod: Session) -> None:
    assert run(prod, NOW, AWAY).reconcile is True
    assert run(prod, NOW).reconcile is True
    assert health(prod, NOW).reconciled_at == NOW
    assert run(prod, NOW + timedelta(hours=23)).reconcile is False
    assert run(prod, NOW + timedelta(hours=24)).reconcile is True
    assert health(prod, NOW).reconciled_at == NOW + timedelta(hours=24)


def test_settings_are_checked_and_have_defaults() -> None:
    assert CollectingSettingsSchema().load({}) == CollectingSettings()
    made = CollectingSettingsSchema().load({"failures_to_open": 2, "open_for": "1m", "reconcile_every": "12h"})
    assert (made.failures_to_open, made.open_for, made.reconcile_every) == (2, MINUTE, timedelta(hours=12))
    for wrong in ({"failures_to_open": 0}, {"open_for": "2h", "longest_open": "1h"}, {"open_fro": "1m"}):
        with pytest.raises(ValidationError):
            CollectingSettingsSchema().load(wrong)


def test_the_time_left_alone_is_bounded_however_many_failures_there_were() -> None:
    assert circuit.open_for(3, SETTINGS) == 10 * MINUTE
    assert circuit.open_for(10_000, SETTINGS) == SETTINGS.longest_open


def test_the_configuration_sets_them_and_names_what_is_wrong(tmp_path: Path) -> None:
    def app_of(written: str) -> Flask:
        path = tmp_path / "portal.yaml"
        path.write_text(f"data_dir: {tmp_path}\ncollecting: {written}\n")
        return create_app(load_config(path))

    with app_of("{failures_to_open: 2, open_for: 2m}").app_context():
        assert (current().failures_to_open, current().open_for) == (2, 2 * MINUTE)
    with pytest.raises(InvalidInput) as refused:
        app_of("{open_for: soon}")
    assert [fault.path for fault in refused.value.faults] == ["collecting.open_for"]
