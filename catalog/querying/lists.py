"""Lists of entities: pages by place, pages by cursor, and the whole list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.querying.cursors import encode_position
from catalog.querying.list_sql import counted_page_sql, page_sql, part_sql, total_sql, whole_list_sql, window_sql
from catalog.querying.remembering import answers
from catalog.querying.selection import EntitiesRequest, PageRequest, Position, Selection
from catalog.querying.statements import Statements
from catalog.versions import Version
from portal_backend.core.db import chunks
from portal_backend.core.quick_reading import Reader
from portal_backend.core.remembering import OVERHEAD

AT_ONCE = 500
"""Entities that are read in one go; longer lists are read piece by piece, so that they never lie in memory whole."""

Row = tuple[Any, ...]
"""Id, what it is ordered by, its body and the list's total, as far as asked for."""
BODY = 2


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


def list_entities(reader: Reader, version: Version | None, request: EntitiesRequest) -> tuple[Listed, bool]:
    """Return a part of the bare list, or the whole of it, and whether more follow."""
    statements = Statements(reader, version, request.selection)
    if request.limit is None:
        sql = statements.write("whole", whole_list_sql)
        return _listed(reader, reader.rows(sql.text, sql.parameters), with_bodies=False), False
    window = window_sql(request.selection, request.limit + 1, request.offset)
    with_bodies = request.limit <= AT_ONCE
    sql = statements.write(
        f"part{window.text}{with_bodies}", lambda t, s: part_sql(t, s, window.text, with_bodies=with_bodies)
    )
    rows = reader.rows(sql.text, sql.parameters + window.parameters)
    part, more = rows[: request.limit], len(rows) > request.limit
    return Listed((), [body for (body,) in part]) if with_bodies else _listed(reader, part, with_bodies=False), more


def query_entities(reader: Reader, version: Version | None, request: PageRequest) -> QueryPage:
    """Return a page of a query, its total and the cursors to its neighbours."""
    position = request.position
    total = _known_total(version, request)
    wants_total = request.wants_total and total is None
    if request.limit == 0:
        total = count_entities(reader, version, request.selection) if wants_total else total
        return QueryPage(Listed((), ()), total or 0, None, None)
    if wants_total and position is None:
        rows, total = _counted_page(reader, version, request)
    else:
        total = count_entities(reader, version, request.selection) if wants_total else total
        rows = _page(reader, version, request)
    more = len(rows) > request.limit
    rows = rows[: request.limit]
    if position is not None and position.backwards:
        rows.reverse()
    next_, previous = _neighbours(request, rows, more=more, total=total)
    return QueryPage(_listed(reader, rows, with_bodies=request.limit <= AT_ONCE), total or 0, next_, previous)


def _known_total(version: Version | None, request: PageRequest) -> int | None:
    """Return the total that the cursor carries, or that was counted at this version."""
    if request.total is not None or not request.wants_total or version is None:
        return request.total
    found: int | None = answers.get(_total_key(version, request.selection))
    return found


def _page(reader: Reader, version: Version | None, request: PageRequest) -> list[Row]:
    position, with_bodies = request.position, request.limit <= AT_ONCE
    window = window_sql(request.selection, request.limit + 1, request.offset)
    way = None if position is None else position.backwards
    sql = Statements(reader, version, request.selection).write(
        f"page{window.text}{with_bodies}{way}",
        lambda t, s: page_sql(t, s, position, window.text, with_bodies=with_bodies),
    )
    return reader.rows(sql.text, sql.parameters + _place(request) + window.parameters)


def _counted_page(reader: Reader, version: Version | None, request: PageRequest) -> tuple[list[Row], int]:
    """Return a first page and its total, by one statement."""
    with_bodies, window = request.limit <= AT_ONCE, window_sql(request.selection, request.limit + 1, request.offset)
    sql = Statements(reader, version, request.selection).write(
        f"counted page{window.text}{with_bodies}",
        lambda t, s: counted_page_sql(t, s, window.text, with_bodies=with_bodies),
    )
    rows = reader.rows(sql.text, sql.parameters + window.parameters)
    if not rows and request.offset:
        return rows, count_entities(reader, version, request.selection)
    total = rows[0][-1] if rows else 0
    _keep_total(version, request.selection, total)
    return rows, total


def count_entities(reader: Reader, version: Version | None, selection: Selection) -> int:
    """Return how many entities a selection has; those without its order's field are not in it."""
    sql = Statements(reader, version, selection).write("total", total_sql)
    found: int = reader.rows(sql.text, sql.parameters)[0][0]
    _keep_total(version, selection, found)
    return found


def _keep_total(version: Version | None, selection: Selection, total: int) -> None:
    if version:
        answers.keep(_total_key(version, selection), total, len(selection.key) + OVERHEAD)


def _total_key(version: Version, selection: Selection) -> tuple[Version, str, str]:
    return version, "total", selection.key


def read_bodies(reader: Reader, ids: Sequence[int]) -> Iterator[bytes]:
    """Yield the JSON of the entities with these ids, in this order; one that was removed meanwhile is left out."""
    if reader.is_postgresql:
        text = "SELECT b.id, b.body FROM catalog_entity_body b WHERE b.id = ANY(CAST(%s AS int[]))"
    else:
        text = "SELECT b.id, b.body FROM catalog_entity_body b WHERE b.id IN (SELECT value FROM json_each(%s))"
    for some in chunks(ids, AT_ONCE):
        numbers = ",".join(map(str, some))
        found = dict(reader.rows(text, (f"{{{numbers}}}" if reader.is_postgresql else f"[{numbers}]",)))
        yield from (found[id_] for id_ in some if id_ in found)


def _listed(reader: Reader, rows: Sequence[Row], *, with_bodies: bool) -> Listed:
    """Return the rows' entities; what came without bodies may still be few enough to read them now."""
    ids = [row[0] for row in rows]
    if with_bodies:
        return Listed(ids, [row[BODY] for row in rows])
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
