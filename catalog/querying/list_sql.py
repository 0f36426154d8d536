"""The statements behind lists of entities. Pure.

A row is the entity's id and what it is ordered by: a page is found in the narrow table first, its bodies are read then.
"""

from typing import NamedTuple

from catalog.querying.selection import Position, Selection
from catalog.querying.translation import TRUE, OrderSql, Sql, Translator, join_and, keys_of, order_sql


class By(NamedTuple):
    """One expression to sort by, and the direction as SQL."""

    expression: str
    direction: str


def list_sql(translator: Translator, selection: Selection, *, is_whole: bool) -> Sql:
    """Return the bare list; limit and offset are further parameters unless it is the whole list."""
    orders = [order_sql(translator, order, number) for number, order in enumerate(selection.orders)]
    where = [translator.where(selection)]
    if is_whole:  # as Backstage has it: what it cannot order is left out, unless pages are asked for
        where += [_has_value(ordered) for ordered in orders]
    by = [
        By(ordered.value, f"{'DESC' if order.descending else 'ASC'}{'' if ordered.is_never_null else ' NULLS LAST'}")
        for ordered, order in zip(orders, selection.orders, strict=True)
    ]
    by.append(By("e.id" if is_whole or orders else "e.ref", "ASC"))
    limit = "" if is_whole else " LIMIT %s OFFSET %s"
    return _rows_sql([ordered.join for ordered in orders], join_and(where), by, limit)


def page_sql(translator: Translator, selection: Selection, position: Position | None) -> Sql:
    """Return a page of a query; the position's value and id, limit and offset are further parameters."""
    orders = [order_sql(translator, order, number) for number, order in enumerate(selection.orders)]
    backwards = position is not None and position.backwards
    descending = bool(selection.orders and selection.orders[0].descending) is not backwards
    by = [By(expression, "DESC" if descending else "ASC") for expression in (*(o.value for o in orders), "e.id")]
    where = [translator.where(selection), *(_has_value(ordered) for ordered in orders)]
    if position is not None:
        place = ", ".join(one.expression for one in by)
        marks = ", ".join(["%s"] * len(by))
        where.append(Sql(f"({place}) {'<' if descending else '>'} ({marks})"))
    joins = [ordered.join for ordered in orders]
    return _rows_sql(joins, join_and(where), by, " LIMIT %s OFFSET %s")


def total_sql(translator: Translator, selection: Selection) -> Sql:
    """Return how many entities a query has."""
    orders = [order_sql(translator, order, number) for number, order in enumerate(selection.orders)]
    where = join_and([translator.where(selection), *(_has_value(ordered) for ordered in orders)])
    return _joined("SELECT count(*) FROM catalog_entity e", [ordered.join for ordered in orders], where)


def counted_page_sql(translator: Translator, selection: Selection) -> Sql:
    """Return a first page, with the total beside each row; limit and offset are further parameters.

    It finds the entities once, for the page and for the total. That pays where finding them is what costs: a text, or a
    key of the rest-index. No text otherwise: an index in the list's order leads to a page without finding the others.
    """
    if selection.text is None and not any(translator.sources(key) for key in keys_of(selection)):
        return Sql("")
    orders = [order_sql(translator, order, number) for number, order in enumerate(selection.orders)]
    where = join_and([translator.where(selection), *(_has_value(ordered) for ordered in orders)])
    columns = ", ".join(["e.id", *(f"{ordered.value} AS o{number}" for number, ordered in enumerate(orders))])
    found = _joined(f"SELECT {columns} FROM catalog_entity e", [ordered.join for ordered in orders], where)  # noqa: S608
    direction = "DESC" if selection.orders and selection.orders[0].descending else "ASC"
    names = [*(f"o{number}" for number in range(len(orders))), "id"]
    by = ", ".join(f"{name} {direction}" for name in names)
    return Sql(
        f"WITH found AS MATERIALIZED ({found.text}) SELECT id, {', '.join(names)}, (SELECT count(*) FROM found) "  # noqa: S608
        f"FROM found ORDER BY {by} LIMIT %s OFFSET %s",
        found.parameters,
    )


def _has_value(ordered: OrderSql) -> Sql:
    return TRUE if ordered.is_never_null else Sql(f"{ordered.value} IS NOT NULL")


def _rows_sql(joins: list[Sql], where: Sql, by: list[By], limit: str) -> Sql:
    names = [f"o{number}" for number in range(len(by))]
    columns = ", ".join(f"{one.expression} AS {name}" for one, name in zip(by, names, strict=True))
    rows = _joined(f"SELECT e.id, {columns} FROM catalog_entity e", joins, where)  # noqa: S608 (our expressions)
    order = ", ".join(f"{one.expression} {one.direction}" for one in by)
    return Sql(f"{rows.text} ORDER BY {order}{limit}", rows.parameters)


def _joined(text: str, joins: list[Sql], where: Sql) -> Sql:
    parameters = tuple(parameter for join in joins for parameter in join.parameters)
    text += "".join(join.text for join in joins)
    return Sql(f"{text} WHERE {where.text}", parameters + where.parameters)
