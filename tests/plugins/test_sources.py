"""Sources, leases and runs, on both databases; also with workers that compete, hang and are killed."""

import json
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from plugins import sources
from plugins.contract import Batch, Event, Fact, FailureKind, PullFailed, PullFault
from plugins.health import SourceHealth, SourceState, health
from plugins.models import Source, SourceRun
from plugins.pulling import Progress
from plugins.sources import LeaseLost
from portal_backend.core.config import Secret, SourceAuth, SourceConfig
from portal_backend.core.errors import NotFound

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
REF = "component:default/checkout"


def config(name: str = "prod", **values: object) -> SourceConfig:
    given = {"plugin": "prometheus", "url": "http://prometheus", "every": timedelta(minutes=5), **values}
    return SourceConfig(name, **given)  # type: ignore[arg-type]


def progress(facts: int = 2, cursor: str | None = None) -> Progress:
    found = Progress(targets=3)
    found.add(
        Batch(
            facts=[Fact(REF, f"fact.{number}", 1.0, NOW) for number in range(facts)],
            events=[Event(REF, "1", "alert.fired", NOW, "x")],
            faults=[PullFault("traffic.rps_now", "too slow")],
            unmatched=["legacy", "old"],
            cursor=cursor,
        ),
        requests=7,
    )
    return found


@pytest.fixture
def prod(session: Session) -> Session:
    sources.sync_sources(session, [config()])
    session.commit()
    return session


def state(session: Session, now: datetime = NOW, name: str = "prod") -> SourceHealth:
    session.expire_all()
    return health(session, now)[name]


def test_configured_sources_are_listed_in_the_order_of_the_configuration(session: Session) -> None:
    sources.sync_sources(session, [config("z"), config("a", simulated=True)])
    found = health(session, NOW)
    assert list(found) == ["z", "a"]
    assert [health.simulated for health in found.values()] == [False, True]
    assert {health.state for health in found.values()} == {SourceState.NEVER_RAN}
    assert "slo.availability.target" in found["z"].facts


def test_a_source_that_leaves_the_configuration_is_pulled_no_more_but_remembered(prod: Session) -> None:
    sources.sync_sources(prod, [config("other")])
    assert list(health(prod, NOW)) == ["other"]
    assert sources.due(prod, NOW) == ["other"]
    assert sources.acquire(prod, "prod", NOW) is None
    sources.sync_sources(prod, [config("other"), config()])
    assert list(health(prod, NOW)) == ["other", "prod"]


def test_syncing_again_changes_nothing_that_runs_have_written(prod: Session) -> None:
    lease = sources.acquire(prod, "prod", NOW)
    sources.save_progress(prod, lease, progress(cursor="c1"), NOW)
    sources.finish(prod, lease, progress(), NOW)
    before = state(prod)
    sources.sync_sources(prod, [config()])
    assert state(prod) == before
    assert sources.acquire(prod, "prod", NOW + 10 * MINUTE).cursor == "c1"


def test_another_address_is_another_system_so_the_cursor_is_dropped(prod: Session) -> None:
    lease = sources.acquire(prod, "prod", NOW)
    sources.save_progress(prod, lease, progress(cursor="c1"), NOW)
    sources.finish(prod, lease, progress(), NOW)
    sources.sync_sources(prod, [config(url="http://elsewhere")])
    assert sources.due(prod, NOW) == ["prod"]
    assert sources.acquire(prod, "prod", NOW).cursor is None


def test_no_secret_is_stored(prod: Session) -> None:
    sources.sync_sources(prod, [config(auth=SourceAuth(token=Secret("${TOKEN}")), url="http://h/?token=s3cr3t")])
    row = prod.get(Source, "prod")
    assert "s3cr3t" not in json.dumps({column.name: str(getattr(row, column.name)) for column in Source.__table__.c})


def test_one_run_at_a_time(prod: Session) -> None:
    first = sources.acquire(prod, "prod", NOW)
    assert first is not None
    assert sources.acquire(prod, "prod", NOW + MINUTE) is None
    assert sources.due(prod, NOW + MINUTE) == []
    assert state(prod, NOW + MINUTE).state is SourceState.RUNNING


def test_a_good_run_is_reported_with_all_it_brought(prod: Session) -> None:
    lease = sources.acquire(prod, "prod", NOW)
    sources.save_progress(prod, lease, progress(), NOW)
    sources.finish(prod, lease, progress(), NOW + MINUTE)
    health = state(prod)
    assert health.state is SourceState.OK
    assert (health.last_attempt_at, health.last_success_at) == (NOW, NOW + MINUTE)
    assert (health.targets, health.matched, health.unmatched, health.faults) == (3, 1, 2, 1)
    assert health.unmatched_sample == ("legacy", "old")
    assert health.fault_sample == ({"scope": "traffic.rps_now", "message": "too slow"},)
    assert NOW + 6 * MINUTE <= health.next_due_at <= NOW + 6.5 * MINUTE
    (run,) = prod.scalars(select(SourceRun))
    assert (run.state, run.requests, run.facts, run.events, run.matched) == ("ok", 7, 2, 1, 1)
    assert (run.started_at, run.finished_at) == (NOW, NOW + MINUTE)


