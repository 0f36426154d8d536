"""How judgements are written where the database offers a choice."""

import pytest
from sqlalchemy import text

from scorecards.keeping import compress_quickly

METHOD = text("SELECT setting, 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")


def test_lz4_compresses_what_a_transaction_writes_and_nothing_after_it(session):
    compress_quickly(session)
    if session.get_bind().dialect.name != "postgresql":
        assert not session.connection().connection.driver_connection.in_transaction
        return
    within = session.execute(METHOD).first()
    if within is None or not within[1]:
        pytest.skip("this PostgreSQL was built without LZ4")
    assert within[0] == "lz4"
    session.rollback()
    assert session.execute(METHOD).first()[0] == "pglz"
