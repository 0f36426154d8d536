"""The configured sources: who may pull one now, how far it got, when it is due again.

One run per source at a time. A run holds a lease; every write of it compares the lease's token, so that a run which
was taken for dead (killed, or hung past its lease) and comes back late can change nothing any more.
"""

import hashlib
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from plugins import circuit
from plugins.contract import PullFailed
from plugins.health import unknown_source
from plugins.kept_answers import forget_all
from plugins.models import RunState, Source, SourceRun
from plugins.pulling import SAMPLE_SIZE, Progress
from plugins.settings import CollectingSettings
from portal_backend.core.config import SourceConfig
from portal_backend.core.db import upsert

DEFAULT_LEASE_SECONDS = 300.0
"""Longer than a client's deadline (`Limits.total_seconds`): a source that is merely slow keeps its lease."""
KEPT_RUNS = 200
FIRST_BACKOFF = timedelta(minutes=1)
LONGEST_BACKOFF = timedelta(minutes=15)
DEFAULTS = CollectingSettings()
UNSYNCHRONISED = {"synchronize_session": False}
"""Sources are written by statement and read afresh: no loaded object has to be kept in step."""


class LeaseLost(Exception):
    """Another run has taken over the source: this one must stop, and what it was about to write is rolled back."""


@dataclass(frozen=True)
class Lease:
    """The right to pull one source."""

    source: str
    token: str
    run_id: int
    cursor: str | None
    """Where the last run got to."""
    seconds: float
    """How long the run may stay silent between two writes."""
    probe: bool = False
    """The source was left alone after repeated failures: it is asked once, and read if it answers."""
    reconcile: bool = False
    """It is time to read the source whole, not only what is new in it."""


def sync_sources(session: Session, configs: Sequence[SourceConfig]) -> None:
    """Make the table agree with the configuration; what left it stays as history, and is pulled no more."""
    names = [config.name for config in configs]
    session.execute(update(Source).where(Source.name.not_in(names)).values(configured=False))
    rows = [
        {
            "name": config.name,
            "plugin": config.plugin,
            "position": position,
            "simulated": config.simulated,
            "configured": True,
            "identity": _identity(config),
            "every_seconds": round(config.every.total_seconds()),
        }
        for position, config in enumerate(configs)
    ]
    for row in rows:
        other_system = update(Source).where(Source.name == row["name"], Source.identity != row["identity"])
        anew = {"cursor": None, "next_due_at": None, "circuit_opened_at": None, "reconciled_at": None}
        if session.connection().execute(other_system.values(**anew)).rowcount:
            forget_all(session, str(row["name"]))
    upsert(session, Source, rows, ["name"])


def acquire(
    session: Session,
    name: str,
    now: datetime,
    lease_seconds: float = DEFAULT_LEASE_SECONDS,
    settings: CollectingSettings = DEFAULTS,
) -> Lease | None:
    """Begin a run, or return None when another one is under way (or the source is not configured).

    Atomic: of several that try at once, one gets it. A run whose lease has expired is recorded as interrupted.
    """
    token = secrets.token_hex(16)
    taken = session.execute(
        update(Source)
        .where(Source.name == name, Source.configured, _free(now))
        .values(lease_token=token, lease_until=now + timedelta(seconds=lease_seconds), last_attempt_at=now)
        .returning(Source.cursor, Source.circuit_opened_at, Source.reconciled_at),
        execution_options=UNSYNCHRONISED,
    ).one_or_none()
    if taken is None:
        return None
    abandoned = update(SourceRun).where(SourceRun.source == name, SourceRun.state == RunState.RUNNING)
    session.execute(abandoned.values(state=RunState.INTERRUPTED, finished_at=now), execution_options=UNSYNCHRONISED)
    probe = taken.circuit_opened_at is not None
    reconcile = taken.reconciled_at is None or now - taken.reconciled_at >= settings.reconcile_every
    run = SourceRun(source=name, state=RunState.RUNNING, started_at=now, probe=probe, reconcile=reconcile)
    session.add(run)
    session.flush()
    return Lease(name, token, run.id, taken.cursor, lease_seconds, probe, reconcile)


