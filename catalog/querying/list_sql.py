"""The statements behind lists of entities. Pure.

A row is the entity's id and what it is ordered by. A page is found in the narrow table first and joined with its bodies
then, in the same statement: a second one would cost as much as finding the page does.
"""

from typing import NamedTuple

from catalog.querying.counted import is_counted, kept_total_sql
from catalog.querying.selection import Position, Selection
from catalog.querying.translation import (
    TRUE,
    OrderSql,
    Sql,
    Translator,
    join_and,
    order_sql,
)

PLANNED_LIMIT = 501
"""Rows up to which a limit may be written into the statement."""


class By(NamedTuple):
    """One expression to sort by, and the direction as SQL."""

    expression: str
    direction: str


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
    where = join_and([translator.where(selection), *(_has_value(ordered) for ordered in orders)])
    by = [*_bare_order(orders, selection), By("e.id", "ASC")]
    return _ordered(_rows_sql(orders, where, by), by)


def part_sql(translator: Translator, selection: Selection, window: str, *, with_bodies: bool) -> Sql:
    """Return a part of the bare list, bodies or else rows; the window's parameters are to be added."""
    orders = _orders(translator, selection)
    by = [*_bare_order(orders, selection), By("e.id" if orders else "e.ref", "ASC")]
    page = _ordered(_rows_sql(orders, translator.where(selection), by), by, window)
    if not with_bodies:
        return _read(page, by, with_bodies=False)
    join = "JOIN catalog_entity_body b ON b.id = p.id"
    return Sql(f"SELECT b.body FROM ({page.text}) p {join} ORDER BY {_order_of('p', by)}", page.parameters)  # noqa: S608


def page_sql(
    translator: Translator, selection: Selection, position: Position | None, window: str, *, with_bodies: bool
) -> Sql:
    """Return a page of a query; the position's value and id, and the window's parameters are to be added."""
    orders = _orders(translator, selection)
    by = _page_order(orders, selection, position)
    where = [translator.where(selection), *(_has_value(ordered) for ordered in orders)]
    if position is not None:
        place = ", ".join(one.expression for one in by)
        marks = ", ".join(["%s"] * len(by))
        where.append(Sql(f"({place}) {'<' if by[0].direction == 'DESC' else '>'} ({marks})"))
    return _read(_ordered(_rows_sql(orders, join_and(where), by), by, window), by, with_bodies=with_bodies)


def total_sql(translator: Translator, selection: Selection) -> Sql:
    """Return how many entities a query has."""
    orders = _orders(translator, selection)
    where = join_and([translator.where_of_all(selection), *(_has_value(ordered) for ordered in orders)])
    total = _joined("SELECT count(*) FROM catalog_entity e", orders, where)
    return kept_total_sql(translator, selection, total) if all(ordered.is_never_null for ordered in orders) else total


def counted_page_sql(translator: Translator, selection: Selection, window: str, *, with_bodies: bool) -> Sql:
    """Return a first page with the total beside each row; the window's parameters are to be added.

    Where finding the entities is what costs (a text, or few rows of the rest-index), they are found once, for the page
    and for the total. Otherwise an index in the list's order leads to a page without finding the others.
    """
    orders = _orders(translator, selection)
    by = _page_order(orders, selection, None)
    where = join_and([translator.where_of_all(selection), *(_has_value(ordered) for ordered in orders)])
    rows = _rows_sql(orders, where, by)
    if selection.text is None and not translator.starts_in_rest_index(selection):
        return _read(_ordered(rows, by, window), by, total_sql(translator, selection), with_bodies=with_bodies)
    page = Sql(f"SELECT f.* FROM found f ORDER BY {_order_of('f', by)}{window}")  # noqa: S608 (our own names)
    counted = _read(page, by, Sql("SELECT count(*) FROM found"), with_bodies=with_bodies)
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


def _read(page: Sql, by: list[By], total: Sql | None = None, *, with_bodies: bool) -> Sql:
    """Return of each row of a page its id, the first of what orders it, its body, and the total, as far as wanted."""
    body, join = (", b.body", "JOIN catalog_entity_body b ON b.id = p.id ") if with_bodies else ("", "")
    counted = f", ({total.text})" if total else ""
    text = f"SELECT p.id, p.o0{body}{counted} FROM ({page.text}) p {join}ORDER BY {_order_of('p', by)}"  # noqa: S608 (ours)
    return Sql(text, (total.parameters if total else ()) + page.parameters)


def _order_of(table: str, by: list[By]) -> str:
    return ", ".join(f"{table}.o{number} {one.direction}" for number, one in enumerate(by))


def _joined(text: str, orders: list[OrderSql], where: Sql) -> Sql:
    parameters = tuple(parameter for ordered in orders for parameter in ordered.join.parameters)
    text += "".join(ordered.join.text for ordered in orders)
    return Sql(f"{text} WHERE {where.text}", parameters + where.parameters)
