"""Dismissals: somebody takes a service off a triage list, for a reason and until a day. After it, it is back."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select, tuple_
from sqlalchemy.orm import Session

from engagements import history
from engagements.models import HistoryEvent
from engagements.triage.settings import TriageSettings
from engagements.triage_models import TriageDismissal
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import serialise, upsert
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotAllowed, NotFound
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from portal_backend.core.principal import Principal, Role

ROLES = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)


@dataclass(frozen=True)
class NewDismissal:
    """What somebody wants to be dismissed."""

    entity_ref: str
    direction: str
    reason: str
    until: datetime


def in_force(now: datetime) -> ColumnElement[bool]:
    """Return the condition of a dismissal that holds at a moment."""
    return and_(TriageDismissal.ended_at.is_(None), TriageDismissal.until > now, TriageDismissal.dismissed_at <= now)


def dismiss(
    session: Session, wanted: NewDismissal, principal: Principal, settings: TriageSettings, now: datetime
) -> TriageDismissal:
    """Take a service off a list until a moment, and return the dismissal. The same once more changes nothing.

    Raises InvalidInput when the end is past or too far off, NotAllowed unless an SRE asks, and Conflict when another
    dismissal of it holds.
    """
    _may(principal)
    if not now < wanted.until <= now + settings.longest_dismissal:
        latest = format_time(now + settings.longest_dismissal)
        message = f"must lie after now and at most {settings.longest_dismissal.days} days ahead, until {latest}"
        raise InvalidInput(f"until {message}", [Fault("until", message)])
    serialise(session, f"triage-dismissal/{wanted.entity_ref}")
    session.expire_all()
    known = _holding(session, wanted, now)
    if known is not None:
        return _same_or_conflict(known, wanted)
    event_id = f"dismissal/{wanted.entity_ref}/{wanted.direction}/{format_time(now)}"
    values = {
        "id": hashlib.sha256(event_id.encode()).hexdigest()[:20],
        "entity_ref": wanted.entity_ref,
        "direction": wanted.direction,
        "reason": wanted.reason,
        "dismissed_by": principal.name,
        "dismissed_at": now,
        "until": wanted.until,
        "ended_at": None,
        "ended_by": None,
    }
    upsert(session, TriageDismissal, [values], ["id"])
    summary = f"Taken off the list {wanted.direction} until {wanted.until:%Y-%m-%d}: {wanted.reason}"
    _tell(session, "triage.candidate_dismissed", event_id, values, summary, principal.name, now)
    return session.get_one(TriageDismissal, values["id"])


def end(session: Session, dismissal_id: str, principal: Principal, now: datetime) -> TriageDismissal:
    """Put a service back on its list before its dismissal ends; one that ended already stays as it is.

    Raises NotFound, and NotAllowed unless an SRE asks.
    """
    _may(principal)
    known = None if "\0" in dismissal_id else session.get(TriageDismissal, dismissal_id)
    if known is None:
        raise NotFound(f"There is no dismissal {dismissal_id!r}; GET /api/engagements/triage/dismissals lists them.")
    serialise(session, f"triage-dismissal/{known.entity_ref}")
    session.expire_all()
    if known.ended_at is not None or known.until <= now:
        return known
    known.ended_at, known.ended_by = now, principal.name
    session.flush()
    event_id, summary = f"dismissal-ended/{known.id}", f"Back on the list {known.direction} before its dismissal ended."
    _tell(session, "triage.candidate_returned", event_id, _values_of(known), summary, principal.name, now)
    return known


def holding(session: Session, refs: Sequence[str], now: datetime) -> dict[tuple[str, str], TriageDismissal]:
    """Return the dismissals that hold, by service and list; of few services, as on a page."""
    query = select(TriageDismissal).where(TriageDismissal.entity_ref.in_(refs), in_force(now))
    return {(row.entity_ref, row.direction): row for row in session.scalars(query)}


def page(session: Session, now: datetime, active: bool, cursor: str | None, limit: int) -> Page[TriageDismissal]:
    """Return a page of the dismissals, those that hold or all, the newest first."""
    place = (TriageDismissal.dismissed_at, TriageDismissal.id)
    query = select(TriageDismissal).order_by(TriageDismissal.dismissed_at.desc(), TriageDismissal.id.desc())
    if active:
        query = query.where(in_force(now))
    if cursor is not None:
        query = query.where(tuple_(*place) < tuple_(*_after(cursor)))
    found = list(session.scalars(query.limit(limit + 1)))
    if len(found) <= limit:
        return Page(found)
    last = found[limit - 1]
    return Page(found[:limit], encode_cursor(["dismissals", format_time(last.dismissed_at), last.id]))


def from_history(session: Session) -> dict[str, dict[str, Any]]:
    """Return every dismissal as the histories tell it, by id, in the columns of its table."""
    kinds = ("triage.candidate_dismissed", "triage.candidate_returned")
    query = select(HistoryEvent.details).where(HistoryEvent.kind.in_(kinds)).order_by(HistoryEvent.id)
    found: dict[str, dict[str, Any]] = {}
    for details in session.scalars(query):
        told = details.get("dismissal")
        if told is not None:
            found[told["id"]] = {
                name: parse_time(value) if name in {"dismissed_at", "until", "ended_at"} and value else value
                for name, value in told.items()
            }
    return found


def rebuild(session: Session) -> list[str]:
    """Make the dismissals again what the histories tell; return the ids of those that were not."""
    told = from_history(session)
    stored = {row.id: row for row in session.scalars(select(TriageDismissal))}
    wrong = sorted(
        each for each in told.keys() | stored.keys()
        if each not in told or each not in stored or _values_of(stored[each]) != told[each]
    )  # fmt: skip
    for each in wrong:
        if each not in told:
            session.delete(stored[each])
    session.flush()
    upsert(session, TriageDismissal, [told[each] for each in wrong if each in told], ["id"])
    session.expire_all()
    return wrong


def _may(principal: Principal) -> None:
    if not principal.has_role(*ROLES):
        roles = ", ".join(ROLES)
        raise NotAllowed(f"{principal.name} may not change the triage lists: it takes one of the roles {roles}.")


def _holding(session: Session, wanted: NewDismissal, now: datetime) -> TriageDismissal | None:
    return holding(session, [wanted.entity_ref], now).get((wanted.entity_ref, wanted.direction))


def _same_or_conflict(known: TriageDismissal, wanted: NewDismissal) -> TriageDismissal:
    if (known.reason, known.until) == (wanted.reason, wanted.until):
        return known
    raise Conflict(
        f"{known.dismissed_by} dismissed {known.entity_ref} until {format_time(known.until)} already ({known.reason}); "
        f"end that first (DELETE /api/engagements/triage/dismissals/{known.id}).",
        [Fault("ref", f"is dismissed until {format_time(known.until)}")],
    )


def _values_of(row: TriageDismissal) -> dict[str, Any]:
    names = [column.name for column in TriageDismissal.__table__.columns]
    return {name: getattr(row, name) for name in names}


def _tell(
    session: Session, kind: str, event_id: str, values: dict[str, Any], summary: str, actor: str, now: datetime
) -> None:
    told = {name: format_time(value) if isinstance(value, datetime) else value for name, value in values.items()}
    event = history.NewEvent(
        entity_ref=values["entity_ref"],
        kind=kind,
        occurred_at=now,
        source=history.PORTAL,
        source_event_id=event_id,
        summary=summary,
        actor=actor,
        details={"dismissal": told},
    )
    history.record(session, [event], now)


def _after(cursor: str) -> tuple[datetime, str]:
    match decode_cursor(cursor):
        case ["dismissals", str(moment), str(each)] if "\0" not in each:
            try:
                return parse_time(moment), each
            except (ValueError, OverflowError) as error:
                raise bad_cursor() from error
    raise bad_cursor()
