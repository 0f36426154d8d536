"""The database: the declarative base of every table, its types, and the two ways to open a session."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import orjson
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, DateTime, Dialect, Engine, MetaData, Text, TypeDecorator, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Session, registry

from portal_backend.core import quick_reading

Item = TypeVar("Item")

SQLITE_BUSY_TIMEOUT_MS = 15_000
POOL_SIZE = 10
"""Connections that a process keeps; as many again for a moment: a worker's threads and their heartbeats."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. Refuses naive times, since SQLite would drop the zone without a word."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC before storing; raises ValueError on a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; times are stored in UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Attach UTC to what SQLite returns bare."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Model(DeclarativeBase):
    """Base of every table."""

    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={datetime: UtcDateTime(), str: Text()},
    )


db = SQLAlchemy(metadata=Model.metadata)


def init_app(app: Flask, url: str) -> None:
    """Bind the application to the database at `url` (SQLAlchemy's form; plain `postgresql://` means psycopg 3)."""
    app.config["SQLALCHEMY_DATABASE_URI"] = with_driver(url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        # SQLite hands a bare number in a JSON column over as a number.
        "json_deserializer": lambda value: value if isinstance(value, int | float) else orjson.loads(value),
        "pool_pre_ping": not url.startswith("sqlite"),
        "pool_size": POOL_SIZE,
        "max_overflow": POOL_SIZE,
    }
    db.init_app(app)
    if url.startswith("sqlite:///"):
        Path(make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _tune_sqlite(db.engine)
        quick_reading.init_app(app, db.engine)


def with_driver(url: str) -> str:
    """Name the driver where the URL leaves it open, so that the meaning never depends on SQLAlchemy's default."""
    parsed = make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


@contextmanager
def transaction() -> Iterator[Session]:
    """Open a session that commits at the end, or rolls everything back when the block raises. Needs an app context."""
    with Session(db.engine) as session, session.begin():
        yield session


@contextmanager
def reading() -> Iterator[Session]:
    """Open a session for reading only; nothing is ever committed. Needs an app context."""
    with Session(db.engine, autoflush=False) as session:
        yield session


def _tune_sqlite(engine: Engine) -> None:
    """Let readers and one writer work side by side, and writers wait for each other instead of failing."""

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT_MS}")
        cursor.close()


def serialise(session: Session, purpose: str) -> None:
    """Wait until no other transaction holds this purpose, then hold it until this one ends.

    SQLite has one writer at a time anyway: there it begins to write, so that what is read next is what is written on.
    """
    hold(session.connection(), purpose)


def hold(connection: Connection, purpose: str) -> None:
    """Do what `serialise` does in the transaction of a connection."""
    if connection.dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    elif not connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@cache
def _insert(dialect: str) -> Any:
    """Return the INSERT of a database that knows ON CONFLICT; each dialect takes long to import, and one is used."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as of_postgresql

        return of_postgresql
    from sqlalchemy.dialects.sqlite import insert as of_sqlite

    return of_sqlite


def upsert(session: Session, table: type[Model], rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> None:
    """Insert rows, or update those whose key columns exist already; every row has the same columns."""
    if not rows:
        return
    statement = _insert(session.get_bind().dialect.name)(table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    if changed:
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    session.execute(statement, list(rows))


def chunks(items: Iterable[Item], size: int = 500) -> Iterator[list[Item]]:
    """Yield the items in lists of at most `size`: short enough for an IN list on every database."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