def test_a_failed_run_says_why_and_erases_nothing(prod: Session) -> None:
    lease = sources.acquire(prod, "prod", NOW)
    sources.finish(prod, lease, progress(), NOW)
    lease = sources.acquire(prod, "prod", NOW + 6 * MINUTE)
    failure = PullFailed(FailureKind.CREDENTIALS, "the token is not accepted")
    sources.finish(prod, lease, Progress(), NOW + 7 * MINUTE, failure)
    health = state(prod)
    assert health.state is SourceState.FAILING
    assert (health.failure_kind, health.failure_message) == ("credentials", "the token is not accepted")
    assert (health.last_success_at, health.last_attempt_at) == (NOW, NOW + 6 * MINUTE)
    assert (health.matched, health.unmatched, health.consecutive_failures) == (1, 2, 1)
    lease = sources.acquire(prod, "prod", NOW + 10 * MINUTE)
    assert state(prod, NOW + 10 * MINUTE).failure_kind == "credentials"  # while the next run is under way
    sources.finish(prod, lease, Progress(), NOW + 10 * MINUTE)
    assert (state(prod).state, state(prod).failure_kind, state(prod).consecutive_failures) == ("ok", None, 0)


def test_failures_in_a_row_wait_longer_but_never_for_hours(prod: Session) -> None:
    waits = []
    for attempt in range(7):
        moment = NOW + timedelta(hours=attempt)
        lease = sources.acquire(prod, "prod", moment)
        sources.finish(prod, lease, Progress(), moment, PullFailed(FailureKind.TIMEOUT, "slow"))
        waits.append(state(prod).next_due_at - moment)
    for wait, minutes in zip(waits, (1, 2, 4, 8, 15, 15, 15), strict=True):
        assert minutes * MINUTE <= wait <= 1.1 * minutes * MINUTE


def test_a_source_that_asks_to_be_left_alone_is_left_alone(prod: Session) -> None:
    lease = sources.acquire(prod, "prod", NOW)
    failure = PullFailed(FailureKind.RATE_LIMITED, "later", retry_after_seconds=7200)
    sources.finish(prod, lease, Progress(), NOW, failure)
    assert sources.due(prod, NOW + timedelta(minutes=119)) == []
    assert sources.due(prod, NOW + timedelta(minutes=121)) == ["prod"]


def test_sources_with_the_same_interval_spread_out() -> None:
    delays = {name: sources.next_delay(name, timedelta(hours=1), 0, 0.0) for name in "abcdefgh"}
    assert len(set(delays.values())) == len(delays)
    assert all(60 * MINUTE <= delay <= 63 * MINUTE for delay in delays.values())
    assert sources.next_delay("a", timedelta(hours=1), 0, 1.0) - delays["a"] == 3 * MINUTE


def test_a_long_run_keeps_its_lease_by_writing(prod: Session) -> None:
    lease = sources.acquire(prod, "prod", NOW, lease_seconds=60)
    for minute in range(1, 5):
        sources.save_progress(prod, lease, progress(), NOW + minute * MINUTE - timedelta(seconds=1))
        assert sources.acquire(prod, "prod", NOW + minute * MINUTE) is None


def test_a_run_that_falls_silent_is_interrupted_and_taken_over(prod: Session) -> None:
    lost = sources.acquire(prod, "prod", NOW, lease_seconds=60)
    sources.save_progress(prod, lost, progress(cursor="c1"), NOW)
    prod.commit()
    later = NOW + 2 * MINUTE
    assert state(prod, later).state is SourceState.INTERRUPTED
    assert sources.due(prod, later) == ["prod"]
    taken = sources.acquire(prod, "prod", later)
    assert taken.cursor == "c1"
    assert state(prod, later).state is SourceState.RUNNING
    states = prod.execute(select(SourceRun.state, SourceRun.facts).order_by(SourceRun.id)).all()
    assert [tuple(row) for row in states] == [("interrupted", 2), ("running", 0)]


