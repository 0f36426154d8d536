"""The statements behind lists of entities. Pure.

A row is what is shown of an entity, its id and what it is ordered by. A page is found in the narrow table first and
joined with its documents then, in the same statement: a second one would cost as much as finding the page does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from catalog.querying.counted import is_counted, kept_total_sql
from catalog.querying.selection import Order, Position, Selection
from catalog.querying.translation import (
    COLUMNS,
    NEVER_NULL,
    TRUE,
    Sql,
    Translator,
    join_and,
)

A_FEW = "SELECT greatest(reltuples, 0)::bigint / 100 AS number FROM pg_class WHERE oid = 'catalog_entity'::regclass"
"""If no more entities have a text, its index leads to a page sooner than the list's order may. PostgreSQL's estimate of
how many there are will do, and counting costs more than many a page."""
ID, PLACE = Sql("p.id"), Sql("p.o0")
"""Of a row of a page: the entity, and the first of what orders it."""
PLANNED_LIMIT = 501
"""Rows up to which a limit may be written into the statement."""


class Shown(Enum):
    """What a page tells of each of its entities, in columns before all others."""

    ID = ()
    """Nothing but the id, which always follows."""
    ETAG = ("d.etag",)
    DOCUMENT = ("b.body",)
    BOTH = ("d.etag", "b.body")


JOINS = {
    "d.etag": "JOIN catalog_entity d ON d.id = p.id",
    "b.body": "JOIN catalog_entity_body b ON b.id = p.id",
}


class By(NamedTuple):
    """One expression to sort by, and the direction as SQL."""

    expression: str
    direction: str


@dataclass(frozen=True)
class OrderSql:
    """What a list is ordered by: a join that the value needs, and the value (None where no entity has one)."""

    join: Sql
    value: str
    is_never_null: bool


def order_sql(translator: Translator, order: Order, number: int) -> OrderSql:
    """Return the value that entities are ordered by: the least of several, so that each stands in one place."""
    column = COLUMNS.get(order.field)
    values = translator.values(order.field) if order.field not in NEVER_NULL else None
    if values is None:
        return OrderSql(Sql(""), f"e.{column}" if column else "CAST(NULL AS text)", order.field in NEVER_NULL)
    least = f"SELECT entity_id, min(value) AS value FROM ({values.text}) v{number} GROUP BY entity_id"  # noqa: S608
    join = Sql(f" LEFT JOIN ({least}) o{number} ON o{number}.entity_id = e.id", values.parameters)
    return OrderSql(join, f"COALESCE(e.{column}, o{number}.value)" if column else f"o{number}.value", False)


def window_sql(selection: Selection, limit: int, offset: int) -> Sql:
    """Return what takes a part of a list; its parameters are the last ones of the statement.

    PostgreSQL plans a statement whose limit is a parameter at every call. That is wanted where the best plan depends on
    the values that are looked for; a list that only names its kind has one best plan, and planning costs as much as it.
    """
    if is_counted(selection) and limit <= PLANNED_LIMIT:
        return Sql(f" LIMIT {limit} OFFSET %s", (offset,)) if offset else Sql(f" LIMIT {limit}")
    return Sql(" LIMIT %s OFFSET %s", (limit, offset))


def whole_list_sql(translator: Translator, selection: Selection) -> Sql:
    """Return the bare list: ids only, as it may be long."""
    orders = _orders(translator, selection)
    # As Backstage has it: what it cannot order is left out, unless pages are asked for.
    where = join_and([translator.where_of_all(selection), *(_has_value(ordered) for ordered in orders)])
    by = [*_bare_order(orders, selection), By("e.id", "ASC")]
    return _ordered(_rows_sql(orders, where, by), by)


def part_sql(translator: Translator, selection: Selection, window: str, shown: Shown) -> Sql:
    """Return a part of the bare list; the window's parameters are to be added."""
    orders = _orders(translator, selection)
    by = [*_bare_order(orders, selection), By("e.id" if orders else "e.ref", "ASC")]
    page = _ordered(_rows_sql(orders, translator.where(selection), by), by, window)
    return _read(page, by, shown, [ID])


def page_sql(translator: Translator, selection: Selection, position: Position | None, window: str, shown: Shown) -> Sql:
    """Return a page of a query; the position's value and id, and the window's parameters are to be added."""
    orders = _orders(translator, selection)
    by = _page_order(orders, selection, position)
    where = [translator.where(selection), *(_has_value(ordered) for ordered in orders)]
    if position is not None:
        place = ", ".join(one.expression for one in by)
        marks = ", ".join(["%s"] * len(by))
        where.append(Sql(f"({place}) {'<' if by[0].direction == 'DESC' else '>'} ({marks})"))
    return _read(_ordered(_rows_sql(orders, join_and(where), by), by, window), by, shown, [ID, PLACE])


