"""Lists of attestations and waivers over the whole fleet or of one service, filtered and paged, and their JSON form."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog.models import RelationRow
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from scorecards.exceptions import attestations, waivers
from scorecards.exceptions.models import AttestationRow, WaiverRow, columns_of

Row = TypeVar("Row", AttestationRow, WaiverRow)

ATTESTATION_STATES = ("in_force", "expired", "superseded", "revoked", "overturned")
WAIVER_STATES = ("requested", "approved", "expired", "rejected", "withdrawn", "ended")


@dataclass(frozen=True)
class Wanted:
    """Which ones to list. An empty field lets every one pass."""

    ref: str | None = None
    states: Sequence[str] = ()
    checks: Sequence[str] = ()
    owner: str | None = None
    """Those of services that this entity owns."""
    by: str | None = None
    """Who attested, or asked."""
    expiring_before: datetime | None = None
    """Those that count now, or would, and end before this time."""


def list_attestations(
    session: Session, wanted: Wanted, cursor: str | None, limit: int, now: datetime
) -> Page[dict[str, Any]]:
    """Return a page of attestations: of a service the latest first, else whichever ends first.

    Raises InvalidInput when the cursor is not one of this list.
    """
    row = AttestationRow
    query = _narrowed(select(row), wanted, row.entity_ref, row.check_id)
    if wanted.by:
        query = query.where(row.attested_by == wanted.by)
    if wanted.states:
        query = query.where(or_(*(_attestation_state(state, now) for state in wanted.states)))
    if wanted.expiring_before:
        query = query.where(_attestation_state("in_force", now), row.expires_at < wanted.expiring_before)
    moment = row.attested_at if wanted.ref else row.expires_at
    page = _page(session, query, moment, row.id, cursor, limit, descending=wanted.ref is not None)
    return Page([attestation_form(one, now) for one in page.items], page.next_cursor)


def list_waivers(
    session: Session, wanted: Wanted, cursor: str | None, limit: int, now: datetime
) -> Page[dict[str, Any]]:
    """Return a page of waivers: of a service the latest first, else whichever ends first.

    Raises InvalidInput when the cursor is not one of this list.
    """
    row = WaiverRow
    query = _narrowed(select(row), wanted, row.entity_ref, row.check_id)
    if wanted.by:
        query = query.where(row.requested_by == wanted.by)
    if wanted.states:
        query = query.where(or_(*(_waiver_state(state, now) for state in wanted.states)))
    if wanted.expiring_before:
        query = query.where(_waiver_state("approved", now), row.until < wanted.expiring_before)
    moment = row.requested_at if wanted.ref else row.until
    page = _page(session, query, moment, row.id, cursor, limit, descending=wanted.ref is not None)
    return Page([waiver_form(one, now) for one in page.items], page.next_cursor)


def attestation_form(row: AttestationRow, now: datetime) -> dict[str, Any]:
    """Return an attestation with its state at `now`."""
    return {**columns_of(row), "state": attestations.state_of(row, now)}


def waiver_form(row: WaiverRow, now: datetime) -> dict[str, Any]:
    """Return a waiver with its state at `now`."""
    return {**columns_of(row), "state": waivers.state_of(row, now)}


def _attestation_state(state: str, now: datetime) -> ColumnElement[bool]:
    row = AttestationRow
    ended_early = and_(row.ended_at.is_not(None), row.ended_at < row.expires_at)
    if state == "in_force":
        return and_(row.ended_at.is_(None), row.expires_at > now)
    if state == "expired":
        return and_(row.expires_at <= now, or_(row.ended_at.is_(None), row.ended_at >= row.expires_at))
    return and_(ended_early, row.end_kind == state)


def _waiver_state(state: str, now: datetime) -> ColumnElement[bool]:
    row = WaiverRow
    if state == "approved":
        return and_(row.state == "approved", row.until > now)
    if state == "expired":
        return or_(row.state == "expired", and_(row.state == "approved", row.until <= now))
    return row.state == state


def _narrowed(
    query: Select[Row],
    wanted: Wanted,
    ref: InstrumentedAttribute[str],
    check: InstrumentedAttribute[str],
) -> Select[Row]:
    if wanted.ref:
        query = query.where(ref == wanted.ref)
    if wanted.checks:
        query = query.where(check.in_(wanted.checks))
    if wanted.owner:
        query = query.where(
            exists().where(
                RelationRow.source_ref == ref,
                RelationRow.type == "ownedBy",
                RelationRow.target_ref == wanted.owner,
            )
        )
    return query


def _page(
    session: Session,
    query: Select[Row],
    moment: InstrumentedAttribute[datetime],
    id_: InstrumentedAttribute[str],
    cursor: str | None,
    limit: int,
    descending: bool,
) -> Page[Row]:
    place = tuple_(moment, id_)
    if cursor is not None:
        at = tuple_(*_position(cursor))
        query = query.where(place < at if descending else place > at)
    order = (moment.desc(), id_.desc()) if descending else (moment.asc(), id_.asc())
    found = list(session.scalars(query.order_by(*order).limit(limit + 1)))
    if len(found) <= limit:
        return Page(found)
    last = found[limit - 1]
    return Page(found[:limit], encode_cursor([format_time(getattr(last, moment.key)), last.id]))


def _position(cursor: str) -> tuple[datetime, str]:
    match decode_cursor(cursor):
        case [str(moment), str(id_)] if "\0" not in id_:
            try:
                return parse_time(moment), id_
            except (ValueError, OverflowError) as error:
                raise bad_cursor() from error
    raise bad_cursor()
