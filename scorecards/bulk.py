"""Reads and writes many rows at once: by arrays and COPY on PostgreSQL, by plain statements on SQLite."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Dialect,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    insert,
    text,
    update,
)
from sqlalchemy.orm import Session

from portal_backend.core.db import Model, UtcDateTime
from portal_backend.core.db import upsert as upsert_one_by_one
from scorecards.models import JsonText

WORTH_COPYING = 50
"""Below so many rows a plain statement is faster than a temporary table."""

Row = Mapping[str, Any]


def add(session: Session, table: type[Model], rows: Sequence[Row]) -> None:
    """Insert rows; every one has the same columns."""
    if not rows:
        return
    if _copies(session, rows):
        _copy(session, _table(table).name, _columns(table, rows), rows)
    else:
        session.execute(insert(table), list(rows))


def upsert(session: Session, table: type[Model], rows: Sequence[Row], key: Sequence[str]) -> None:
    """Insert rows, or update those whose key columns exist already; every row has the same columns."""
    if not _copies(session, rows):
        if len(rows) >= WORTH_COPYING:
            _upsert_bare(session, table, rows, key)
            return
        plain: Any = _table(table)  # a statement on the class would weigh each row as an object
        upsert_one_by_one(session, plain, rows, key)
        return
    columns = _columns(table, rows)
    names = [column.name for column in columns]
    with _Staged(session, table, columns, rows) as staged:
        changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
        # The names are those of our own tables.
        listed = ", ".join(names)
        statement = f"INSERT INTO {_table(table).name} ({listed}) SELECT {listed} FROM {staged}"  # noqa: S608
        session.execute(text(f"{statement} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"))


def _upsert_bare(session: Session, table: type[Model], rows: Sequence[Row], key: Sequence[str]) -> None:
    """Upsert on SQLite: hand its driver the values as it stores them; SQLAlchemy would weigh each one of each row."""
    connection = session.connection()
    columns = _columns(table, rows)
    written = [(column.name, _written_as(column, connection.dialect)) for column in columns]
    names = [name for name, _ in written]
    changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
    target = f"INTO {_table(table).name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    connection.exec_driver_sql(
        f"INSERT {target} ON CONFLICT ({', '.join(key)}) DO " + (f"UPDATE SET {changed}" if changed else "NOTHING"),
        [tuple([write(row[name]) if write else row[name] for name, write in written]) for row in rows],
    )


def _written_as(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what turns a value of a column into what the driver takes; None where it takes the value itself."""
    write = column.type.dialect_impl(dialect).bind_processor(dialect)
    # The rows of a batch share their few times.
    return lru_cache(maxsize=64)(write) if write and isinstance(column.type, UtcDateTime) else write


def change(session: Session, table: type[Model], rows: Sequence[Row], key: str) -> None:
    """Set the other columns of rows that exist, each found by its key column; every row has the same columns."""
    if not rows:
        return
    if not _copies(session, rows):
        places: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name != key}
        statement = update(_table(table)).where(_table(table).c[key] == bindparam("of_key")).values(places)
        given = [
            {"of_key": row[key], **{f"new_{name}": value for name, value in row.items() if name != key}} for row in rows
        ]
        session.connection().execute(statement, given)
        return
    columns = _columns(table, rows)
    with _Staged(session, table, columns, rows) as staged:
        changed = ", ".join(f"{column.name} = {staged}.{column.name}" for column in columns if column.name != key)
        name = _table(table).name
        session.execute(
            text(f"UPDATE {name} SET {changed} FROM {staged} WHERE {name}.{key} = {staged}.{key}")  # noqa: S608
        )


class _Staged:
    """Rows in a temporary table, for as long as the block lasts."""

    def __init__(
        self, session: Session, table: type[Model], columns: Sequence[Column[Any]], rows: Sequence[Row]
    ) -> None:
        self.session, self.table, self.columns, self.rows = session, table, columns, rows
        self.name = f"staged_{_table(table).name}"

    def __enter__(self) -> str:
        source = _table(self.table).name
        names = ", ".join(column.name for column in self.columns)
        statement = f"CREATE TEMPORARY TABLE {self.name} ON COMMIT DROP AS SELECT {names} FROM {source} WITH NO DATA"  # noqa: S608
        self.session.execute(text(statement))
        _copy(self.session, self.name, self.columns, self.rows)
        return self.name

    def __exit__(self, failure: type[BaseException] | None, *_rest: object) -> None:
        if failure is None:
            self.session.execute(text(f"DROP TABLE {self.name}"))


def _copies(session: Session, rows: Sequence[Row]) -> bool:
    return len(rows) >= WORTH_COPYING and session.get_bind().dialect.name == "postgresql"


def _table(table: type[Model]) -> Table:
    found = table.__table__
    assert isinstance(found, Table)  # noqa: S101 - every model of ours is one table
    return found


def _columns(table: type[Model], rows: Sequence[Row]) -> list[Column[Any]]:
    return [_table(table).c[name] for name in rows[0]]


def _copy(session: Session, into: str, columns: Sequence[Column[Any]], rows: Sequence[Row]) -> None:
    """Write in PostgreSQL's binary form, which neither side has to spell out and read again."""
    written = [(column.name, _json if isinstance(column.type, JSON | JsonText) else None) for column in columns]
    cursor = session.connection().connection.cursor()
    statement = f"COPY {into} ({', '.join(name for name, _ in written)}) FROM STDIN WITH (FORMAT BINARY)"
    with cursor.copy(statement) as copy:
        copy.set_types([_type_of(column) for column in columns])
        for row in rows:
            copy.write_row([write(row[name]) if write else row[name] for name, write in written])


def _type_of(column: Column[Any]) -> str:
    """Return PostgreSQL's name of the type in which a value is sent; JSON is sent as the text that it is."""
    for kind, name in TYPES.items():
        if isinstance(column.type, kind):
            return name
    raise TypeError(f"{column} is of a type that is not copied")  # told by the first test that writes such a table


TYPES: Mapping[type[Any], str] = {
    Boolean: "bool",
    Float: "float8",
    Integer: "int4",
    LargeBinary: "bytea",
    JSON: "text",
    JsonText: "text",
    String: "text",
    UtcDateTime: "timestamptz",
}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
