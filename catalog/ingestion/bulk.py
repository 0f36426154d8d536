"""Many rows at once, in the quickest way that the database has."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog.ingestion.copying import PlainRow, copy_blobs, copy_text
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
    convert = _converters(table_of(model), names, connection.dialect)
    _copy(
        connection,
        model,
        names,
        ([change(row[name]) if change else row[name] for name, change in convert] for row in rows),
    )


def insert_plain_rows(session: Session, model: type[Model], names: Sequence[str], rows: Sequence[PlainRow]) -> None:
    """Insert rows of numbers, texts and truth values into SQLite, which need no conversion: the quickest way."""
    if not rows:
        return
    marks = ", ".join("?" * len(names))
    statement = f"INSERT INTO {table_of(model).name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 (our own names)
    session.connection().exec_driver_sql(statement, list(rows))


def insert_full_rows(
    session: Session, model: type[Model], names: Sequence[str], rows: Sequence[tuple[int | str, ...]]
) -> None:
    """Insert rows of numbers and texts, none of which is absent."""
    if not copies(session):
        insert_plain_rows(session, model, names, rows)
    elif len(rows) < COPY_FROM:
        insert_rows(session, model, [dict(zip(names, row, strict=True)) for row in rows])
    else:
        for some in chunks(rows, 10_000):
            copy_in(session, model, names, copy_text(some))


def copies(session: Session) -> bool:
    """Say whether the database takes rows by COPY."""
    return session.connection().dialect.name == "postgresql"


def copy_in(session: Session, model: type[Model], names: Sequence[str], data: bytes) -> None:
    """Insert rows that `copying.copy_text` has written; only for a database that copies."""
    if data:
        driver: Any = session.connection().connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(_copy_statement(model, names)) as copy:
            copy.write(data)


def copy_in_blobs(
    session: Session, model: type[Model], names: tuple[str, str], rows: Sequence[tuple[int, bytes]]
) -> None:
    """Insert rows of a number and bytes; only for a database that copies."""
    if rows:
        driver: Any = session.connection().connection.driver_connection
        statement = f"{_copy_statement(model, names)} (FORMAT BINARY)"
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(copy_blobs(rows))


def _copy_statement(model: type[Model], names: Sequence[str]) -> str:
    return f"COPY {table_of(model).name} ({', '.join(names)}) FROM STDIN"


def _copy(connection: Connection, model: type[Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_copy_statement(model, names)) as copy:
        for row in rows:
            copy.write_row(row)


def delete_rows(session: Session, column: InstrumentedAttribute[Any], values: Iterable[Any]) -> None:
    """Delete the rows of a table whose column has one of the values."""
    for some in chunks(values):
        session.execute(delete(column.class_).where(column.in_(some)))


def refresh_statistics(session: Session, columns: Mapping[type[Model], Sequence[InstrumentedAttribute[Any]]]) -> None:
    """Tell the query planner what tables hold now, by those of their columns that it is asked about."""
    chooses = session.connection().dialect.name == "postgresql"
    for model, some in columns.items():
        names = ", ".join(column.key for column in some)
        session.execute(text(f"ANALYZE {table_of(model).name}{f' ({names})' if chooses else ''}"))


def table_of(model: type[Model]) -> Table:
    """Return the table of a model."""
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 (a mapped class of ours always has one)
    return table


def _converters(table: Table, names: Sequence[str], dialect: Any) -> list[tuple[str, Any]]:
    """Return, per column, what turns a Python value into the driver's, where the type asks for it."""
    return [(name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names]
