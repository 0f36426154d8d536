"""Keeps the rows that a preparation leaves in an empty database, and puts them back for the next test.

Reading the same small catalog in before each of a thousand tests takes longer than most of these tests. The rows stay
as the database's driver gives them: nothing is lost on a way through Python's types.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from portal_backend.core.db import Model


@dataclass(frozen=True)
class Kept:
    """What stood in a database."""

    tables: dict[str, Any]
    """By name, parents before children."""
    sequences: dict[str, int]


def filled_tables(connection: Connection) -> set[str]:
    return set(connection.scalars(_FILLED_TABLES))


def keep(connection: Connection) -> Kept:
    """Return what stands in the database, with what this transaction wrote."""
    filled = filled_tables(connection)
    names = [table.name for table in Model.metadata.sorted_tables if table.name in filled]
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return Kept({name: driver.execute(f"SELECT * FROM {name}").fetchall() for name in names}, {})
    with driver.cursor() as cursor:
        tables = {name: _copied(cursor, name) for name in names}
        cursor.execute("SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL")
        return Kept(tables, dict(cursor.fetchall()))


def put_back(connection: Connection, kept: Kept) -> None:
    """Write the rows again, in the transaction of the connection."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        for name, rows in kept.tables.items():
            driver.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        return
    with driver.cursor() as cursor:
        for name, rows in kept.tables.items():
            with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                copy.write(rows)
        for name, value in kept.sequences.items():
            cursor.execute("SELECT setval(%s::regclass, %s)", (name, value))


def _copied(cursor: Any, table: str) -> bytes:
    with cursor.copy(f"COPY {table} TO STDOUT") as copy:
        parts: Iterable[bytes] = copy
        return b"".join(parts)


_FILLED_TABLES = text(
    " UNION ALL ".join(
        f"SELECT '{table.name}' WHERE EXISTS (SELECT 1 FROM {table.name})" for table in Model.metadata.sorted_tables
    )
)
