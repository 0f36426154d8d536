"""Does the history still hold together? Every event is checked against its hash, every service against its head.

A fault names the service and the sequence number. It cannot show that a service lost all its events and its head,
or that somebody recomputed a chain to its end; the anchors of an earlier check, kept elsewhere, show these too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Select, and_, exists, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from engagements.chain.append_only import is_protected
from engagements.chain.links import FIRST, HASHED, link
from engagements.models import HistoryEvent, HistoryHead
from portal_backend.core.db import chunks
from portal_backend.core.errors import InvalidInput

BATCH = 2000
MAX_FAULTS = 100
"""More than these say nothing new; the report says that there are more."""


class FaultKind(StrEnum):
    """In which way a history does not hold together."""

    CHANGED = "changed"
    """The event does not have its hash: it, its place, or the event before it was changed."""
    MISSING = "missing"
    """Sequence numbers are skipped: events were removed."""
    INSERTED = "inserted"
    """There is an event that the history never counted."""
    TRUNCATED = "truncated"
    """The history ends before its head says."""
    HEAD = "head"
    """The head is missing, or holds another hash than the last event."""
    UNPROTECTED = "unprotected"
    """The database does not refuse changes."""
    ANCHOR = "anchor"
    """The event at which an earlier check ended has another hash now, or is gone."""


@dataclass(frozen=True)
class Fault:
    """Something in the history that is not as it was written."""

    entity_ref: str
    sequence: int
    kind: FaultKind
    message: str


@dataclass(frozen=True)
class Place:
    """An event, and the hash that the next one follows."""

    entity_ref: str = ""
    sequence: int = 0
    hash: str = FIRST


@dataclass
class Report:
    """What a check found."""

    events: int = 0
    services: int = 0
    faults: list[Fault] = field(default_factory=list)
    more_faults: bool = False
    last: Place | None = None
    """Where the check stopped because it had seen enough events; None when it reached the end."""

    @property
    def ok(self) -> bool:
        """Whether nothing was found in what was checked."""
        return not self.faults

    def add(self, faults: Iterable[Fault]) -> None:
        """Take faults up, as many as are worth reading."""
        for fault in faults:
            if len(self.faults) < MAX_FAULTS:
                self.faults.append(fault)
            else:
                self.more_faults = True


Anchors = Mapping[str, Mapping[str, Any]]
"""By service: the `sequence` and the `hash` of its last event at an earlier check."""


def verify(session: Session, ref: str | None = None, after: Place | None = None, at_most: int | None = None) -> Report:
    """Check the history of one service, or of all; at most so many events, from the place where a check stopped.

    The heads are checked with the first events. Writers may go on meanwhile: what they append is checked or not.
    """
    report = Report()
    if after is None:
        report.add(_protection(session))
        report.add(_head_faults(session, ref))
    rows = _rows(session, ref, after)
    before = after or Place()
    for row in rows if at_most is None else islice(rows, at_most):
        report.events += 1
        if row["entity_ref"] != before.entity_ref:
            report.services += 1
            before = Place(row["entity_ref"])
        report.add(_row_faults(row, before))
        before = Place(row["entity_ref"], row["sequence"], row["hash"])
    if at_most is not None and report.events == at_most:
        report.last = before
    return report


def verify_against(session: Session, anchors: Anchors) -> list[Fault]:
    """Return where the history is no continuation of what an earlier check saw."""
    found: dict[tuple[str, int], str] = {}
    places = [(ref, int(anchor["sequence"])) for ref, anchor in anchors.items()]
    columns = (HistoryEvent.entity_ref, HistoryEvent.sequence)
    for chunk in chunks(places, 200):
        query = select(*columns, HistoryEvent.hash).where(tuple_(*columns).in_(chunk))
        found.update({(row[0], row[1]): row[2] for row in session.execute(query)})
    return [
        Fault(
            ref,
            sequence,
            FaultKind.ANCHOR,
            f"Event {sequence} was the last one of {ref} at the earlier check; it is gone or another one stands there.",
        )
        for ref, sequence in places
        if found.get((ref, sequence)) != anchors[ref]["hash"]
    ]


def anchors(session: Session) -> dict[str, dict[str, Any]]:
    """Return the last event of every service, to keep outside the database for `verify_against`."""
    query = select(HistoryHead).where(HistoryHead.last_sequence > 0).order_by(HistoryHead.entity_ref)
    return {
        head.entity_ref: {"sequence": head.last_sequence, "hash": head.last_hash} for head in session.scalars(query)
    }


def write_anchors(session: Session, path: Path) -> None:
    """Write where every history ends; raises InvalidInput when the file cannot be written."""
    try:
        path.write_bytes(orjson.dumps(anchors(session), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}; name another file.") from error


def read_anchors(path: Path) -> Anchors:
    """Read what `write_anchors` wrote; raises InvalidInput when the file holds something else."""
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read as JSON: {error}; name a file that --save wrote.") from error
    if not isinstance(found, dict) or not all(_is_anchor(one) for one in found.values()):
        raise InvalidInput(f"{path} does not say where histories ended; name a file that --save wrote.")
    return found


def _is_anchor(one: Any) -> bool:
    return isinstance(one, dict) and type(one.get("sequence")) is int and isinstance(one.get("hash"), str)


def place_after(session: Session, ref: str, sequence: int) -> Place | None:
    """Return the place of an event at which a check stopped; None when there is no such event."""
    found = session.scalar(
        select(HistoryEvent.hash).where(HistoryEvent.entity_ref == ref, HistoryEvent.sequence == sequence)
    )
    return None if found is None else Place(ref, sequence, found)


COLUMNS = tuple(getattr(HistoryEvent, name) for name in (*HASHED, "hash"))
PLACE = (HistoryEvent.entity_ref, HistoryEvent.sequence)


def _rows(session: Session, ref: str | None, after: Place | None) -> Iterator[Mapping[str, Any]]:
    """Yield the events by service and sequence number, in batches that each begin where the last one ended."""
    position = (after.entity_ref, after.sequence) if after else None
    while True:
        batch = _batch(session, ref, position)
        yield from batch
        if len(batch) < BATCH:
            return
        position = (batch[-1]["entity_ref"], batch[-1]["sequence"])


def _batch(session: Session, ref: str | None, position: tuple[str, int] | None) -> Sequence[Mapping[str, Any]]:
    def selected(*columns: Any) -> Select[Any]:
        query = select(*columns).order_by(*PLACE).limit(BATCH)
        query = query if ref is None else query.where(HistoryEvent.entity_ref == ref)
        return query if position is None else query.where(tuple_(*PLACE) > position)

    try:
        return [dict(row) for row in session.execute(selected(*COLUMNS)).mappings()]
    except ValueError:  # SQLite keeps what is no time and no JSON; the rest of the batch may be sound
        places = session.execute(selected(*PLACE, HistoryEvent.hash)).mappings().all()
        return [_row_alone(session, dict(place)) for place in places]


def _row_alone(session: Session, place: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return one event; only its place and hash when the rest cannot be read."""
    query = select(*COLUMNS).where(tuple_(*PLACE) == (place["entity_ref"], place["sequence"]))
    try:
        return dict(session.execute(query).mappings().one())
    except ValueError:
        return place


