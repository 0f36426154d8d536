"""Fixtures that every test may use: the databases, a session on a clean database, an application and its client."""

import os
import uuid
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

from engagements.chain import append_only
from portal_backend.app import create_app
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db
from tests import prepared as prepared_rows
from tests import servers

os.environ.pop("PORTAL_CONFIG", None)
os.environ.pop("PORTAL_CLOCK", None)

SHARED = Path(__file__).parents[2] / "shared"


def shared(*parts: str) -> Path:
    """Return a file of the folder of specifications beside the project, or skip where it is not there."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path.name} lies beside the project only where it is developed")
    return path


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL of this run; PORTAL_TEST_POSTGRESQL names one that runs already."""
    given = os.environ.get("PORTAL_TEST_POSTGRESQL")
    if given:
        yield given
        return
    with servers.postgresql() as url:
        yield url


@pytest.fixture
def own_postgresql_database(postgresql_url: str) -> Iterator[str]:
    """An empty database beside the one that the other tests share."""
    name = f"portal_{uuid.uuid4().hex}"
    server = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(postgresql_url).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with servers.redis() as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    with servers.rabbitmq() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SQLite file of this run."""
    return f"sqlite:///{tmp_path_factory.mktemp('database')}/test.db"


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The name of each database that we run on, one after the other."""
    return str(request.param)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database: str) -> str:
    return str(request.getfixturevalue(f"{database}_url"))


@pytest.fixture(scope="session")
def _application_on_sqlite(sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with _application(sqlite_url, tmp_path_factory.mktemp("data")) as app:
        yield app


@pytest.fixture(scope="session")
def _application_on_postgresql(postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    with _application(postgresql_url, tmp_path_factory.mktemp("data")) as app:
        yield app


@contextmanager
def _application(database_url: str, folder: Path) -> Iterator[Flask]:
    """One application per database and run, with all tables: making one takes longer than most tests do."""
    app = create_app(Config(database_url=database_url, data_dir=folder))
    app.testing = True
    with app.app_context():
        Model.metadata.drop_all(db.engine)
        Model.metadata.create_all(db.engine)
    yield app
    with app.app_context():
        Model.metadata.drop_all(db.engine)
        db.engine.dispose()


@pytest.fixture
def app(request: pytest.FixtureRequest, database: str) -> Iterator[Flask]:
    """The application as it was made, with every table empty. No context is held open: `g` must not leak."""
    app: Flask = request.getfixturevalue(f"_application_on_{database}")
    as_made = dict(app.extensions)
    yield app
    app.extensions.clear()
    app.extensions.update(as_made)
    with app.app_context():
        _empty(db.engine)


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session on an empty database (commit what another connection is to see)."""
    with app.app_context():
        engine = db.engine
    with Session(engine) as session:
        yield session


@pytest.fixture(scope="session")
def _kept() -> dict[tuple[str, Hashable], prepared_rows.Kept]:
    return {}


@pytest.fixture
def prepared(
    session: Session, database: str, _kept: dict[tuple[str, Hashable], prepared_rows.Kept]
) -> Callable[[Hashable, Callable[[], object]], None]:
    """Fill an empty database by a function; the next time that the same is asked for, its rows are put back instead.

    What the function writes must follow from the key alone, the names of files included.
    """

    def prepare(key: Hashable, write: Callable[[], object]) -> None:
        connection = session.connection()
        if prepared_rows.filled_tables(connection):
            write()
        elif (database, key) in _kept:
            prepared_rows.put_back(connection, _kept[database, key])
        else:
            write()
            session.flush()
            _kept[database, key] = prepared_rows.keep(session.connection())

    return prepare


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def _empty(engine: Engine) -> None:
    """Empty the tables that hold something. PostgreSQL's TRUNCATE of all tables costs more than most tests do."""
    with engine.begin() as connection:
        filled = prepared_rows.filled_tables(connection)
        if append_only_holds := EVENTS in filled:
            append_only.unprotect(connection)
        for table in reversed(Model.metadata.sorted_tables):
            if table.name in filled:
                connection.execute(table.delete())
        if append_only_holds:
            append_only.protect(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(_RESTART_SEQUENCES)


EVENTS = "history_event"
_RESTART_SEQUENCES = text(
    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences "
    "WHERE last_value IS NOT NULL AND schemaname = current_schema()"
)
