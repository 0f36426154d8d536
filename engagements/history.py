"""The history of each service: appended to, never changed.

Any number of writers may append at the same time. They meet on the service's head row, so that sequence numbers have
no gaps, and on the source's event id, so that nothing enters twice. Call `record` once per transaction where you can:
writers that lock several services take them in the same order within one call, not across calls.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from engagements.chain.links import FIRST, link
from engagements.chain.patterns import pattern_of
from engagements.event_kinds import EVENT_KINDS
from engagements.history_reading import HistoryFilter, read
from engagements.models import HistoryEvent, HistoryHead
from plugins.contract import Event
from portal_backend.core.db import chunks
from portal_backend.core.errors import Fault, InvalidInput

__all__ = ["PORTAL", "HistoryFilter", "NewEvent", "from_source", "lock", "read", "record"]

EVENTS = cast(Table, HistoryEvent.__table__)
HEADS = cast(Table, HistoryHead.__table__)

SCHEMA_VERSION = 1
PORTAL = "portal"
"""The source of what happens here rather than in a connected system."""


@dataclass(frozen=True)
class NewEvent:
    """Something to write into a service's history."""

    entity_ref: str
    kind: str
    occurred_at: datetime
    source: str
    source_event_id: str
    """The source's own id, unique within the source: recording it again changes nothing."""
    summary: str
    actor: str = ""
    """Who did it; the source by default."""
    link: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    simulated: bool = False
    """Reported by a source that is no real system."""


def from_source(source: str, events: Iterable[Event], simulated: bool = False) -> list[NewEvent]:
    """Return what a connector saw as events to record under the source's configured name.

    Characters that no database keeps are replaced: one event's odd text must not cost its whole batch.
    """
    return [
        NewEvent(
            entity_ref=event.ref,
            kind=event.kind,
            occurred_at=event.occurred_at,
            source=source,
            source_event_id=_storable(event.source_event_id),
            summary=_storable(event.summary),
            link=_storable(event.link),
            details=event.details,
            simulated=simulated,
        )
        for event in events
    ]


def _storable(text: str) -> str:
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def record(session: Session, events: Sequence[NewEvent], now: datetime) -> int:
    """Append the events that the history does not hold yet, and return how many they were.

    An event is known by its source and the source's id; of two with the same id in one call the first is taken.
    Raises InvalidInput, and records nothing, when an event is of an unknown kind or lacks what it needs.
    """
    _refuse_faulty(events)
    distinct = {(event.source, event.source_event_id): event for event in reversed(events)}
    fresh = sorted(distinct.values(), key=attrgetter("entity_ref", "occurred_at", "source", "source_event_id"))
    fresh = _not_recorded(session, fresh)
    recorded = 0
    for chunk in chunks(fresh, 1000):
        recorded += _append(session, chunk, now)
    return recorded


def lock(session: Session, refs: Iterable[str]) -> None:
    """Keep others from appending to the services' histories until the transaction ends.

    Whoever decides on the ground of a history, or of a state that follows from it, locks first and reads then.
    """
    _lock_heads(session.connection(), sorted(set(refs)))


def _refuse_faulty(events: Sequence[NewEvent]) -> None:
    faults = [fault for index, event in enumerate(events) for fault in _faults(f"events[{index}]", event)]
    if faults:
        raise InvalidInput("The history takes none of these events; mend what is wrong and send all again.", faults)


def _faults(path: str, event: NewEvent) -> Iterable[Fault]:
    if event.kind not in EVENT_KINDS:
        yield Fault(f"{path}.kind", f"{event.kind!r} is no kind of event; use one of {', '.join(EVENT_KINDS)}")
    if event.occurred_at.tzinfo is None:
        yield Fault(f"{path}.occurred_at", "has no UTC offset; write for example 2026-11-22T10:00:00Z")
    for name in ("entity_ref", "source", "source_event_id"):
        if not getattr(event, name):
            yield Fault(f"{path}.{name}", "must not be empty")
    corrects = event.details.get("corrects")
    if event.kind == "event.corrected" and not (type(corrects) is int and corrects > 0):
        yield Fault(f"{path}.details.corrects", "must be the sequence number of the event that was wrong")


