"""Lists of entities: pages by place, pages by cursor, and the whole list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.querying.cursors import encode_position
from catalog.querying.list_sql import list_sql, page_sql, total_sql
from catalog.querying.remembering import OVERHEAD, answers
from catalog.querying.selection import EntitiesRequest, PageRequest, Position, Selection
from catalog.querying.statements import statement
from catalog.querying.translation import Sql
from catalog.versions import Version, current_version
from portal_backend.core.db import chunks
from portal_backend.core.quick_reading import Reader

AT_ONCE = 500
"""Entities that are read in one go; longer lists are read piece by piece, so that they never lie in memory whole."""

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Listed:
    """A part of a list: its entities' ids in order, and their JSON where there are few enough."""

    ids: Sequence[int]
    bodies: Sequence[bytes] | None


@dataclass(frozen=True)
class QueryPage:
    """A page of a query."""

    listed: Listed
    total: int
    next_cursor: str | None
    previous_cursor: str | None


def list_entities(reader: Reader, request: EntitiesRequest) -> tuple[Listed, bool]:
    """Return a part of the bare list, or the whole of it, and whether more follow."""
    version, selection = current_version(reader), request.selection
    if request.limit is None:
        sql = statement(reader, version, selection, "whole", lambda t: list_sql(t, selection, is_whole=True))
        return _listed(reader, reader.rows(sql.text, sql.parameters)), False
    sql = statement(reader, version, selection, "part", lambda t: list_sql(t, selection, is_whole=False))
    rows = _rows(reader, version, sql, (request.limit + 1, request.offset))
    return _listed(reader, rows[: request.limit]), len(rows) > request.limit


def query_entities(reader: Reader, request: PageRequest) -> QueryPage:
    """Return a page of a query, its total and the cursors to its neighbours."""
    version, selection, position = current_version(reader), request.selection, request.position
    total = request.total
    if request.wants_total and total is None:
        total = count_entities(reader, version, selection)
    if request.limit == 0:
        return QueryPage(Listed((), ()), total or 0, None, None)
    backwards = position is not None and position.backwards
    purpose = f"page at={position is not None} back={backwards}"
    sql = statement(reader, version, selection, purpose, lambda t: page_sql(t, selection, position))
    rows = _rows(reader, version, sql, _place(request) + (request.limit + 1, request.offset))
    more = len(rows) > request.limit
    rows = rows[: request.limit]
    if backwards:
        rows.reverse()
    next_, previous = _neighbours(request, rows, more=more, total=total)
    return QueryPage(_listed(reader, rows), total or 0, next_, previous)


def count_entities(reader: Reader, version: Version | None, selection: Selection) -> int:
    """Return how many entities a selection has; those without its order's field are not in it."""
    key = (version, "total", selection.key)
    found: int | None = answers.get(key) if version else None
    if found is None:
        sql = statement(reader, version, selection, "total", lambda translator: total_sql(translator, selection))
        found = reader.rows(sql.text, sql.parameters)[0][0]
        if version:
            answers.keep(key, found, len(selection.key) + OVERHEAD)
    assert found is not None  # noqa: S101 (a count has a row)
    return found


def read_bodies(reader: Reader, ids: Sequence[int]) -> Iterator[bytes]:
    """Yield the JSON of the entities with these ids, in this order; one that was removed meanwhile is left out."""
    if reader.is_postgresql:
        text = "SELECT b.id, b.body FROM catalog_entity_body b WHERE b.id = ANY(%s)"
    else:
        text = "SELECT b.id, b.body FROM catalog_entity_body b WHERE b.id IN (SELECT value FROM json_each(%s))"
    for some in chunks(ids, AT_ONCE):
        found = dict(reader.rows(text, (some if reader.is_postgresql else str(some),)))
        yield from (found[id_] for id_ in some if id_ in found)


def _rows(reader: Reader, version: Version | None, sql: Sql, place: tuple[Any, ...]) -> list[Row]:
    """Return the rows of a page: ids and what they are ordered by, which hold for one version of the catalog."""
    key = (version, sql, place)
    found: list[Row] | None = answers.get(key) if version else None
    if found is None:
        found = reader.rows(sql.text, sql.parameters + place)
        if version:
            answers.keep(key, found, len(sql.text) + OVERHEAD * (1 + len(found)))
    return found


def _listed(reader: Reader, rows: Sequence[Row]) -> Listed:
    ids = [row[0] for row in rows]
    return Listed(ids, list(read_bodies(reader, ids)) if len(ids) <= AT_ONCE else None)


def _place(request: PageRequest) -> tuple[Any, ...]:
    position = request.position
    if position is None:
        return ()
    return (position.id,) if position.value is None else (position.value, position.id)


def _neighbours(
    request: PageRequest, rows: Sequence[Row], *, more: bool, total: int | None
) -> tuple[str | None, str | None]:
    """Return the cursors of the next page and of the one before."""
    if not rows:
        return None, None
    is_ordered = bool(request.selection.orders)

    def cursor(row: Row, *, backwards: bool) -> str:
        position = Position(row[1] if is_ordered else None, row[0], backwards)
        return encode_position(request.carried, position, total)

    came_back = request.position is not None and request.position.backwards
    has_next = more or came_back
    has_previous = more if came_back else request.position is not None
    return (
        cursor(rows[-1], backwards=False) if has_next else None,
        cursor(rows[0], backwards=True) if has_previous else None,
    )