def text_page_sql(translator: Translator, selection: Selection, limit: int, offset: int, shown: Shown) -> Sql:
    """Return a first page of the entities of some kinds that have a text, for who wants no total.

    A list in its order comes to a rare text late, an index of texts has to find all of a frequent one: where it finds
    more than a few it is left.
    """
    window = f" LIMIT {limit} OFFSET {offset}"
    if selection.text is None or not translator.is_indexed(selection.text):
        return page_sql(translator, selection, None, window, shown)
    orders = _orders(translator, selection)
    by = _page_order(orders, selection, None)
    have_values = [_has_value(ordered) for ordered in orders]
    few = _rows_sql(orders, join_and([translator.where_of_all(selection), *have_values]), by)
    are_many = Sql("(SELECT count(*) FROM few) > (SELECT number FROM most)")
    in_order = _rows_sql(orders, join_and([translator.where(selection), *have_values, are_many]), by)
    in_order = _ordered(in_order, by, f" LIMIT {limit + offset}")
    either = f"SELECT f.* FROM few f WHERE NOT {are_many.text} UNION ALL ({in_order.text})"  # noqa: S608 (our own)
    page = Sql(f"SELECT u.* FROM ({either}) u ORDER BY {_order_of('u', by)}{window}", in_order.parameters)  # noqa: S608
    read = _read(page, by, shown, [ID, PLACE])
    found = f"{few.text} LIMIT (SELECT number + 1 FROM most)"  # noqa: S608 (our own text)
    text = f"WITH most AS MATERIALIZED ({A_FEW}), few AS MATERIALIZED ({found}) {read.text}"
    return Sql(text, few.parameters + read.parameters)


def total_sql(translator: Translator, selection: Selection) -> Sql:
    """Return how many entities a query has."""
    orders = _orders(translator, selection)
    where = join_and([translator.where_of_all(selection), *(_has_value(ordered) for ordered in orders)])
    total = _joined("SELECT count(*) FROM catalog_entity e", orders, where)
    if not all(ordered.is_never_null for ordered in orders):
        return total
    rows = translator.rows_alone(selection.condition) or translator.rows_with_key(selection.condition)
    if selection.text is None and rows:
        return Sql(f"SELECT count(DISTINCT r.entity_id) FROM ({rows.text}) r", rows.parameters)  # noqa: S608 (ours)
    return kept_total_sql(translator, selection, total)


def counted_page_sql(translator: Translator, selection: Selection, window: str, shown: Shown) -> Sql:
    """Return a first page with the total beside each row; the window's parameters are to be added.

    Where finding the entities is what costs (a text, or few rows of the rest-index), they are found once, for the page
    and for the total. Otherwise an index in the list's order leads to a page without finding the others.
    """
    orders = _orders(translator, selection)
    by = _page_order(orders, selection, None)
    where = join_and([translator.where_of_all(selection), *(_has_value(ordered) for ordered in orders)])
    rows = _rows_sql(orders, where, by)
    if selection.text is None and not translator.starts_in_rest_index(selection):
        return _read(_ordered(rows, by, window), by, shown, [ID, PLACE, _nested(total_sql(translator, selection))])
    page = Sql(f"SELECT f.* FROM found f ORDER BY {_order_of('f', by)}{window}")  # noqa: S608 (our own names)
    counted = _read(page, by, shown, [ID, PLACE, Sql("(SELECT count(*) FROM found)")])
    return Sql(f"WITH found AS MATERIALIZED ({rows.text}) {counted.text}", rows.parameters)


def _orders(translator: Translator, selection: Selection) -> list[OrderSql]:
    return [order_sql(translator, order, number) for number, order in enumerate(selection.orders)]


def _bare_order(orders: list[OrderSql], selection: Selection) -> list[By]:
    return [
        By(ordered.value, f"{'DESC' if order.descending else 'ASC'}{'' if ordered.is_never_null else ' NULLS LAST'}")
        for ordered, order in zip(orders, selection.orders, strict=True)
    ]


def _page_order(orders: list[OrderSql], selection: Selection, position: Position | None) -> list[By]:
    backwards = position is not None and position.backwards
    descending = bool(selection.orders and selection.orders[0].descending) is not backwards
    return [By(expression, "DESC" if descending else "ASC") for expression in (*(o.value for o in orders), "e.id")]


def _has_value(ordered: OrderSql) -> Sql:
    return TRUE if ordered.is_never_null else Sql(f"{ordered.value} IS NOT NULL")


def _rows_sql(orders: list[OrderSql], where: Sql, by: list[By]) -> Sql:
    """Return ids and what they are to be ordered by."""
    columns = ", ".join(f"{one.expression} AS o{number}" for number, one in enumerate(by))
    return _joined(f"SELECT e.id, {columns} FROM catalog_entity e", orders, where)  # noqa: S608 (our expressions)


def _ordered(rows: Sql, by: list[By], window: str = "") -> Sql:
    order = ", ".join(f"{one.expression} {one.direction}" for one in by)
    return Sql(f"{rows.text} ORDER BY {order}{window}", rows.parameters)


def _read(page: Sql, by: list[By], shown: Shown, others: Iterable[Sql]) -> Sql:
    """Return of each row of a page what is shown, and other expressions, which may be of the page `p`."""
    told = [*map(Sql, shown.value), *others]
    joins = " ".join(JOINS[column] for column in shown.value)
    columns = ", ".join(one.text for one in told)
    text = f"SELECT {columns} FROM ({page.text}) p {joins} ORDER BY {_order_of('p', by)}"  # noqa: S608 (our own)
    return Sql(text, (*(parameter for one in told for parameter in one.parameters), *page.parameters))


def _nested(query: Sql) -> Sql:
    return Sql(f"({query.text})", query.parameters)


def _order_of(table: str, by: list[By]) -> str:
    return ", ".join(f"{table}.o{number} {one.direction}" for number, one in enumerate(by))


def _joined(text: str, orders: list[OrderSql], where: Sql) -> Sql:
    parameters = tuple(parameter for ordered in orders for parameter in ordered.join.parameters)
    text += "".join(ordered.join.text for ordered in orders)
    return Sql(f"{text} WHERE {where.text}", parameters + where.parameters)
