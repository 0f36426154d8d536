"""The triage lists as they are stored: filtered, page by page, and why a service is or is not on one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from engagements.tiers import Tier
from engagements.triage.directions import Direction
from engagements.triage_lists import dismissals
from engagements.triage_models import TriageDismissal, TriageResult
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.pagination import bad_cursor, decode_cursor, encode_cursor


@dataclass(frozen=True)
class TriageFilter:
    """Which rows to read. An empty field lets every row pass."""

    owners: Sequence[str] = ()
    criticalities: Sequence[str] = ()
    rules: Sequence[str] = ()
    verdicts: Sequence[str] = ()
    dismissed: bool = False
    """The dismissed rows instead of the others."""


@dataclass(frozen=True)
class StoredPage:
    """A page of one of the lists as it was last computed."""

    items: Sequence[dict[str, Any]]
    next_cursor: str | None
    total: int
    computed_at: datetime | None
    """When the oldest row of the list was computed; None while there is none."""
    newest_at: datetime | None = None
    dismissed: int = 0
    """How many rows are left out because somebody dismissed them."""


@dataclass(frozen=True)
class Whereabouts:
    """Whether a service is on a list, and why or why not."""

    ref: str
    direction: str | None
    on_list: bool
    rank: int | None
    sentence: str
    computed_at: datetime | None
    dismissal: TriageDismissal | None
    row: Mapping[str, Any] | None = field(default=None)


def read(
    session: Session,
    now: datetime,
    wanted: TriageFilter = TriageFilter(),
    direction: Direction | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> dict[Direction, StoredPage]:
    """Return a page of the list of one direction, or the first page of both, in a fixed number of queries.

    Raises InvalidInput when the cursor belongs to another list, or comes without a direction.
    """
    if cursor is not None and direction is None:
        message = "goes with a direction: say which of the two lists to continue"
        raise InvalidInput(f"cursor {message}", [Fault("cursor", message)])
    lists = [direction] if direction else list(Direction)
    return {each: _page(session, now, wanted, each, cursor, limit) for each in lists}


def _page(
    session: Session, now: datetime, wanted: TriageFilter, direction: Direction, cursor: str | None, limit: int
) -> StoredPage:
    on_list = TriageResult.direction == direction.value
    dismissed = _dismissed(now)
    matching = and_(on_list, *_conditions(wanted), dismissed if wanted.dismissed else ~dismissed)
    columns = (TriageResult.entity_ref, TriageResult.place, TriageResult.computed_at, TriageResult.document)
    query = select(*columns).where(matching).order_by(TriageResult.place, TriageResult.entity_ref)
    if cursor is not None:
        query = query.where(tuple_(TriageResult.place, TriageResult.entity_ref) > tuple_(*_after(direction, cursor)))
    found = session.execute(query.limit(limit + 1)).all()
    total = session.scalar(select(func.count()).select_from(TriageResult).where(matching)) or 0
    left_out = session.scalar(select(func.count()).select_from(TriageResult).where(on_list, dismissed)) or 0
    ages = session.execute(
        select(func.min(TriageResult.computed_at), func.max(TriageResult.computed_at)).where(on_list)
    ).one()
    shown = found[:limit]
    known = dismissals.holding(session, [row.entity_ref for row in shown], now) if wanted.dismissed else {}
    next_cursor = None
    if len(found) > limit:
        next_cursor = encode_cursor([direction.value, shown[-1].place, shown[-1].entity_ref])
    items = [
        {
            **orjson.loads(row.document),
            "computed_at": row.computed_at,
            "dismissal": told(known.get((row.entity_ref, direction.value))),
        }
        for row in shown
    ]
    return StoredPage(items, next_cursor, total, ages[0], ages[1], left_out)


def told(dismissal: TriageDismissal | None) -> dict[str, Any] | None:
    """Return a dismissal as JSON values."""
    if dismissal is None:
        return None
    names = ("id", "reason", "dismissed_by", "dismissed_at", "until")
    return {name: getattr(dismissal, name) for name in names}


def _dismissed(now: datetime) -> ColumnElement[bool]:
    return exists().where(
        TriageDismissal.entity_ref == TriageResult.entity_ref,
        TriageDismissal.direction == TriageResult.direction,
        dismissals.in_force(now),
    )


def _conditions(wanted: TriageFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.owners:
        found.append(TriageResult.owner.in_(wanted.owners))
    if wanted.criticalities:
        found.append(TriageResult.criticality.in_(wanted.criticalities))
    if wanted.verdicts:
        found.append(TriageResult.verdict.in_(wanted.verdicts))
    if wanted.rules:
        found.append(or_(*(TriageResult.rules_met.contains(f"|{rule}|", autoescape=True) for rule in wanted.rules)))
    return found


def _after(direction: Direction, cursor: str) -> tuple[float, str]:
    match decode_cursor(cursor):
        case [direction.value, int() | float() as place, str(ref)] if not isinstance(place, bool) and "\0" not in ref:
            return float(place), ref
    raise bad_cursor()


def whereabouts(session: Session, ref: str, now: datetime) -> Whereabouts:
    """Return on which list a service is and where, or why it is on none."""
    row = session.get(TriageResult, ref)
    if row is None:
        said = "Triage did not see it yet; it is computed within a minute of the catalog's next reading."
        return Whereabouts(ref, None, False, None, said, None, None)
    dismissal = dismissals.holding(session, [ref], now).get((ref, row.direction))
    document = {**orjson.loads(row.document), "computed_at": row.computed_at, "dismissal": told(dismissal)}
    if row.direction == "none":
        return Whereabouts(ref, None, False, None, _why_nowhere(row), row.computed_at, None, document)
    if dismissal is not None:
        said = (
            f"{dismissal.dismissed_by} took it off the list until {dismissal.until:%Y-%m-%d}: {dismissal.reason} "
            "After that it is back."
        )
        return Whereabouts(ref, row.direction, False, None, said, row.computed_at, dismissal, document)
    ahead = and_(
        TriageResult.direction == row.direction,
        tuple_(TriageResult.place, TriageResult.entity_ref) < tuple_(row.place, ref),
        ~_dismissed(now),
    )
    rank = (session.scalar(select(func.count()).select_from(TriageResult).where(ahead)) or 0) + 1
    said = f"It is at place {rank} of the list {row.direction} ({row.verdict})."
    return Whereabouts(ref, row.direction, True, rank, said, row.computed_at, None, document)


def _why_nowhere(row: TriageResult) -> str:
    if row.tier == Tier.PLATFORM:
        return "It is on a platform that SRE keeps: neither to be taken on nor to be handed back."
    return f"Its lifecycle is {row.lifecycle}: SRE takes on no service that is being ended."
