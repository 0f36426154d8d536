"""Lists of entities: pages by place, pages by cursor, and the whole list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.querying.counted import names_kinds_alone
from catalog.querying.cursors import encode_position
from catalog.querying.list_sql import (
    Shown,
    counted_page_sql,
    page_sql,
    part_sql,
    text_page_sql,
    total_sql,
    whole_list_sql,
    window_sql,
)
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
"""What is shown of an entity, its id, what it is ordered by and the list's total, as far as asked for."""


@dataclass(frozen=True)
class Listed:
    """A part of a list: its entities' ids in order, and their JSON where there are few enough."""

    ids: Sequence[int]
    bodies: Sequence[bytes] | None
    etags: str | None = None
    """All that were read, one after the other, and so with the one that tells whether more follow."""


@dataclass(frozen=True)
class QueryPage:
    """A page of a query."""

    listed: Listed
    total: int
    next_cursor: str | None
    previous_cursor: str | None

    @property
    def signature(self) -> str | None:
        """What differs whenever the page does; None where no etags were read."""
        etags = self.listed.etags
        return None if etags is None else f"{etags} {self.total} {self.next_cursor} {self.previous_cursor}"


@dataclass(frozen=True)
class Part:
    """A part of the bare list, or the whole of it."""

    listed: Listed
    has_more: bool

    @property
    def signature(self) -> str | None:
        """What differs whenever the part does; None where no etags were read."""
        return self.listed.etags


def list_entities(
    reader: Reader, version: Version | None, request: EntitiesRequest, shown: Shown = Shown.DOCUMENT
) -> Part:
    """Return a part of the bare list, or the whole of it."""
    statements = Statements(reader, version, request.selection)
    if request.limit is None:
        sql = statements.write("whole", whole_list_sql)
        return Part(_listed(reader, reader.rows(sql.text, sql.parameters), Shown.ID), has_more=False)
    window, shown = window_sql(request.selection, request.limit + 1, request.offset), _shown(shown, request.limit)
    sql = statements.write(f"part{window.text}{shown}", lambda t, s: part_sql(t, s, window.text, shown))
    rows = reader.rows(sql.text, sql.parameters + window.parameters)
    listed = _listed(reader, rows[: request.limit], shown, _etags(rows, shown))
    return Part(listed, has_more=len(rows) > request.limit)


def query_entities(
    reader: Reader, version: Version | None, request: PageRequest, shown: Shown = Shown.DOCUMENT
) -> QueryPage:
    """Return a page of a query, its total and the cursors to its neighbours."""
    position, shown = request.position, _shown(shown, request.limit)
    total = _known_total(version, request)
    wants_total = request.wants_total and total is None
    if request.limit == 0:
        total = count_entities(reader, version, request.selection) if wants_total else total
        return QueryPage(Listed((), ()), total or 0, None, None)
    if wants_total and position is None:
        rows, total = _counted_page(reader, version, request, shown)
    else:
        total = count_entities(reader, version, request.selection) if wants_total else total
        rows = _page(reader, version, request, shown)
    part = rows[: request.limit]
    if position is not None and position.backwards:
        part.reverse()
    listed = _listed(reader, part, shown, _etags(rows, shown))
    ends = [row[len(shown.value) :][:2] for row in (part[:1] + part[-1:])]
    next_, previous = _neighbours(request, ends, more=len(rows) > request.limit, total=total)
    return QueryPage(listed, total or 0, next_, previous)


def _shown(shown: Shown, limit: int) -> Shown:
    """Return what is read with a page: of a long one ids alone."""
    return shown if limit <= AT_ONCE else Shown.ID


def _known_total(version: Version | None, request: PageRequest) -> int | None:
    """Return the total that the cursor carries, or that was counted at this version."""
    if request.total is not None or not request.wants_total or version is None:
        return request.total
    found: int | None = answers.get(_total_key(version, request.selection))
    return found


def _page(reader: Reader, version: Version | None, request: PageRequest, shown: Shown) -> list[Row]:
    if request.position is None and request.selection.text and names_kinds_alone(request.selection.condition):
        return _text_page(reader, version, request, shown)
    position, window = request.position, window_sql(request.selection, request.limit + 1, request.offset)
    way = None if position is None else position.backwards
    sql = Statements(reader, version, request.selection).write(
        f"page{window.text}{shown}{way}", lambda t, s: page_sql(t, s, position, window.text, shown)
    )
    return reader.rows(sql.text, sql.parameters + _place(request) + window.parameters)


def _text_page(reader: Reader, version: Version | None, request: PageRequest, shown: Shown) -> list[Row]:
    limit, offset = request.limit + 1, request.offset
    sql = Statements(reader, version, request.selection).write(
        f"text page {limit} {offset} {shown}", lambda t, s: text_page_sql(t, s, limit, offset, shown)
    )
    return reader.rows(sql.text, sql.parameters)


def _counted_page(reader: Reader, version: Version | None, request: PageRequest, shown: Shown) -> tuple[list[Row], int]:
    """Return a first page and its total, by one statement."""
    window = window_sql(request.selection, request.limit + 1, request.offset)
    sql = Statements(reader, version, request.selection).write(
        f"counted page{window.text}{shown}", lambda t, s: counted_page_sql(t, s, window.text, shown)
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


def _listed(reader: Reader, rows: Sequence[Row], shown: Shown, etags: str | None = None) -> Listed:
    """Return the rows' entities; of those whose ids alone were read there may still be few enough to read them now."""
    ids = [row[len(shown.value)] for row in rows]
    if shown is Shown.ID:
        return Listed(ids, list(read_bodies(reader, ids)) if len(ids) <= AT_ONCE else None)
    last = len(shown.value) - 1
    return Listed(ids, () if shown is Shown.ETAG else [row[last] for row in rows], etags)


def _etags(rows: Sequence[Row], shown: Shown) -> str | None:
    return "".join(row[0] for row in rows) if shown in {Shown.ETAG, Shown.BOTH} else None


def _place(request: PageRequest) -> tuple[Any, ...]:
    position = request.position
    if position is None:
        return ()
    return (position.id,) if position.value is None else (position.value, position.id)


def _neighbours(
    request: PageRequest, ends: Sequence[tuple[int, Any]], *, more: bool, total: int | None
) -> tuple[str | None, str | None]:
    """Return the cursors of the next page and of the one before; `ends` are id and order of its first and last row."""
    if not ends:
        return None, None
    is_ordered = bool(request.selection.orders)

    def cursor(end: tuple[int, Any], *, backwards: bool) -> str:
        position = Position(end[1] if is_ordered else None, end[0], backwards)
        return encode_position(request.carried, position, total)

    came_back = request.position is not None and request.position.backwards
    has_next = more or came_back
    has_previous = more if came_back else request.position is not None
    return (
        cursor(ends[-1], backwards=False) if has_next else None,
        cursor(ends[0], backwards=True) if has_previous else None,
    )
