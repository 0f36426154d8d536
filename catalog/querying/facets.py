"""How many entities have each value of a key."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson

from catalog.querying.remembering import OVERHEAD, answers
from catalog.querying.selection import FacetsRequest, Selection
from catalog.querying.statements import statement
from catalog.querying.translation import (
    COLUMNS,
    NEVER_NULL,
    TRUE,
    WITHOUT_ORIGINAL,
    Sql,
    Translator,
    join_and,
    says_only_the_kind,
)
from catalog.versions import Version
from portal_backend.core.quick_reading import Reader


def count_facets(reader: Reader, version: Version | None, request: FacetsRequest) -> list[tuple[str, bytes]]:
    """Return, per key as asked for, its values and their counts as JSON, sorted by value."""
    return [(name, _facet(reader, version, request.selection, name)) for name in request.facets]


def _facet(reader: Reader, version: Version | None, selection: Selection, name: str) -> bytes:
    facet = name.lower()
    key = (version, "facet", facet, selection.key)
    found: bytes | None = answers.get(key) if version else None
    if found is None:
        found = _count(reader, version, selection, facet)
        if version:
            answers.keep(key, found, len(found) + len(selection.key) + len(facet) + OVERHEAD)
    return found


def _count(reader: Reader, version: Version | None, selection: Selection, facet: str) -> bytes:
    def rows(write: Callable[[Translator, Selection, str], Sql]) -> list[tuple[Any, ...]]:
        def build(translator: Translator) -> Sql:
            return write(translator, selection, facet)

        sql = statement(reader, version, selection, f"{write.__name__} {facet}", build, [facet])
        return reader.rows(sql.text, sql.parameters) if sql.text else []

    counts: Counter[str] = Counter()
    for quick, exact in ((_column_sql, _exact_column_sql), (_rows_sql, _exact_rows_sql)):
        for value, original, count in _spellings(rows(quick)) or rows(exact):
            counts[value if original is None else original] += count
    return orjson.dumps([{"value": value, "count": counts[value]} for value in sorted(counts)])


def _spellings(rows: list[tuple[Any, ...]]) -> list[tuple[str, str | None, int]] | None:
    """Return values, spellings and counts of what was grouped by value alone, or None where that was too coarse.

    It is where a value has several spellings, and where an entity may have it twice: as an item, and otherwise.
    """
    found: list[tuple[str, str | None, int]] = []
    for value, count, spelt, first, last, items in rows:
        if first != last or 0 < items < count:
            return None
        found += [(value, None, count - spelt)] if count > spelt else []
        found += [(value, first, spelt)] if spelt else []
    return found


GROUPED = "count(*), count({original}), min({original}), max({original})"
"""What tells how a value is spelt, as long as there is but one spelling beside the lower case, which is NULL."""


def _column_sql(translator: Translator, selection: Selection, facet: str) -> Sql:
    original = "CAST(NULL AS text)" if facet in WITHOUT_ORIGINAL else f"e.{COLUMNS.get(facet)}_original"
    return _of_column(translator, selection, facet, f"{GROUPED.format(original=original)}, 0", "1")


def _exact_column_sql(translator: Translator, selection: Selection, facet: str) -> Sql:
    original = "CAST(NULL AS text)" if facet in WITHOUT_ORIGINAL else f"e.{COLUMNS.get(facet)}_original"
    return _of_column(translator, selection, facet, f"{original}, count(*)", "1, 2")


def _of_column(translator: Translator, selection: Selection, facet: str, counted: str, groups: str) -> Sql:
    column = COLUMNS.get(facet)
    if column is None:
        return Sql("")
    where = translator.where(selection)
    if facet not in NEVER_NULL:
        where = join_and([where, Sql(f"e.{column} IS NOT NULL")])
    text = f"SELECT e.{column}, {counted} FROM catalog_entity e WHERE {where.text} GROUP BY {groups}"  # noqa: S608
    return Sql(text, where.parameters)


def _rows_sql(translator: Translator, selection: Selection, facet: str) -> Sql:
    """Count rows by value alone: entities need not be told apart for that, nor spellings, which takes a fraction."""
    if len(translator.sources(facet)) > 1:
        return Sql("")
    counted = f"{GROUPED.format(original='v.original')}, count(*) FILTER (WHERE v.is_item)"
    return _values_sql(translator, selection, facet, counted, "1")


def _exact_rows_sql(translator: Translator, selection: Selection, facet: str) -> Sql:
    return _values_sql(translator, selection, facet, "v.original, count(DISTINCT v.entity_id)", "1, 2")


def _values_sql(translator: Translator, selection: Selection, facet: str, counted: str, groups: str) -> Sql:
    values = translator.values(facet) if facet not in NEVER_NULL else None
    if values is None:
        return Sql("")
    text = f"SELECT v.value, {counted} FROM ({values.text}) v"  # noqa: S608 (fixed names)
    where = TRUE if says_only_the_kind(selection.condition) else translator.where(selection)
    if where != TRUE:
        text += f" JOIN catalog_entity e ON e.id = v.entity_id WHERE {where.text}"
    return Sql(f"{text} GROUP BY {groups}", values.parameters + where.parameters)
