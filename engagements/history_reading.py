"""Reading histories: filters, pages both ways, and what an event corrects or is corrected by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select, tuple_
from sqlalchemy.orm import Session

from engagements.event_kinds import CORRECTION
from engagements.models import HistoryEvent
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import chunks
from portal_backend.core.pagination import DEFAULT_LIMIT, Page, bad_cursor, decode_cursor, encode_cursor

MAX_SEQUENCE = 2**31
NEWER = "newer"


@dataclass(frozen=True)
class HistoryFilter:
    """Which events to read. An empty field lets every event pass."""

    kinds: Sequence[str] = ()
    sources: Sequence[str] = ()
    since: datetime | None = None
    """Events that occurred at this time or later."""
    until: datetime | None = None
    """Events that occurred before this time."""
    actors: Sequence[str] = ()
    text: str = ""
    """Words that must all occur in the summary or the actor's name, in any case."""
    at: datetime | None = None
    """Events that occurred at this time or before: what had happened by then."""
    recorded_before: datetime | None = None
    """Events that were recorded before this time: what was known then."""


@dataclass(frozen=True)
class HistoryPage(Page[HistoryEvent]):
    """A page, newest first, and the cursors of both its neighbours."""

    previous_cursor: str | None = None
    """Of the newer events; None where the page was not come to by a cursor, or is the newest."""


def read(
    session: Session,
    ref: str,
    wanted: HistoryFilter | None = None,
    cursor: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> HistoryPage:
    """Return a page of a service's history, newest first: by the time an event occurred, then by its sequence number.

    Raises InvalidInput when the cursor is not one of a history.
    """
    place = (HistoryEvent.occurred_at, HistoryEvent.sequence)
    query = select(HistoryEvent).where(HistoryEvent.entity_ref == ref, *conditions(wanted or HistoryFilter()))
    begin, newer = _position(cursor) if cursor is not None else (None, False)
    if begin is not None:
        query = query.where(tuple_(*place) > tuple_(*begin) if newer else tuple_(*place) < tuple_(*begin))
    order = [column.asc() if newer else column.desc() for column in place]
    found = list(session.scalars(query.order_by(*order).limit(limit + 1)))
    more, found = len(found) > limit, found[:limit]
    if newer:
        found.reverse()
    older_exist, newer_exist = (bool(found), more) if newer else (more, begin is not None and bool(found))
    return HistoryPage(
        found,
        encode_cursor(_place(found[-1])) if older_exist else None,
        encode_cursor([*_place(found[0]), NEWER]) if newer_exist else None,
    )


def corrections(session: Session, ref: str, events: Iterable[HistoryEvent]) -> dict[int, list[int]]:
    """Return the corrections of these events: by the sequence number that was wrong, those of the corrections."""
    numbers = {event.sequence for event in events}
    if not numbers:
        return {}
    found: dict[int, list[int]] = {}
    for sequence, details in sorted(session.execute(corrections_of(ref)), key=lambda row: row[0]):
        if details.get("corrects") in numbers:
            found.setdefault(details["corrects"], []).append(sequence)
    return found


def corrections_of(ref: str) -> Select[Any]:
    """Return the query for a service's corrections; told to sort them, SQLite would read the whole history."""
    return select(HistoryEvent.sequence, HistoryEvent.details).where(
        HistoryEvent.entity_ref == ref, HistoryEvent.kind == CORRECTION
    )


def own_of(session: Session, source: str, places: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return which of these events, by service and sequence number, this source reported itself."""
    found: set[tuple[str, int]] = set()
    possible = {(ref, sequence) for ref, sequence in places if _is_number(sequence)}
    for few in chunks(sorted(possible)):
        query = select(HistoryEvent.entity_ref, HistoryEvent.sequence).where(
            HistoryEvent.source == source, tuple_(HistoryEvent.entity_ref, HistoryEvent.sequence).in_(few)
        )
        found.update((ref, sequence) for ref, sequence in session.execute(query))
    return found


def conditions(wanted: HistoryFilter) -> list[ColumnElement[bool]]:
    """Return what a filter asks of an event."""
    found: list[ColumnElement[bool]] = []
    for column, values in (
        (HistoryEvent.kind, wanted.kinds),
        (HistoryEvent.source, wanted.sources),
        (HistoryEvent.actor, wanted.actors),
    ):
        if values:
            found.append(column.in_(values))
    if wanted.since is not None:
        found.append(HistoryEvent.occurred_at >= wanted.since)
    if wanted.until is not None:
        found.append(HistoryEvent.occurred_at < wanted.until)
    if wanted.at is not None:
        found.append(HistoryEvent.occurred_at <= wanted.at)
    if wanted.recorded_before is not None:
        found.append(HistoryEvent.recorded_at < wanted.recorded_before)
    return [*found, *_with_words(wanted.text)]


def _with_words(text: str) -> list[ColumnElement[bool]]:
    return [
        or_(HistoryEvent.summary.icontains(word, autoescape=True), HistoryEvent.actor.icontains(word, autoescape=True))
        for word in text.split()
    ]


def _place(event: HistoryEvent) -> list[Any]:
    return [format_time(event.occurred_at), event.sequence]


def _position(cursor: str) -> tuple[tuple[datetime, int], bool]:
    """Read the place after which a page begins, and whether it holds the newer events; raises InvalidInput."""
    match decode_cursor(cursor):
        case [str(moment), int(sequence), *rest] if _is_number(sequence) and rest in ([], [NEWER]):
            try:
                return (parse_time(moment), sequence), bool(rest)
            except (ValueError, OverflowError) as error:
                raise bad_cursor() from error
    raise bad_cursor()


def _is_number(sequence: int) -> bool:
    return not isinstance(sequence, bool) and 0 < sequence < MAX_SEQUENCE


TOLD = (
    *("entity_ref", "sequence", "kind", "occurred_at", "recorded_at", "actor", "source", "source_event_id"),
    *("simulated", "schema_version", "summary", "link", "details", "hash"),
)


def told(events: Iterable[HistoryEvent], corrected_by: Mapping[int, Sequence[int]]) -> list[dict[str, Any]]:
    """Return events as they are answered: with what each corrects, and what corrects it."""
    return [
        {
            **{name: getattr(event, name) for name in TOLD},
            "corrects": event.details.get("corrects") if event.kind == CORRECTION else None,
            "corrected_by": list(corrected_by.get(event.sequence, ())),
        }
        for event in events
    ]
