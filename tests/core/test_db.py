"""Times keep their zone, and one transaction at a time holds a purpose."""

import threading
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from portal_backend.core.db import chunks, serialise, upsert, with_driver
from portal_backend.core.tokens import ServiceToken


def token(name: str, created_at: datetime) -> dict[str, object]:
    return {
        "id": name, "name": name, "secret_hash": "x", "roles": [], "scopes": [],
        "created_at": created_at, "expires_at": created_at, "revoked_at": None,
    }  # fmt: skip


def test_times_come_back_in_utc(session):
    there = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=9)))
    upsert(session, ServiceToken, [token("a", there)], ["id"])
    session.commit()
    stored = session.scalars(select(ServiceToken)).one()
    assert stored.created_at == there
    assert stored.created_at.tzinfo is UTC


def test_a_time_without_zone_is_refused(session):
    with pytest.raises(StatementError, match="no time zone"):
        upsert(session, ServiceToken, [token("a", datetime(2026, 1, 1))], ["id"])  # noqa: DTZ001


def test_an_upsert_replaces_what_is_there(session):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    upsert(session, ServiceToken, [token("a", now), token("b", now)], ["id"])
    upsert(session, ServiceToken, [{**token("a", now), "name": "other"}], ["id"])
    upsert(session, ServiceToken, [], ["id"])
    assert sorted(session.scalars(select(ServiceToken.name))) == ["b", "other"]


def test_one_transaction_at_a_time_holds_a_purpose(session):
    engine = session.get_bind()
    order = []
    held = threading.Event()

    def first():
        with Session(engine) as mine, mine.begin():
            serialise(mine, "test")
            held.set()
            time.sleep(0.3)
            order.append("first")

    def second():
        held.wait(5)
        with Session(engine) as mine, mine.begin():
            serialise(mine, "test")
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert order == ["first", "second"]


def test_chunks_lose_nothing():
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunks([])) == []


def test_a_plain_postgresql_url_means_psycopg_3():
    assert with_driver("postgresql://u:p@h/d") == "postgresql+psycopg://u:p@h/d"
    assert with_driver("sqlite:///x.db") == "sqlite:///x.db"