def _not_recorded(session: Session, events: Sequence[NewEvent]) -> list[NewEvent]:
    """Return the events whose ids the history does not hold, in the order given."""
    known: set[tuple[str, str]] = set()
    for source, group in groupby(sorted(events, key=attrgetter("source")), key=attrgetter("source")):
        for chunk in chunks(event.source_event_id for event in group):
            query = select(HistoryEvent.source_event_id).where(
                HistoryEvent.source == source, HistoryEvent.source_event_id.in_(chunk)
            )
            known.update((source, event_id) for event_id in session.scalars(query))
    return [event for event in events if (event.source, event.source_event_id) not in known]


def _append(session: Session, events: list[NewEvent], now: datetime) -> int:
    """Append events that were new a moment ago, and return how many still were.

    Another writer may record one of them meanwhile under another service, which no head row prevents. Then nothing of
    this try stays, since its sequence numbers would have gaps, and what is still new is tried again: each round has
    fewer events than the last.
    """
    connection = session.connection()
    heads = _lock_heads(connection, sorted({event.entity_ref for event in events}))
    events = _not_recorded(session, events)
    while events:
        savepoint = connection.begin_nested()
        rows = _chained(events, heads, now)
        insert = _dialect(connection).insert(EVENTS).on_conflict_do_nothing().returning(EVENTS.c.id)
        if len(connection.execute(insert, rows).all()) == len(rows):
            savepoint.commit()
            _move_heads(connection, {row["entity_ref"]: Head(row["sequence"], row["hash"]) for row in rows})
            return len(rows)
        savepoint.rollback()
        events = _not_recorded(session, events)
    return 0


@dataclass(frozen=True)
class Head:
    """Where a service's history ends."""

    sequence: int
    hash: str


def _lock_heads(connection: Connection, refs: Sequence[str]) -> dict[str, Head]:
    """Lock the services' head rows, making those that do not exist, and return where the histories end.

    An update that changes nothing is a lock on both databases; SQLite has no SELECT … FOR UPDATE.
    """
    insert = _dialect(connection).insert(HEADS)
    lock = insert.on_conflict_do_update(
        index_elements=[HEADS.c.entity_ref], set_={"last_sequence": HEADS.c.last_sequence}
    ).returning(HEADS.c.entity_ref, HEADS.c.last_sequence, HEADS.c.last_hash)
    rows = [{"entity_ref": ref, "last_sequence": 0, "last_hash": FIRST} for ref in refs]
    if not rows:
        return {}
    return {row.entity_ref: Head(row.last_sequence, row.last_hash) for row in connection.execute(lock, rows)}


def _move_heads(connection: Connection, heads: Mapping[str, Head]) -> None:
    move = update(HEADS).where(HEADS.c.entity_ref == bindparam("ref"))
    move = move.values(last_sequence=bindparam("sequence"), last_hash=bindparam("hash"))
    connection.execute(
        move, [{"ref": ref, "sequence": head.sequence, "hash": head.hash} for ref, head in heads.items()]
    )


def _chained(events: Iterable[NewEvent], heads: Mapping[str, Head], now: datetime) -> list[dict[str, Any]]:
    """Return the rows of the events: numbered on from the services' heads, each with the hash that follows."""
    ends = dict(heads)
    rows = []
    for event in events:
        end = ends[event.entity_ref]
        row = _row(event, end.sequence + 1, now)
        row["hash"] = link(end.hash, row)
        row["pattern"] = pattern_of(event.details)
        ends[event.entity_ref] = Head(row["sequence"], row["hash"])
        rows.append(row)
    return rows


def _row(event: NewEvent, sequence: int, now: datetime) -> dict[str, Any]:
    return {
        "entity_ref": event.entity_ref,
        "sequence": sequence,
        "kind": event.kind,
        "occurred_at": event.occurred_at,
        "recorded_at": now,
        "actor": event.actor or event.source,
        "source": event.source,
        "source_event_id": event.source_event_id,
        "simulated": event.simulated,
        "schema_version": event.schema_version,
        "summary": event.summary,
        "link": event.link,
        "details": dict(event.details),
    }


def _dialect(connection: Connection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite
