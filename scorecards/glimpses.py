"""Reads what was observed of many entities: all of it as it is stored, or one fact of each."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from portal_backend.core.arrays import among
from portal_backend.core.db import chunks
from scorecards.assessment.portions import Stored
from scorecards.evidence.observations import Observations, timed
from scorecards.models import EntityFacts


def glimpses(session: Session, refs: Collection[str], key: str) -> dict[str, Observations]:
    """Return the latest observations of one fact of entities, and which sources have observed anything of them.

    The documents stay in the database: services have as many neighbours as themselves, and one fact of each matters.
    """
    columns = (
        EntityFacts.entity_ref,
        EntityFacts.source,
        EntityFacts.document[key],
        EntityFacts.batch_observed_at,
        EntityFacts.batch_collected_at,
    )
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {ref: [] for ref in refs}
    for few in chunks(sorted(refs)):
        query = select(*columns).where(among(session, EntityFacts.entity_ref, few))
        for ref, source, entry, *times in session.execute(query):
            found[ref].append((source, timed({key: entry}, *times) if entry else {}))
    return {ref: Observations(documents, {source for source, _ in documents}) for ref, documents in found.items()}


def stored_facts(session: Session, refs: Collection[str]) -> dict[str, list[Stored]]:
    """Return the latest observations of entities by reference, one of each source that made any, as they are stored.

    Whoever judges reads them, in this process or in another.
    """
    table = EntityFacts.__table__.c
    columns = (table.source, cast(table.document, Text), table.batch_observed_at, table.batch_collected_at)
    found: dict[str, list[Stored]] = {ref: [] for ref in refs}
    for few in chunks(sorted(refs)):
        query = select(table.entity_ref, *columns).where(among(session, table.entity_ref, few))
        for ref, *stored in session.connection().execute(query).all():
            found[ref].append(Stored._make(stored))
    return found
