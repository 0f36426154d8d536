"""Many rows written at once say what a few say: by COPY on PostgreSQL, handed to the driver bare on SQLite."""

from datetime import UTC, datetime, timedelta, timezone

from sqlalchemy import select

from scorecards.bulk import WORTH_COPYING, upsert
from scorecards.models import EntityFacts, FactValue

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
MANY = WORTH_COPYING + 10


def documents(count, digest, at):
    return [
        {
            "entity_ref": f"component:default/service-{number}",
            "source": "prod's",
            "document": {"runtime.replicas": {"value": number}, "ü": [None, True, 0.1]},
            "batch_digest": digest,
            "batch_observed_at": at,
            "updated_at": at,
        }
        for number in range(count)
    ]


def test_many_rows_and_a_few_are_stored_alike_and_replaced_by_their_key(session):
    columns = (EntityFacts.document, EntityFacts.batch_digest, EntityFacts.batch_observed_at, EntityFacts.updated_at)
    for count in (MANY, 3):
        upsert(session, EntityFacts, documents(count, b"\x00\xff", NOW), ["entity_ref", "source"])
        elsewhere = (NOW + timedelta(hours=1)).astimezone(timezone(timedelta(hours=5)))
        upsert(session, EntityFacts, documents(count, None, elsewhere), ["entity_ref", "source"])
        rows = session.execute(select(*columns).order_by(EntityFacts.entity_ref)).all()
        assert len(rows) == MANY
        assert tuple(rows[1]) == (
            {"runtime.replicas": {"value": 1}, "ü": [None, True, 0.1]}, None, NOW + timedelta(hours=1),
            NOW + timedelta(hours=1),
        )  # fmt: skip


def test_values_of_every_json_type_come_back_as_they_went(session):
    given = [True, 1, 1.5, "text", ["a", "b"], 2**62]
    rows = [
        {"subject_id": number, "name_id": 1, "observed_at": NOW, "value": given[number % len(given)]}
        for number in range(MANY)
    ]
    upsert(session, FactValue, rows, ["subject_id", "name_id", "observed_at"])
    found = session.scalars(select(FactValue.value).order_by(FactValue.subject_id)).all()
    assert [(type(value), value) for value in found] == [(type(row["value"]), row["value"]) for row in rows]
