"""Hot reads over a bare connection."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from portal_backend.app import create_app
from portal_backend.core.config import Config
from portal_backend.core.database_faults import DatabaseFault, database_fault
from portal_backend.core.db import db, reading
from portal_backend.core.prepared import MAX_PREPARED
from portal_backend.core.quick_reading import quick_reading
from portal_backend.core.tokens import ServiceToken, issue_token

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
COLUMNS = (ServiceToken.scopes, ServiceToken.expires_at, ServiceToken.revoked_at)
SQL = "SELECT scopes, expires_at, revoked_at FROM service_token WHERE name = %s"


def test_rows_have_the_types_of_their_columns_and_show_what_was_committed_last(app, session):
    with app.app_context(), quick_reading() as reader:
        assert reader.rows(SQL, ("ci",), COLUMNS) == []
        issue_token(session, "ci", [], ["*:read"], timedelta(days=1), NOW)
        session.commit()
        assert reader.rows(SQL, ("ci",), COLUMNS) == [(["*:read"], NOW + timedelta(days=1), None)]


def test_a_reader_holds_no_transaction_open(app, session):
    with app.app_context(), quick_reading() as reader:
        reader.rows(SQL, ("ci",))
        if reader.is_postgresql:
            held = "state = 'idle in transaction' AND query LIKE '%service_to%'"
            assert session.scalar(text(f"SELECT count(*) FROM pg_stat_activity WHERE {held}")) == 0
        issue_token(session, "ci", [], ["*:read"], timedelta(days=1), NOW)
        session.commit()
        assert len(reader.rows(SQL, ("ci",))) == 1


def test_a_statement_may_come_again_and_again_and_outlive_a_change_of_its_table(app, session):
    """PostgreSQL prepares what comes a second time; a prepared statement of a table that changed is out of date."""
    sql = "SELECT * FROM quick_reading_table WHERE number = %s"
    session.execute(text("CREATE TABLE quick_reading_table (number INTEGER)"))
    session.execute(text("INSERT INTO quick_reading_table VALUES (1)"))
    session.commit()
    try:
        with app.app_context(), quick_reading() as reader:
            for _ in range(4):
                assert reader.rows(sql, (1,)) == [(1,)]
            session.execute(text("ALTER TABLE quick_reading_table ADD COLUMN name TEXT"))
            session.commit()
            for _ in range(4):
                assert reader.rows(sql, (1,)) == [(1, None)]
    finally:
        session.execute(text("DROP TABLE quick_reading_table"))
        session.commit()


def test_more_statements_than_a_connection_keeps_prepared_are_answered(app):
    with app.app_context(), quick_reading() as reader:
        for _ in range(2):
            for number in range(MAX_PREPARED + 10):
                assert reader.rows(f"SELECT {number} WHERE 1 = %s", (1,)) == [(number,)]
        if reader.is_postgresql:
            assert reader.rows("SELECT count(*) <= %s FROM pg_prepared_statements", (MAX_PREPARED + 1,)) == [(True,)]


def test_what_the_database_refuses_is_raised_and_harms_no_later_read(app):
    with app.app_context(), quick_reading() as reader:
        for _ in range(3):
            with pytest.raises(Exception, match="no_such_table"):
                reader.rows("SELECT * FROM no_such_table WHERE id = %s", (1,))
        assert reader.rows("SELECT 1 WHERE 1 = %s", (1,)) == [(1,)]


def test_connections_that_the_server_dropped_are_replaced(app, session):
    if session.get_bind().dialect.name != "postgresql":
        with app.app_context(), quick_reading() as reader:
            db.engine.dispose()
            assert reader.rows("SELECT 1") == [(1,)]
        return
    with app.app_context():
        with quick_reading() as one, quick_reading() as two:
            ((first,),), ((second,),) = one.rows("SELECT pg_backend_pid()"), two.rows("SELECT pg_backend_pid()")
        session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
        session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": second})
        session.commit()
        with quick_reading() as one, quick_reading() as two:
            assert one.rows("SELECT 1") == [(1,)]
            assert two.rows("SELECT 1") == [(1,)]


def test_a_reader_that_failed_is_lent_to_nobody_again(app):
    with app.app_context():
        with pytest.raises(Exception, match="no_such_table"), quick_reading() as reader:
            reader.rows("SELECT * FROM no_such_table")
        with quick_reading() as another:
            assert another is not reader
            assert another.rows("SELECT 1") == [(1,)]


@pytest.mark.parametrize("arguments", [(), (1,)])
def test_a_read_that_takes_longer_than_the_address_of_the_database_allows_ends_once(
    postgresql_url, tmp_path, arguments
):
    """The limit stands in the address: no round trip sets it. A read that was cancelled is not asked again."""
    url = f"{postgresql_url}?options=-c%20statement_timeout=1s"
    app = create_app(Config(database_url=url, data_dir=tmp_path, base_dir=tmp_path))
    sql = "SELECT pg_sleep(30) WHERE 1 = %s" if arguments else "SELECT pg_sleep(30)"
    with app.app_context():
        for _ in range(2):  # the second time it is prepared
            begun = time.monotonic()
            with pytest.raises(Exception, match="statement timeout") as caught, quick_reading() as reader:
                reader.rows(sql, arguments)
            assert 0.9 < time.monotonic() - begun < 1.9
            assert database_fault(caught.value) is DatabaseFault.LATER
        with pytest.raises(OperationalError, match="statement timeout"), reading() as session:
            session.execute(text("SELECT pg_sleep(30)"))
        with quick_reading() as reader:
            assert reader.rows("SELECT 1") == [(1,)]
        db.engine.dispose()