def save_progress(session: Session, lease: Lease, progress: Progress, now: datetime) -> None:
    """Record what the run has brought, keep its cursor, and extend the lease; part of the batch's own transaction.

    Raises LeaseLost when another run has taken over.
    """
    values: dict[str, object] = {"lease_until": now + timedelta(seconds=lease.seconds)}
    if progress.cursor is not None:
        values["cursor"] = progress.cursor
    _write_as_holder(session, lease, values)
    _write_run(session, lease, _counts(progress))


def extend(session: Session, lease: Lease, now: datetime, targets: int = 0, requests: int = 0) -> None:
    """Keep the lease of a run that is alive and has nothing to store yet, and show how far it got. Raises LeaseLost."""
    _write_as_holder(session, lease, {"lease_until": now + timedelta(seconds=lease.seconds)})
    _write_run(session, lease, {"targets": targets, "requests": requests})


def finish(
    session: Session,
    lease: Lease,
    progress: Progress,
    now: datetime,
    failure: PullFailed | None = None,
    settings: CollectingSettings = DEFAULTS,
) -> None:
    """End the run, well or with its failure, and set when the source is due again. Raises LeaseLost.

    After a failure the next attempt waits for 1, 2, 4, ... minutes (never more than 15, never less than the source
    itself asked for), so that a source in trouble is not hammered and a mended one is soon noticed. After repeated
    failures its circuit opens (plugins/circuit.py).
    """
    source = session.execute(
        select(Source.every_seconds, Source.consecutive_failures, Source.circuit_opened_at).where(
            Source.name == lease.source
        )
    ).one()
    failures = 0 if failure is None else source.consecutive_failures + 1
    delay = next_delay(lease.source, timedelta(seconds=source.every_seconds), failures, random.random())  # noqa: S311
    values: dict[str, object] = {"lease_token": None, "lease_until": None, "consecutive_failures": failures}
    if failure is None:
        values |= _of_success(progress, lease, now)
    else:
        opened_at = source.circuit_opened_at
        if circuit.opens(failure.kind, failures, opened_at is not None, settings):
            values["circuit_opened_at"] = opened_at or now
            delay = max(delay, circuit.open_for(failures, settings))
        delay = max(delay, timedelta(seconds=failure.retry_after_seconds or 0))
        values |= {"failure_kind": str(failure.kind), "failure_message": failure.message}
    _write_as_holder(session, lease, {**values, "next_due_at": now + delay})
    ended = RunState.OK if failure is None else RunState.FAILED
    outcome = {name: values[name] for name in ("failure_kind", "failure_message")}
    _write_run(session, lease, {"state": ended, "finished_at": now, "requests": progress.requests, **outcome})
    _forget_old_runs(session, lease.source)


def _of_success(progress: Progress, lease: Lease, now: datetime) -> dict[str, object]:
    """Return what a run that ended well writes to its source."""
    counts = _counts(progress)
    reported = ("targets", "matched", "unmatched", "unmatched_sample", "faults", "fault_sample")
    values: dict[str, object] = {name: counts[name] for name in reported}
    values |= {"last_success_at": now, "failure_kind": None, "failure_message": None, "circuit_opened_at": None}
    return {**values, "reconciled_at": now} if lease.reconcile else values


def note_push(session: Session, name: str, progress: Progress, now: datetime) -> None:
    """Record what was posted to a source; part of the post's own transaction. Posts need no lease: any number may come.

    Raises NotFound when no source of this name is configured.
    """
    counts = _counts(progress)
    noted = session.execute(
        update(Source)
        .where(Source.name == name, Source.configured)
        .values(
            last_attempt_at=now,
            last_success_at=now,
            matched=counts["matched"],
            failure_kind=None,
            failure_message=None,
        )
        .returning(Source.name),
        execution_options=UNSYNCHRONISED,
    )
    if noted.one_or_none() is None:
        raise unknown_source(name)
    session.add(SourceRun(source=name, state=RunState.OK, started_at=now, finished_at=now, **counts))
    session.flush()
    _forget_old_runs(session, name)