def test_a_run_that_comes_back_after_its_lease_was_taken_can_write_nothing(prod: Session) -> None:
    lost = sources.acquire(prod, "prod", NOW, lease_seconds=60)
    taken = sources.acquire(prod, "prod", NOW + 2 * MINUTE)
    prod.commit()
    with pytest.raises(LeaseLost):
        sources.save_progress(prod, lost, progress(cursor="stale"), NOW + 2 * MINUTE)
    with pytest.raises(LeaseLost):
        sources.finish(prod, lost, progress(), NOW + 2 * MINUTE)
    prod.rollback()
    sources.save_progress(prod, taken, progress(cursor="fresh"), NOW + 3 * MINUTE)
    sources.finish(prod, taken, progress(), NOW + 3 * MINUTE)
    assert prod.get(Source, "prod", populate_existing=True).cursor == "fresh"
    with pytest.raises(LeaseLost):  # a finished run is over, too
        sources.finish(prod, taken, progress(), NOW + 3 * MINUTE)


def test_only_the_newest_runs_are_kept(prod: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "KEPT_RUNS", 3)
    sources.sync_sources(prod, [config(), config("other")])
    sources.finish(prod, sources.acquire(prod, "other", NOW), Progress(), NOW)
    for minute in range(6):
        sources.finish(prod, sources.acquire(prod, "prod", NOW), Progress(requests=minute), NOW)
    kept = prod.execute(select(SourceRun.source, SourceRun.requests).order_by(SourceRun.id)).all()
    assert [tuple(row) for row in kept] == [("other", 0), ("prod", 3), ("prod", 4), ("prod", 5)]


def test_asking_for_a_collection_makes_a_source_due(prod: Session) -> None:
    sources.finish(prod, sources.acquire(prod, "prod", NOW), Progress(), NOW)
    assert sources.due(prod, NOW) == []
    sources.request_collection(prod, "prod", NOW)
    assert sources.due(prod, NOW) == ["prod"]
    with pytest.raises(NotFound):
        sources.request_collection(prod, "nobody", NOW)


