"""Many rows at once, in the quickest way that the database has."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Table, delete, insert, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from portal_backend.core.db import Model, chunks

COPY_FROM = 200
"""Rows from which PostgreSQL's COPY is quicker than INSERT."""


def insert_rows(session: Session, model: type[Model], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns."""
    if not rows:
        return
    connection = session.connection()
    if connection.dialect.name != "postgresql" or len(rows) < COPY_FROM:
        session.execute(insert(table_of(model)), list(rows))
        return
    names = list(rows[0])
    columns = ", ".join(names)
    driver: Any = connection.connection.driver_connection
    convert = _converters(table_of(model), names, connection.dialect)
    with driver.cursor() as cursor, cursor.copy(f"COPY {table_of(model).name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([change(row[name]) if change else row[name] for name, change in convert])


def delete_rows(session: Session, column: InstrumentedAttribute[Any], values: Iterable[Any]) -> None:
    """Delete the rows of a table whose column has one of the values."""
    for some in chunks(values):
        session.execute(delete(column.class_).where(column.in_(some)))


def refresh_statistics(session: Session, models: Iterable[type[Model]]) -> None:
    """Tell the query planner what the tables hold now; due after many rows were written."""
    for model in models:
        session.execute(text(f"ANALYZE {table_of(model).name}"))


def table_of(model: type[Model]) -> Table:
    """Return the table of a model."""
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 (a mapped class of ours always has one)
    return table


def _converters(table: Table, names: Sequence[str], dialect: Any) -> list[tuple[str, Any]]:
    """Return, per column, what turns a Python value into the driver's, where the type asks for it."""
    return [(name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names]