def next_delay(name: str, every: timedelta, failures: int, chance: float) -> timedelta:
    """Return how long to wait until the next pull, after so many failures in a row.

    Up to 10 % is added: half of it fixed by the name, half by `chance` (0 to 1), so that sources with the same
    interval do not all come at once.
    """
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32
    spread = 1 + 0.05 * share + 0.05 * chance
    if not failures:
        return every * spread
    doubled: timedelta = min(every, FIRST_BACKOFF) * 2.0 ** min(failures - 1, 20)
    return min(doubled, LONGEST_BACKOFF) * spread


def due(session: Session, now: datetime) -> list[str]:
    """Return the sources that are to be pulled now and that nobody is pulling."""
    when = or_(Source.next_due_at.is_(None), Source.next_due_at <= now)
    found = session.scalars(
        select(Source.name).where(Source.configured, when, _free(now)).order_by(Source.position, Source.name)
    )
    return list(found)


def request_collection(session: Session, name: str, now: datetime) -> None:
    """Make a source due now; raises NotFound when none is configured under this name."""
    marked = session.execute(
        update(Source).where(Source.name == name, Source.configured).values(next_due_at=now).returning(Source.name),
        execution_options=UNSYNCHRONISED,
    )
    if marked.one_or_none() is None:
        raise unknown_source(name)


def request_collection_of_all(session: Session, now: datetime) -> None:
    """Make every configured source due now that would be due later; those that are left alone stay so."""
    later = update(Source).where(Source.configured, Source.next_due_at > now, Source.circuit_opened_at.is_(None))
    session.execute(later.values(next_due_at=now), execution_options=UNSYNCHRONISED)


def _free(now: datetime) -> ColumnElement[bool]:
    """Nobody pulls the source, or whoever did has been silent for too long."""
    return or_(Source.lease_token.is_(None), Source.lease_until <= now)


def _write_as_holder(session: Session, lease: Lease, values: Mapping[str, Any]) -> None:
    """Write to the source if the lease is still ours; the row stays locked until the transaction ends."""
    held = session.execute(
        update(Source)
        .where(Source.name == lease.source, Source.lease_token == lease.token)
        .values(**values)
        .returning(Source.name),
        execution_options=UNSYNCHRONISED,
    )
    if held.one_or_none() is None:
        raise LeaseLost(f"another run has taken over the source {lease.source}")


def _write_run(session: Session, lease: Lease, values: Mapping[str, Any]) -> None:
    session.execute(
        update(SourceRun).where(SourceRun.id == lease.run_id).values(**values), execution_options=UNSYNCHRONISED
    )


def _counts(progress: Progress) -> dict[str, Any]:
    return {
        "requests": progress.requests,
        "facts": progress.facts,
        "events": progress.events,
        "targets": progress.targets,
        "matched": len(progress.refs),
        "unmatched": len(progress.unmatched),
        "unmatched_sample": sorted(progress.unmatched)[:SAMPLE_SIZE],
        "faults": progress.faults,
        "fault_sample": [asdict(fault) for fault in progress.fault_sample],
    }


def _forget_old_runs(session: Session, name: str) -> None:
    newest_to_forget = (
        select(SourceRun.id).where(SourceRun.source == name).order_by(SourceRun.id.desc()).offset(KEPT_RUNS).limit(1)
    )
    session.execute(
        delete(SourceRun).where(SourceRun.source == name, SourceRun.id <= newest_to_forget.scalar_subquery()),
        execution_options=UNSYNCHRONISED,
    )


def _identity(config: SourceConfig) -> str:
    return hashlib.sha256(f"{config.plugin} {config.url}".encode()).hexdigest()
