"""The database refuses to change or remove what the history holds."""

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from engagements import history
from engagements.chain import append_only
from engagements.models import HistoryEvent
from tests.engagements.test_history import CHECKOUT, NOW, deploy


@pytest.fixture(autouse=True)
def two_events(session):
    history.record(session, [deploy(1), deploy(2)], NOW)
    session.commit()


def summaries(session):
    session.expire_all()
    return [event.summary for event in history.read(session, CHECKOUT).items]


@pytest.mark.parametrize(
    "statement",
    [
        update(HistoryEvent).values(summary="nothing happened"),
        update(HistoryEvent).where(HistoryEvent.sequence == 2).values(hash="1:0"),
        delete(HistoryEvent),
        delete(HistoryEvent).where(HistoryEvent.sequence == 2),
    ],
)
def test_the_database_refuses_a_changed_and_a_removed_event(session, statement):
    with pytest.raises(DatabaseError, match="append-only"):
        session.execute(statement)
    session.rollback()
    assert summaries(session) == ["Deployment 1", "Deployment 2"]


def test_the_database_refuses_to_empty_the_table(session):
    if session.get_bind().dialect.name != "postgresql":
        pytest.skip("SQLite has no TRUNCATE; DELETE is refused")
    with pytest.raises(DatabaseError, match="append-only"):
        session.execute(text("TRUNCATE history_event CASCADE"))
    session.rollback()
    assert len(summaries(session)) == 2


COPY = (
    "entity_ref, {sequence}, kind, occurred_at, recorded_at, actor, source, {event_id}, simulated, schema_version, "
    "'replaced', link, details, hash"
)


@pytest.mark.parametrize(
    ("identity", "sequence", "event_id"),
    [("id", "sequence + 7", "'new'"), ("NULL", "sequence", "'new'"), ("NULL", "sequence + 7", "source_event_id")],
)
def test_replacing_an_event_is_refused_whatever_it_collides_with(session, identity, sequence, event_id):
    if session.get_bind().dialect.name != "sqlite":
        pytest.skip("INSERT OR REPLACE is SQLite's; PostgreSQL has no statement that removes unasked")
    statement = (
        "INSERT OR REPLACE INTO history_event (id, entity_ref, sequence, kind, occurred_at, recorded_at, actor, source,"
        " source_event_id, simulated, schema_version, summary, link, details, hash) "
        f"SELECT {identity}, {COPY.format(sequence=sequence, event_id=event_id)} FROM history_event WHERE sequence = 1"
    )
    try:
        session.execute(text(statement))
    except DatabaseError as error:
        assert "append-only" in str(error)
    session.rollback()
    assert summaries(session) == ["Deployment 1", "Deployment 2"]


def test_what_was_lifted_for_an_alteration_can_be_put_back_twice(session):
    connection = session.connection()
    append_only.unprotect(connection)
    assert not append_only.is_protected(connection)
    append_only.protect(connection)
    append_only.protect(connection)
    assert append_only.is_protected(connection)
    with pytest.raises(DatabaseError, match="append-only"):
        session.execute(delete(HistoryEvent))
    session.rollback()
    assert append_only.is_protected(session.connection())


def test_a_session_that_changes_a_loaded_event_cannot_commit(app, session):
    with Session(session.get_bind()) as other:
        other.get(HistoryEvent, 1).summary = "nothing happened" if other.get(HistoryEvent, 1) else ""
        with pytest.raises(DatabaseError, match="append-only"):
            other.commit()
