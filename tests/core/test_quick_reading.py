"""Hot reads over a bare connection."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from portal_backend.core.db import db
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
