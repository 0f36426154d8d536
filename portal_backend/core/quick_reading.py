"""Hot reads: prepared SQL text over a bare driver connection, without a session or a transaction around it.

A session costs a hot read several times what its query costs. Whoever reads here writes SQL for both databases with
`%s` as the placeholder, and gets tuples of what the driver makes of the columns.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from flask import Flask, current_app
from sqlalchemy import Dialect, Engine, PoolProxiedConnection, create_engine, event
from sqlalchemy.orm import InstrumentedAttribute

Column = InstrumentedAttribute[Any]
Result = TypeVar("Result")
EXTENSION = "portal_quick_reading"
IDLE = "portal_idle_readers"
MAX_IDLE = 8
"""Readers that wait with their connections: taking one from the engine's pool costs more than many a read."""


class Reader:
    """One connection for the reads of one request; every statement sees what is committed when it starts."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._connection: PoolProxiedConnection = engine.raw_connection()
        self.is_postgresql = engine.dialect.name == "postgresql"
        if self.is_postgresql:
            from portal_backend.core.prepared import rows_of  # its driver costs a server on SQLite 0.2 s to import

            self._rows_of = rows_of
        self.is_sound = True
        """No read failed; after one, nobody knows what state the connection is in."""

    def rows(self, sql: str, parameters: Sequence[Any] = (), columns: tuple[Column, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; a connection that the server has dropped is replaced once.

        Name the columns where one has a type that the driver alone does not know (JSON, a time).
        """
        rows = self.attempt(self._fetch, sql, parameters)
        return _typed(self.engine.dialect, columns, rows) if columns else rows

    def attempt(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Return what `work`, which only reads, makes of the connection; a dropped one is replaced once."""
        try:
            return work(self._connection, *arguments)
        except Exception as error:
            self.is_sound = False
            if not self.engine.dialect.is_disconnect(error, self._connection, None):  # type: ignore[arg-type]
                raise
        self._connection.invalidate()
        self.engine.dispose()  # the others of the pool were dropped with it
        self._connection = self.engine.raw_connection()
        result = work(self._connection, *arguments)
        self.is_sound = True
        return result

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _fetch(self, connection: PoolProxiedConnection, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        if self.is_postgresql:
            found = self._rows_of(connection, sql, parameters)
            if found is not None:
                return found
            cursor = connection.cursor(binary=True)
            cursor.execute(sql, parameters or None)
        else:
            cursor = connection.cursor()
            cursor.execute(sql.replace("%s", "?"), parameters)
        rows = [*cursor.fetchall()]
        cursor.close()
        return rows


def _typed(dialect: Dialect, columns: tuple[Column, ...], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    converters = _converters(dialect, columns)
    return [
        tuple(convert(value) if convert else value for convert, value in zip(converters, row, strict=True))
        for row in rows
    ]


@lru_cache
def _converters(dialect: Dialect, columns: tuple[Column, ...]) -> tuple[Any, ...]:
    return tuple(column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns)


@contextmanager
def quick_reading() -> Iterator[Reader]:
    """Lend a reader. Needs an app context."""
    extensions = current_app.extensions
    idle: deque[Reader] = extensions[IDLE]
    try:
        reader = idle.pop()
    except IndexError:
        reader = Reader(extensions[EXTENSION])
    try:
        yield reader
    finally:
        if reader.is_postgresql and reader.is_sound and len(idle) < MAX_IDLE:
            idle.append(reader)
        else:
            reader.close()


def init_app(app: Flask, engine: Engine) -> None:
    """Prepare the connections: on PostgreSQL a pool of their own that begins no transactions."""
    idle: deque[Reader] = deque()
    app.extensions[IDLE] = idle
    app.extensions[EXTENSION] = _autocommitting(engine, idle) if engine.dialect.name == "postgresql" else engine


def _autocommitting(engine: Engine, idle: deque[Reader]) -> Engine:
    quick = create_engine(
        engine.url,
        isolation_level="AUTOCOMMIT",
        pool_size=engine.pool.size(),  # type: ignore[attr-defined]
        max_overflow=engine.pool.size(),  # type: ignore[attr-defined]
        pool_reset_on_return=None,
    )

    @event.listens_for(quick, "connect")
    def tune(connection: Any, _record: Any) -> None:
        # Compiling a query that takes milliseconds costs a hundred times what it saves.
        connection.execute("SET jit = off")

    @event.listens_for(engine, "engine_disposed")
    def dispose(_engine: Engine) -> None:
        quick.dispose()

    @event.listens_for(quick, "engine_disposed")
    def give_back(_engine: Engine) -> None:
        while idle:
            idle.pop().close()

    return quick