def _row_faults(row: Mapping[str, Any], before: Place) -> Iterator[Fault]:
    ref, sequence, expected = row["entity_ref"], row["sequence"], before.sequence + 1
    if sequence < 1:
        yield Fault(ref, sequence, FaultKind.INSERTED, f"Event {sequence} of {ref} was put in: numbers begin with 1.")
    elif sequence != expected:
        gone = f"event {expected} is" if sequence == expected + 1 else f"events {expected} to {sequence - 1} are"
        yield Fault(ref, expected, FaultKind.MISSING, f"Of {ref} {gone} gone: removed from the database.")
    elif not _follows(before.hash, row):
        of_two = f"recorded after event {sequence - 1}: one of the two" if sequence > 1 else "recorded first: it"
        message = f"Event {sequence} of {ref} is not the one that was {of_two} was changed, replaced or moved."
        yield Fault(ref, sequence, FaultKind.CHANGED, message)


def _follows(previous: str, row: Mapping[str, Any]) -> bool:
    try:
        return bool(link(previous, row) == row["hash"])
    except (KeyError, TypeError, ValueError):
        return False


def _protection(session: Session) -> Iterator[Fault]:
    if not is_protected(session.connection()):
        message = (
            "The database does not refuse changes of the history: run `portal db upgrade`, or ask who lifted that."
        )
        yield Fault("", 0, FaultKind.UNPROTECTED, message)


def _head_faults(session: Session, ref: str | None) -> Iterator[Fault]:
    """Compare each head with the last event there is; one statement sees both at one moment."""
    later = aliased(HistoryEvent)
    highest = select(func.max(later.sequence)).where(later.entity_ref == HistoryHead.entity_ref).scalar_subquery()
    last = and_(HistoryEvent.entity_ref == HistoryHead.entity_ref, HistoryEvent.sequence == highest)
    query = select(HistoryHead, HistoryEvent.sequence, HistoryEvent.hash).outerjoin(HistoryEvent, last)
    headless = (
        select(HistoryEvent.entity_ref)
        .where(~exists().where(HistoryHead.entity_ref == HistoryEvent.entity_ref))
        .distinct()
    )
    if ref is not None:
        query, headless = query.where(HistoryHead.entity_ref == ref), headless.where(HistoryEvent.entity_ref == ref)
    for head, sequence, hash_ in session.execute(query.order_by(HistoryHead.entity_ref)):
        fault = _head_fault(head, sequence or 0, hash_ or FIRST)
        if fault:
            yield fault
    for orphan in session.scalars(headless):
        yield Fault(orphan, 0, FaultKind.HEAD, f"{orphan} has events but no head: its head was removed.")


def _head_fault(head: HistoryHead, sequence: int, hash_: str) -> Fault | None:
    ref, said = head.entity_ref, head.last_sequence
    if sequence < said:
        message = f"The history of {ref} ends at event {sequence}; its head says {said}: the last events were removed."
        return Fault(ref, sequence + 1, FaultKind.TRUNCATED, message)
    if sequence > said:
        message = f"The history of {ref} goes on to event {sequence}; its head says {said}: events were put in."
        return Fault(ref, said + 1, FaultKind.INSERTED, message)
    if hash_ != head.last_hash:
        return Fault(ref, said, FaultKind.HEAD, f"The head of {ref} does not have the hash of its last event, {said}.")
    return None
