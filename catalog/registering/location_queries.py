"""Registered locations by predicate, in pages; the cursor holds the query, since clients send nothing beside it."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog.models import Location
from catalog.querying.conditions import Condition, Equals, Every, Exists, HasPrefix, Not, Some
from catalog.querying.predicates import parse_predicate
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.pagination import bad_cursor

DEFAULT_LIMIT = 1_000
MAX_LIMIT = 10_000
"""Locations on a page, whatever is asked for; the next cursor leads on."""

COLUMNS: dict[str, InstrumentedAttribute[str]] = {
    "id": Location.id,
    "type": Location.type,
    "target": Location.target,
    "entityref": Location.entity_ref,
}


@dataclass(frozen=True)
class LocationPage:
    """A page of locations by id."""

    items: Sequence[Location]
    total: int
    next_cursor: str | None


def query_locations(session: Session, query: Any, limit: int | None, cursor: str | None) -> LocationPage:
    """Return a page of the locations that a predicate selects; a cursor goes before the query. Raises InvalidInput."""
    after = ""
    if cursor is not None:
        query, carried, after = _decode(cursor)
        limit = carried if limit is None else limit
    limit = min(DEFAULT_LIMIT if limit is None else limit, MAX_LIMIT)
    wanted = true() if query is None else _clause(parse_predicate(query))
    total = session.scalar(select(func.count()).select_from(Location).where(wanted)) or 0
    page = select(Location).where(wanted, Location.id > after).order_by(Location.id).limit(limit + 1)
    found = session.scalars(page).all()
    following = _encode(query, limit, found[limit - 1].id) if len(found) > limit else None
    return LocationPage(found[:limit], total, following)


def _clause(condition: Condition) -> ColumnElement[bool]:
    match condition:
        case Every(conditions):
            return and_(true(), *map(_clause, conditions))
        case Some(conditions):
            return or_(false(), *map(_clause, conditions))
        case Not(inner):
            return not_(_clause(inner))
        case Exists(key):
            return _column(key).is_not(None)
        case Equals(key, values):
            return func.lower(_column(key)).in_([value for value in values if "\0" not in value])
        case HasPrefix(key, prefix):
            column = func.lower(_column(key))
            return false() if "\0" in prefix else column.startswith(prefix, autoescape=True)


def _column(key: str) -> InstrumentedAttribute[str]:
    try:
        return COLUMNS[key]
    except KeyError:
        message = f"{key[:100]} is no field of a location; ask by id, type, target or entityRef"
        raise InvalidInput(f"query: {message}.", [Fault("query", message)]) from None


def _encode(query: Any, limit: int, after: str) -> str:
    return base64.b64encode(orjson.dumps({"query": query, "limit": limit, "after": after})).decode()


def _decode(cursor: str) -> tuple[Any, int, str]:
    try:
        place = orjson.loads(base64.b64decode(cursor.encode("ascii"), validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError) as error:
        raise bad_cursor() from error
    match place:
        case {"query": query, "limit": int(limit), "after": str(after)}:
            if not isinstance(limit, bool) and 0 < limit <= MAX_LIMIT and "\0" not in after:
                return query, limit, after
    raise bad_cursor()
