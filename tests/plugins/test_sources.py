"""Sources and their runs: what is configured, how runs end, when the next is due; on both databases."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from plugins import sources
from plugins.contract import FailureKind, PullFailed
from plugins.health import SourceState, health
from plugins.models import Source, SourceRun
from plugins.pulling import Progress
from portal_backend.core.config import Secret, SourceAuth
from portal_backend.core.errors import NotFound
from tests.plugins.collecting import MINUTE, NOW, config, progress, state


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
