"""Leases of sources: one run at a time, also with workers that compete, hang and are killed; on both databases."""

import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from plugins import sources
from plugins.health import SourceState
from plugins.models import Source, SourceRun
from plugins.pulling import Progress
from plugins.sources import LeaseLost
from tests.plugins.collecting import MINUTE, NOW, progress, state


def test_one_run_at_a_time(prod: Session) -> None:
    first = sources.acquire(prod, "prod", NOW)
    assert first is not None
    assert sources.acquire(prod, "prod", NOW + MINUTE) is None
    assert sources.due(prod, NOW + MINUTE) == []
    assert state(prod, NOW + MINUTE).state is SourceState.RUNNING


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
