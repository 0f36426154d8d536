"""A history as CSV (RFC 4180), newest first, in batches: however long it is, only one batch is in memory."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from engagements.history_reading import HistoryFilter, conditions
from engagements.models import HistoryEvent
from portal_backend.core.clock import format_time

BATCH = 1000
COLUMNS = (
    *("entity_ref", "sequence", "kind", "occurred_at", "recorded_at", "actor", "source", "source_event_id"),
    *("simulated", "summary", "link", "details", "hash"),
)
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the beginning of a formula (OWASP, CSV injection)."""


def rows_of(session: Session, ref: str, wanted: HistoryFilter) -> Iterator[bytes]:
    """Yield the CSV of a service's history: the names of the columns first, then the events in batches."""
    yield _written([COLUMNS])
    place = (HistoryEvent.occurred_at, HistoryEvent.sequence)
    query = select(HistoryEvent).where(HistoryEvent.entity_ref == ref, *conditions(wanted))
    query = query.order_by(*(column.desc() for column in place)).limit(BATCH)
    after = None
    while True:
        batch = session.scalars(query if after is None else query.where(tuple_(*place) < after)).all()
        if not batch:
            return
        after = (batch[-1].occurred_at, batch[-1].sequence)
        yield _written([[_cell(getattr(event, name)) for name in COLUMNS] for event in batch])
        session.expunge_all()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return value
    if isinstance(value, dict):
        value = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    text = format_time(value) if hasattr(value, "tzinfo") else str(value)
    return f"'{text}" if text.startswith(FORMULA_BEGINS) else text


def _written(rows: Any) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()
