"""The tables behind the CSV files: every service in a row, every verdict on one service in a row."""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal_backend.core.clock import format_time
from scorecards.checks.definitions import Axis
from scorecards.models import Scorecard

PAGE = 500
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula, and would run it (OWASP, CSV injection)."""

SERVICE_COLUMNS = (
    "ref",
    "owner",
    "criticality",
    "required_level",
    "level",
    "percent",
    "coverage",
    *(f"{axis}_{part}" for axis in Axis for part in ("level", "percent", "coverage")),
    "next_step",
    "evaluated_at",
    "frozen_until",
)
"""Their order is kept: a new column is added at the end."""

RESULT_COLUMNS = (
    "check",
    "title",
    "axis",
    "level",
    "criticality",
    "weight",
    "status",
    "sentence",
    "facts",
    "remedy",
    "owner",
    "guide",
    "version",
    "guide_url",
)
"""Their order is kept as well."""


def service_pages(session: Session) -> Iterator[list[Sequence[Any]]]:
    """Yield the rows of every service by reference, a page at a time: no more than one is in memory."""
    columns: list[Any] = [Scorecard.entity_ref, *(getattr(Scorecard, name) for name in SERVICE_COLUMNS[1:])]
    query = select(*columns).order_by(Scorecard.entity_ref).limit(PAGE)
    last = ""
    while rows := session.execute(query.where(Scorecard.entity_ref > last)).all():
        yield [tuple(row) for row in rows]
        last = rows[-1][0]


def state_of_all(session: Session) -> str:
    """Return a digest that differs as soon as a row of any service would."""
    digest = hashlib.sha256()
    query = select(Scorecard.entity_ref, Scorecard.fingerprint, Scorecard.evaluated_at).order_by(Scorecard.entity_ref)
    for row in session.execute(query.execution_options(yield_per=PAGE)):
        digest.update("|".join(map(str, row)).encode())
    return digest.hexdigest()[:32]


def result_rows(card: Mapping[str, Any]) -> list[Sequence[Any]]:
    """Return the rows of a scorecard's verdicts, in the order of the axes."""
    plain = [name for name in RESULT_COLUMNS if name not in {"facts", "remedy"}]
    rows: list[Sequence[Any]] = []
    for result in card["results"]:
        cells = {name: result[name] for name in plain}
        cells["facts"] = "; ".join(f"{fact['key']} = {fact['display']}" for fact in result["facts"])
        cells["remedy"] = " ".join(result["remedy"])
        rows.append([cells[name] for name in RESULT_COLUMNS])
    return rows


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Write rows as CSV (RFC 4180)."""
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Return a value as it stands in a cell: times as RFC 3339, and no text that a spreadsheet would run."""
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return "" if value is None else value
