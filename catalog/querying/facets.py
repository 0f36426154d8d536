"""How many entities have each value of a key."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import orjson

from catalog.ingestion.flatten import COUNTED_COLUMNS, COUNTED_ITEMS
from catalog.querying.conditions import says_only_the_kind
from catalog.querying.counted import is_counted, kept_facet_sql
from catalog.querying.remembering import answers
from catalog.querying.selection import FacetsRequest, Selection
from catalog.querying.statements import Statements
from catalog.querying.translation import (
    COLUMNS,
    NEVER_NULL,
    TRUE,
    WITHOUT_ORIGINAL,
    Sql,
    Translator,
    join_and,
)
from catalog.versions import Version
from portal_backend.core.quick_reading import Reader
from portal_backend.core.remembering import OVERHEAD

MAX_PARTS = 40
MAX_PARAMETERS = 4_000
"""Of one statement that counts several facets; SQLite and PostgreSQL bound both."""


class Counted(NamedTuple):
    """A value of a facet, as a row tells it."""

    value: str
    first: str | None
    """How it is spelt, the least spelling; None is the lower case."""
    last: str | None
    """The greatest spelling."""
    entities: int
    spelt: int | None
    """How many of them are not spelt in lower case; None where the row stands for one spelling only."""
    items: int


EXACT = "{value}, {original}, CAST(NULL AS text), {count}, CAST(NULL AS bigint), 0"
"""A row for each spelling."""
KEPT = EXACT.format(value="c.value", original="NULLIF(c.original, '')", count="CAST(sum(c.entities) AS bigint)")
GROUPED = "{value}, min({original}), max({original}), {count}, count({original}), {items}"
"""A row for each value. It tells how the value is spelt as long as there is but one spelling beside the lower case."""


def count_facets(reader: Reader, version: Version | None, request: FacetsRequest) -> list[tuple[str, bytes]]:
    """Return, per key as asked for, its values and their counts as JSON, sorted by value."""
    selection = request.selection
    found: dict[str, bytes | None] = {name.lower(): None for name in request.facets}
    if version:
        found = {facet: answers.get((version, "facet", facet, selection.key)) for facet in found}
    missing = [facet for facet, counted in found.items() if counted is None]
    if missing:
        for facet, counts in _count(reader, version, selection, missing).items():
            found[facet] = counted = _json(counts)
            if version:
                weight = len(counted) + len(selection.key) + len(facet) + OVERHEAD
                answers.keep((version, "facet", facet, selection.key), counted, weight)
    return [(name, found[name.lower()] or b"[]") for name in request.facets]


def _json(counts: Counter[str]) -> bytes:
    return orjson.dumps([{"value": value, "count": counts[value]} for value in sorted(counts)])


def _count(
    reader: Reader, version: Version | None, selection: Selection, facets: Sequence[str]
) -> Mapping[str, Counter[str]]:
    statements = Statements(reader, version, selection, facets)

    def parts(build: Callable[[str, Translator, Selection], Sql], of: Sequence[str]) -> list[tuple[str, Sql]]:
        found = ((facet, statements.write(f"{build.__name__} {facet}", partial(build, facet))) for facet in of)
        return [(facet, sql) for facet, sql in found if sql.text]

    chosen = statements.write(f"chosen {facets}", partial(_chosen_sql, facets))
    counts: dict[str, Counter[str]] = {facet: Counter() for facet in facets}
    too_coarse = []
    for facet, rows in _read(reader, chosen, parts(_column_sql, facets) + parts(_rows_sql, facets)):
        if any(map(_is_too_coarse, rows)):
            too_coarse.append(facet)
        else:
            _add(counts[facet], rows)
    for facet, rows in _read(reader, chosen, parts(_exact_rows_sql, too_coarse)):
        _add(counts[facet], rows)
    return counts


def _read(reader: Reader, chosen: Sql, parts: Sequence[tuple[str, Sql]]) -> Iterator[tuple[str, list[Counted]]]:
    """Yield the rows of each part; several go into one statement."""
    for some in _packed(parts):
        numbered = (f"SELECT {number}, q.* FROM ({sql.text}) q" for number, (_, sql) in enumerate(some))  # noqa: S608 (ours)
        parameters = [*chosen.parameters, *(parameter for _, sql in some for parameter in sql.parameters)]
        found: list[list[Counted]] = [[] for _ in some]
        for number, *row in reader.rows(chosen.text + " UNION ALL ".join(numbered), parameters):
            found[number].append(Counted(*row))
        yield from ((facet, rows) for (facet, _), rows in zip(some, found, strict=True))


def _packed(parts: Sequence[tuple[str, Sql]]) -> Iterator[list[tuple[str, Sql]]]:
    pack: list[tuple[str, Sql]] = []
    parameters = 0
    for part in parts:
        parameters += len(part[1].parameters)
        if pack and (len(pack) == MAX_PARTS or parameters > MAX_PARAMETERS):
            yield pack
            pack, parameters = [], len(part[1].parameters)
        pack.append(part)
    if pack:
        yield pack


def _is_too_coarse(row: Counted) -> bool:
    """Say whether a value has several spellings, or an entity may have it twice: as an item, and otherwise."""
    return row.spelt is not None and (row.first != row.last or 0 < row.items < row.entities)


def _add(counts: Counter[str], rows: Sequence[Counted]) -> None:
    for row in rows:
        if row.first is None:
            counts[row.value] += row.entities
            continue
        spelt = row.entities if row.spelt is None else row.spelt
        counts[row.first] += spelt
        if row.entities > spelt:
            counts[row.value] += row.entities - spelt


def _chosen_sql(facets: Sequence[str], translator: Translator, selection: Selection) -> Sql:
    """Return what names the entities of the selection with all that is asked of them, where they are better found once.

    That is where rows of the rest-index lead to them. Otherwise an index has a column's values of a kind in order.
    """
    if not translator.leads(selection.condition):
        return Sql("")
    columns = [facet for facet in facets if facet in COLUMNS]
    names = ", ".join(["e.id", *(name for facet in columns for name in _names(facet))])
    where = translator.where_of_all(selection)
    found = f"SELECT {names} FROM catalog_entity e WHERE {where.text}"  # noqa: S608 (fixed names)
    few = [facet for facet in columns if facet in COUNTED_COLUMNS]
    grouped = f", grouped AS ({_grouped(few)})" if few else ""
    return Sql(f"WITH chosen AS ({found}){grouped} ", where.parameters)


def _grouped(facets: Sequence[str]) -> str:
    """Return a query of facet, value, original and entities that counts columns of few values in one pass.

    There is a set of groups for each facet, and in its rows the columns of the others are null.
    """
    names = [_names(facet) for facet in facets]
    bits = 2 ** len(facets) - 1
    which = " ".join(f"WHEN {bits ^ 1 << place} THEN '{facet}'" for place, facet in enumerate(reversed(facets)))
    values = ", ".join(value for value, *_ in names)
    originals = ", ".join(["CAST(NULL AS text)", *(original for _, *some in names for original in some)])
    sets = ", ".join(f"({', '.join(some)})" for some in names)
    return (
        f"SELECT CASE GROUPING({values}) {which} END AS facet, COALESCE({values}) AS value, "  # noqa: S608 (fixed names)
        f"COALESCE({originals}) AS original, count(*) AS entities FROM chosen e GROUP BY GROUPING SETS ({sets})"
    )


def _names(facet: str) -> list[str]:
    column = f"e.{COLUMNS[facet]}"
    return [column] if facet in WITHOUT_ORIGINAL else [column, f"{column}_original"]


def _original(facet: str) -> str:
    return "CAST(NULL AS text)" if facet in WITHOUT_ORIGINAL else f"e.{COLUMNS[facet]}_original"


def _column_sql(facet: str, translator: Translator, selection: Selection) -> Sql:
    column = COLUMNS.get(facet)
    if column is None:
        return Sql("")
    table, where = "catalog_entity", translator.where(selection)
    leads = translator.leads(selection.condition)
    if leads and facet in COUNTED_COLUMNS:
        columns = EXACT.format(value="g.value", original="g.original", count="g.entities")
        return Sql(f"SELECT {columns} FROM grouped g WHERE g.facet = '{facet}' AND g.value IS NOT NULL")  # noqa: S608 (ours)
    if leads:
        table, where = "chosen", TRUE
    if facet not in NEVER_NULL:
        where = join_and([where, Sql(f"e.{column} IS NOT NULL")])
    columns = EXACT.format(value=f"e.{column}", original=_original(facet), count="count(*)")
    text = f"SELECT {columns} FROM {table} e WHERE {where.text} GROUP BY 1, 2"  # noqa: S608 (fixed names)
    counted = Sql(text, where.parameters)
    if facet in COUNTED_COLUMNS and is_counted(selection):
        return kept_facet_sql(facet, selection, KEPT, counted)
    return counted


def _rows_sql(facet: str, translator: Translator, selection: Selection) -> Sql:
    """Count rows by value alone: entities need not be told apart for that, nor spellings, which takes a fraction."""
    if len(translator.sources(facet)) > 1:
        return _exact_rows_sql(facet, translator, selection)
    if facet in COUNTED_ITEMS and is_counted(selection) and translator.sources(facet):
        return kept_facet_sql(facet, selection, KEPT, _exact_rows_sql(facet, translator, selection))
    columns = GROUPED.format(
        value="v.value", original="v.original", count="count(*)", items="count(*) FILTER (WHERE v.is_item)"
    )
    return _values_sql(facet, translator, selection, columns, "1")


def _exact_rows_sql(facet: str, translator: Translator, selection: Selection) -> Sql:
    columns = EXACT.format(value="v.value", original="v.original", count="count(DISTINCT v.entity_id)")
    return _values_sql(facet, translator, selection, columns, "1, 2")


def _values_sql(facet: str, translator: Translator, selection: Selection, columns: str, groups: str) -> Sql:
    values = translator.values(facet) if facet not in NEVER_NULL else None
    if values is None:
        return Sql("")
    text = f"SELECT {columns} FROM ({values.text}) v"  # noqa: S608 (fixed names)
    of = _of_selection(translator, selection)
    return Sql(f"{text}{of.text} GROUP BY {groups}", values.parameters + of.parameters)


def _of_selection(translator: Translator, selection: Selection) -> Sql:
    """Return what leaves the values `v` of the selection's entities."""
    if says_only_the_kind(selection.condition):
        return Sql("")
    rows = translator.rows_alone(selection.condition)
    if rows is None and translator.leads(selection.condition):
        rows = Sql("SELECT e.id FROM chosen e")
    if rows:
        # Not as a join: a list is hashed, whatever PostgreSQL thinks of the number of its rows.
        return Sql(f" WHERE (v.entity_id IN ({rows.text})) IS TRUE", rows.parameters)
    where = translator.where(selection)
    if where == TRUE:
        return Sql("")
    return Sql(f" JOIN catalog_entity e ON e.id = v.entity_id WHERE {where.text}", where.parameters)
