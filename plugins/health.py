"""How the sources are doing: what every reader of their facts is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugins import circuit, registry, settings
from plugins.circuit import CircuitState
from plugins.models import Source
from portal_backend.core.errors import NotFound

OVERDUE_PERIODS = 2
"""A source is overdue when a run is late by so many of its intervals, and by `OVERDUE_AFTER`."""
OVERDUE_AFTER = timedelta(minutes=15)


class SourceState(StrEnum):
    """The state of a source, as seen at a given time."""

    OK = "ok"
    FAILING = "failing"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    """The last run fell silent without an end: its worker was killed, or it hung."""
    OVERDUE = "overdue"
    """Its last run went well, and the next one is long due: no worker runs, or they have no time."""
    NEVER_RAN = "never_ran"


@dataclass(frozen=True)
class SourceHealth:
    """What is known of one source."""

    name: str
    plugin: str
    simulated: bool
    state: SourceState
    last_success_at: datetime | None
    last_attempt_at: datetime | None
    failure_kind: str | None
    """Of the last finished run, also while the next one is running."""
    failure_message: str | None
    consecutive_failures: int
    circuit: CircuitState
    circuit_opened_at: datetime | None
    circuit_words: str
    """What the circuit's state means, in a sentence."""
    reconciled_at: datetime | None
    """When it was last read whole."""
    next_due_at: datetime | None
    """None: as soon as possible."""
    overdue_at: datetime | None
    """From when on it is overdue, unless a run ends before; None where none is awaited, or the last one failed."""
    is_overdue: bool
    """Also while the late run is under way at last."""
    every_seconds: int
    targets: int | None
    """Services that the last good pull asked about, how many it found, and names there that no service claims."""
    matched: int | None
    unmatched: int | None
    unmatched_sample: Sequence[str]
    faults: int | None
    """Parts of the last good pull that failed while the rest went on."""
    fault_sample: Sequence[dict[str, Any]]
    facts: frozenset[str]
    """Keys of the facts that its connector declares, and those that it declares itself under its options."""


def health(session: Session, now: datetime) -> dict[str, SourceHealth]:
    """Return the health of every configured source by name, in the order of the configuration."""
    sources = session.scalars(select(Source).where(Source.configured).order_by(Source.position, Source.name))
    return health_of(sources, now)


def health_of(sources: Iterable[Any], now: datetime) -> dict[str, SourceHealth]:
    """Return the health of sources that were read otherwise: rows with the columns of Source by name."""
    return {source.name: _health_of(source, now) for source in sources}


def get_health(session: Session, name: str, now: datetime) -> SourceHealth:
    """Return the health of one source; raises NotFound when none is configured under this name."""
    source = session.get(Source, name)
    if source is None or not source.configured:
        raise unknown_source(name)
    return _health_of(source, now)


def unknown_source(name: str) -> NotFound:
    """Return the error for a name that the configuration does not have."""
    return NotFound(f"No source {name} is configured; `portal sources list` shows those that are.")


def _health_of(source: Source, now: datetime) -> SourceHealth:
    connector = registry.connectors().get(source.plugin)
    state = state_of(source, now)
    running = state is SourceState.RUNNING
    late_at = overdue_at(source)
    switch = circuit.state_of(source.circuit_opened_at, source.next_due_at, running, now)
    return SourceHealth(
        name=source.name,
        plugin=source.plugin,
        simulated=source.simulated,
        state=state,
        last_success_at=source.last_success_at,
        last_attempt_at=source.last_attempt_at,
        failure_kind=source.failure_kind,
        failure_message=source.failure_message,
        consecutive_failures=source.consecutive_failures,
        circuit=switch,
        circuit_opened_at=source.circuit_opened_at,
        circuit_words=circuit.in_words(
            switch, source.circuit_opened_at, source.next_due_at, source.consecutive_failures
        ),
        reconciled_at=source.reconciled_at,
        next_due_at=source.next_due_at,
        overdue_at=late_at,
        is_overdue=late_at is not None and now > late_at,
        every_seconds=source.every_seconds,
        targets=source.targets,
        matched=source.matched,
        unmatched=source.unmatched,
        unmatched_sample=tuple(source.unmatched_sample),
        faults=source.faults,
        fault_sample=tuple(source.fault_sample),
        facts=settings.declared_by(source.name).union(spec.key for spec in (connector.facts if connector else ())),
    )


def state_of(source: Source, now: datetime) -> SourceState:
    """Return the state of a source at `now`; a run that outlived its lease counts as interrupted."""
    if source.lease_token is not None:
        held = source.lease_until is not None and source.lease_until > now
        return SourceState.RUNNING if held else SourceState.INTERRUPTED
    if source.last_attempt_at is None:
        return SourceState.NEVER_RAN
    if source.failure_kind is not None:
        return SourceState.FAILING
    late_at = overdue_at(source)
    return SourceState.OVERDUE if late_at is not None and now > late_at else SourceState.OK


def overdue_at(source: Source) -> datetime | None:
    """Return from when on a source whose last run went well is overdue; None where no run is awaited."""
    if source.next_due_at is None or source.last_success_at is None or source.failure_kind is not None:
        return None
    allowed: timedelta = max(OVERDUE_PERIODS * timedelta(seconds=source.every_seconds), OVERDUE_AFTER)
    return source.next_due_at + allowed