def test_of_many_that_compete_one_gets_the_lease(prod: Session) -> None:
    engine = prod.get_bind()
    assert isinstance(engine, Engine)
    gate, won = threading.Barrier(8), []

    def compete() -> None:
        gate.wait()
        with Session(engine) as session, session.begin():
            lease = sources.acquire(session, "prod", NOW)
        if lease is not None:
            won.append(lease)

    for _ in range(5):
        won.clear()
        threads = [threading.Thread(target=compete) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(won) == 1
        with Session(engine) as session, session.begin():
            sources.finish(session, won[0], Progress(), NOW)
    prod.expire_all()
    assert len(prod.scalars(select(SourceRun).where(SourceRun.state == "ok")).all()) == 5
    assert len(prod.scalars(select(SourceRun)).all()) == 5


WORKER = """
import sys, time
from datetime import datetime, UTC
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from plugins import sources
from plugins.contract import Batch, Fact
from plugins.pulling import Progress
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
engine = create_engine(sys.argv[1])
with Session(engine) as session, session.begin():
    lease = sources.acquire(session, "prod", NOW, lease_seconds=60)
progress = Progress()
fact = Fact("component:default/checkout", "k", 1.0, NOW)
with Session(engine) as session, session.begin():
    progress.add(Batch(facts=[fact], cursor="kept"), 1)
    sources.save_progress(session, lease, progress, NOW)
session = Session(engine)
progress.add(Batch(facts=[fact, fact], cursor="never committed"), 2)
sources.save_progress(session, lease, progress, NOW)
print("in the middle", flush=True)
time.sleep(60)
"""


def test_a_source_that_nobody_runs_any_more_is_overdue_until_a_run_ends(prod: Session) -> None:
    sources.finish(prod, sources.acquire(prod, "prod", NOW), progress(), NOW)
    due = state(prod, NOW).next_due_at
    late = due + 15 * MINUTE  # of five minutes each, two intervals are less than that
    assert state(prod, NOW).overdue_at == late
    assert (state(prod, late).state, state(prod, late).is_overdue) == (SourceState.OK, False)
    late += timedelta(microseconds=1)
    assert (state(prod, late).state, state(prod, late).is_overdue) == (SourceState.OVERDUE, True)
    lease = sources.acquire(prod, "prod", late)
    assert (state(prod, late).state, state(prod, late).is_overdue) == (SourceState.RUNNING, True)
    sources.finish(prod, lease, progress(), late)
    assert (state(prod, late).state, state(prod, late).is_overdue) == (SourceState.OK, False)


def test_a_source_of_long_intervals_is_overdue_after_two_of_them(prod: Session) -> None:
    sources.sync_sources(prod, [config(every=timedelta(days=1))])
    sources.finish(prod, sources.acquire(prod, "prod", NOW), progress(), NOW)
    assert state(prod, NOW).overdue_at == state(prod, NOW).next_due_at + timedelta(days=2)


def test_what_fails_or_never_ran_is_not_overdue_as_well(prod: Session) -> None:
    assert state(prod, NOW + timedelta(days=9)).overdue_at is None
    sources.finish(prod, sources.acquire(prod, "prod", NOW), progress(), NOW)
    failure = PullFailed(FailureKind.TIMEOUT, "slow")
    later = NOW + 60 * MINUTE
    sources.finish(prod, sources.acquire(prod, "prod", later), Progress(), later, failure)
    health = state(prod, NOW + timedelta(days=9))
    assert (health.state, health.is_overdue) == (SourceState.FAILING, False)


def test_a_killed_worker_leaves_what_was_committed_and_nothing_else(prod: Session, database_url: str) -> None:
    worker = subprocess.Popen([sys.executable, "-c", WORKER, database_url], stdout=subprocess.PIPE, text=True)
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "in the middle\n"
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
    finally:
        worker.kill()
        worker.wait(10)
        worker.stdout.close()
    assert state(prod, NOW + timedelta(seconds=59)).state is SourceState.RUNNING
    later = NOW + 2 * MINUTE
    health = state(prod, later)
    assert health.state is SourceState.INTERRUPTED
    assert health.last_success_at is None
    prod.rollback()
    lease = sources.acquire(prod, "prod", later)
    assert lease.cursor == "kept"
    runs = prod.execute(select(SourceRun.state, SourceRun.facts, SourceRun.requests).order_by(SourceRun.id)).all()
    assert [tuple(row) for row in runs] == [("interrupted", 1, 1), ("running", 0, 0)]


def test_sources_are_served_with_their_health(prod: Session, client: FlaskClient) -> None:
    lease = sources.acquire(prod, "prod", NOW)
    sources.finish(prod, lease, progress(), NOW, PullFailed(FailureKind.TIMEOUT, "silent for 60 s"))
    prod.commit()
    answer = client.get("/api/plugins/sources")
    assert answer.status_code == 200
    (item,) = answer.json["items"]
    assert item["state"] == "failing"
    assert (item["failure_kind"], item["failure_message"]) == ("timeout", "silent for 60 s")
    assert item["last_attempt_at"] == "2026-11-22T10:00:00Z"
    assert item["last_success_at"] is None
    assert "traffic.rps_now" in item["facts"]
    assert client.get("/api/plugins/sources/prod").json == item
    missing = client.get("/api/plugins/sources/none")
    assert missing.status_code == 404
    assert "portal sources list" in missing.json["detail"]


def test_runs_are_paged_newest_first(prod: Session, client: FlaskClient) -> None:
    for number in range(5):
        sources.finish(prod, sources.acquire(prod, "prod", NOW), Progress(requests=number), NOW)
    prod.commit()
    seen, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = client.get("/api/plugins/sources/prod/runs", query_string=query).json
        seen += [run["requests"] for run in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=abc", "cursor=InRleHQi", "page=2"])
def test_a_wrong_parameter_of_the_runs_is_refused(prod: Session, client: FlaskClient, query: str) -> None:
    assert client.get(f"/api/plugins/sources/prod/runs?{query}").status_code == 400


def test_runs_of_an_unknown_source_are_not_found(app: Flask, client: FlaskClient) -> None:
    assert client.get("/api/plugins/sources/none/runs").status_code == 404


def test_a_collection_can_be_asked_for(prod: Session, client: FlaskClient) -> None:
    sources.finish(prod, sources.acquire(prod, "prod", datetime(2090, 1, 1, tzinfo=UTC)), Progress(), NOW)
    prod.commit()
    answer = client.post("/api/plugins/sources/prod/collect")
    assert answer.status_code == 202
    assert answer.json["name"] == "prod"
    assert sources.due(prod, datetime(2100, 1, 1, tzinfo=UTC)) == ["prod"]
    assert client.post("/api/plugins/sources/none/collect").status_code == 404


def test_asking_for_a_collection_takes_no_body_but_an_empty_one(prod: Session, client: FlaskClient) -> None:
    assert client.post("/api/plugins/sources/prod/collect", json={}).status_code == 202
    refused = client.post("/api/plugins/sources/prod/collect", json={"whole": True})
    assert refused.status_code == 400
    assert "whole" in refused.text
    assert client.post("/api/plugins/sources/prod/collect", json=["whole"]).status_code == 400


def test_fact_specs_say_unit_age_and_who_supplies_them(client: FlaskClient) -> None:
    items = {item["key"]: item for item in client.get("/api/plugins/fact-specs").json["items"]}
    spec = items["slo.availability.actual_28d"]
    assert (spec["type"], spec["unit"], spec["max_age_seconds"]) == ("number", "ratio", 3 * 86400)
    assert "prometheus" in spec["connectors"]
    assert list(items) == sorted(items)


def test_connectors_are_listed_with_what_they_need(client: FlaskClient) -> None:
    items = {item["name"]: item for item in client.get("/api/plugins/connectors").json["items"]}
    assert items["prometheus"]["fault"] is None
    assert items["prometheus"]["annotations"][0]["key"] == "sre.portal/prometheus-service"
