"""How the records of reviews and of knowledge are kept: each change is a row and an event, written together.

The event carries the whole record after the change, so that every row can be made again from the history. A record is
known by an id that the client gives or that follows from its content: the same request twice makes one record.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import orjson
from sqlalchemy import Integer, Select, String, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from engagements import history
from engagements.models import HistoryEvent
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import Model, UtcDateTime
from portal_backend.core.errors import Conflict, Fault, NotAllowed, NotFound, PreconditionFailed
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from portal_backend.core.principal import Principal, Role

PORTAL = history.PORTAL


class Kept:
    """The columns that every kept record has."""

    id: Mapped[str] = mapped_column(primary_key=True)
    entity_ref: Mapped[str] = mapped_column(index=True)
    """The service, or the team where the record is no service's own."""
    engagement_id: Mapped[str | None] = mapped_column(index=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    """Digest of the request that made the record: tells a repeated request from another one under the same id."""
    version: Mapped[int] = mapped_column(Integer)
    """How many times the record was written: what If-Match is compared with."""
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


KeptRow = TypeVar("KeptRow", bound=Kept)


@dataclass(frozen=True)
class Place:
    """Where a record belongs: a service, and the engagement that it is part of, if any."""

    entity_ref: str
    engagement_id: str | None = None


@dataclass(frozen=True)
class Change:
    """A record as it is to be from now on, and what the history says of it."""

    row: Any
    kind: str
    summary: str
    occurred_at: datetime | None = None
    link: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the event tells beside the record."""
    refs: Sequence[str] = ()
    """The services whose histories hold the event; the record's own by default."""


def lock(session: Session, *refs: str) -> None:
    """Keep others from changing the records of the services until the transaction ends, and read them afresh."""
    history.lock(session, refs)
    session.flush()
    session.expire_all()


def digest(value: Any) -> str:
    """Return the digest of a JSON value, with times and sets in it."""
    plain = orjson.dumps(value, default=_plain_value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)
    return hashlib.sha256(plain).hexdigest()


def identity(given: str | None, table: str, *natural: Any) -> str:
    """Return the id that the client gives, else the one that follows from what the record is by nature."""
    return given or digest([table, *natural])[:20]


def known(session: Session, table: type[KeptRow], record_id: str, place: Place, request: str) -> KeptRow | None:
    """Return the record that an earlier, same request made, None where there is none.

    Raises Conflict when the id stands for something else.
    """
    row = session.get(table, record_id)
    if row is None:
        return None
    if row.request_digest == request and row.entity_ref == place.entity_ref:
        return row
    raise Conflict(
        f"The id {record_id} stands for another record already, with other content; leave `id` out or give a new one.",
        [Fault("id", "is taken")],
    )


def fresh(table: type[KeptRow], record_id: str, place: Place, request: str, **columns: Any) -> KeptRow:
    """Return a record that nobody wrote yet."""
    row = table()
    own = {
        "id": record_id,
        "entity_ref": place.entity_ref,
        "engagement_id": place.engagement_id,
        "request_digest": request,
        "version": 0,
    }
    for name, value in {**own, **columns}.items():
        setattr(row, name, value)
    return row


def get(session: Session, table: type[KeptRow], record_id: str, what: str) -> KeptRow:
    """Return a record; raises NotFound when none has this id."""
    row = None if "\0" in record_id else session.get(table, record_id)
    if row is None:
        raise NotFound(f"There is no {what} {record_id}.")
    return row


def locked(session: Session, table: type[KeptRow], record_id: str, what: str) -> KeptRow:
    """Return a record for changing it: nobody else changes it meanwhile."""
    row = get(session, table, record_id, what)
    lock(session, row.entity_ref)
    return get(session, table, record_id, what)


def agree_on_version(row: Kept, if_match: int | None) -> None:
    """Raise PreconditionFailed when the caller saw another version of the record than the present one."""
    if if_match is not None and row.version != if_match:
        raise PreconditionFailed(f"It is at version {row.version} now, not {if_match}; read it again and decide anew.")


def write(session: Session, changes: Sequence[Change], actor: Principal | str, now: datetime) -> None:
    """Write records and their events together. Call under `lock` of the services."""
    name = actor if isinstance(actor, str) else actor.name
    roles = [] if isinstance(actor, str) else sorted(role.value for role in actor.roles)
    for change in changes:
        row = change.row
        row.version += 1
        row.changed_by, row.changed_at = name, now
        if row.version == 1:
            row.created_by, row.created_at = name, now
        session.add(row)
    session.flush()
    events = [event for change in changes for event in _events(change, name, roles, now)]
    history.record(session, events, now)


def _events(change: Change, actor: str, roles: list[str], now: datetime) -> Iterable[history.NewEvent]:
    row = change.row
    record = {"table": row.__tablename__, **plain(row)}
    refs = tuple(change.refs) or (row.entity_ref,)
    for ref in refs:
        suffix = f"/{ref}" if change.refs else ""
        yield history.NewEvent(
            entity_ref=ref,
            kind=change.kind,
            occurred_at=change.occurred_at or now,
            source=PORTAL,
            source_event_id=f"{row.__tablename__}/{row.id}/{row.version}{suffix}",
            summary=change.summary,
            actor=actor,
            link=change.link,
            details={**change.details, "roles": roles, "record": record},
        )


def plain(row: Any) -> dict[str, Any]:
    """Return a record as JSON."""
    return {column.key: _plain_value(getattr(row, column.key)) for column in row.__table__.columns}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value


def detached(session: Session, row: KeptRow) -> KeptRow:
    """Take a record out of its session, so that it can be shown after the transaction."""
    session.flush()
    session.refresh(row)
    session.expunge(row)
    return row


def page(
    session: Session, table: type[KeptRow], query: Select[KeptRow], cursor: str | None, limit: int
) -> Page[KeptRow]:
    """Return a page of the records that a query selects, newest first; raises InvalidInput on another list's cursor."""
    place = (table.created_at, table.id)
    if cursor is not None:
        query = query.where(tuple_(*place) < tuple_(*_position(cursor)))
    found = list(session.scalars(query.order_by(table.created_at.desc(), table.id.desc()).limit(limit + 1)))
    if len(found) <= limit:
        return Page(found)
    last = found[limit - 1]
    return Page(found[:limit], encode_cursor([format_time(last.created_at), last.id]))


def _position(cursor: str) -> tuple[datetime, str]:
    match decode_cursor(cursor):
        case [str(moment), str(record_id)] if "\0" not in record_id:
            try:
                return parse_time(moment), record_id
            except (ValueError, OverflowError) as error:
                raise bad_cursor() from error
    raise bad_cursor()


def by_side(principal: Principal, wanted: str | None) -> str:
    """Return the side, `dev` or `sre`, for which a principal speaks; `wanted` names it, or the lead of it.

    Only leads sign. Raises NotAllowed when the principal does not lead that side, Conflict when it leads both and
    names none.
    """
    roles = {"dev": Role.DEV_LEAD, "sre": Role.SRE_LEAD}
    wanted = wanted and wanted.removesuffix("_lead")
    led = [side for side, role in roles.items() if principal.has_role(role)]
    if wanted is None and len(led) == 1:
        return led[0]
    if wanted is None and led:
        raise Conflict(f"{principal.name} leads both sides; name the one that signs in `side`: dev or sre.")
    if wanted is None or wanted not in led:
        role = roles[wanted] if wanted else "dev_lead or sre_lead"
        message = f"{principal.name} may not sign here: it takes the role {role}."
        raise NotAllowed(message, [Fault("role", f"let somebody with the role {role} do it")])
    return wanted


def refuse_both_sides(principal: Principal, side: str, signatures: Mapping[str, str]) -> None:
    """Raise Conflict when one person would sign for both sides; an administrator may, and the history says so."""
    others = {name for other, name in signatures.items() if other != side}
    if principal.name in others and Role.ADMINISTRATOR not in principal.roles:
        raise Conflict(
            f"{principal.name} signed for the other side already: the two sides sign by two people.",
            [Fault("side", "let somebody of that side sign")],
        )


def require_role(principal: Principal, what: str, *roles: Role) -> None:
    """Raise NotAllowed unless the principal holds one of the roles."""
    if not principal.has_role(*roles):
        names = ", ".join(sorted(roles))
        raise NotAllowed(
            f"{principal.name} may not {what}: it takes one of the roles {names}.",
            [Fault("role", f"Let somebody with one of the roles {names} do it.")],
        )


def rebuild(session: Session, tables: Sequence[type[Any]], repair: bool = True) -> list[str]:
    """Compare the records with what the history tells; return what differs, `table/id`, sorted; mend it if asked."""
    by_name = {table.__tablename__: table for table in tables}
    told = _told(session, by_name)
    stored = {(name, row.id): row for name, table in by_name.items() for row in session.scalars(select(table))}
    wrong = sorted(key for key in told.keys() | stored.keys() if _differs(stored.get(key), told.get(key)))
    for name, record_id in wrong if repair else ():
        row = stored.get((name, record_id))
        if (record := told.get((name, record_id))) is not None:
            session.merge(by_name[name](**_columns(by_name[name], record)))
        elif row is not None:
            session.delete(row)
    session.flush()
    return [f"{name}/{record_id}" for name, record_id in wrong]


def _told(session: Session, by_name: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the newest version of every record in the history."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    query = select(HistoryEvent.details).where(HistoryEvent.source == PORTAL).order_by(HistoryEvent.id)
    for details in session.scalars(query.execution_options(yield_per=1000)):
        record = details.get("record")
        if not isinstance(record, dict) or record.get("table") not in by_name:
            continue
        key = (record["table"], record["id"])
        if key not in newest or newest[key]["version"] <= record["version"]:
            newest[key] = record
    return newest


def _differs(row: Any, record: Mapping[str, Any] | None) -> bool:
    if row is None or record is None:
        return True
    return {"table": row.__tablename__, **plain(row)} != record


def _columns(table: type[Model], record: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for column in table.__table__.columns:
        value = record.get(column.key)
        values[column.key] = parse_time(value) if value and isinstance(column.type, UtcDateTime) else value
    return values
