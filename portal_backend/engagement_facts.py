"""Lets the portal's own records speak as facts: modules, conformance, launches, exercises, policies.

The records change at once; their facts follow before services are judged again, and are observed anew every hour.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import own_facts
from plugins.contract import Fact
from portal_backend import settings
from portal_backend.core.db import chunks
from scorecards import facts
from scorecards.evidence.observations import Reading
from scorecards.models import EntityFacts

REOBSERVED_AFTER = timedelta(hours=1)
"""Facts whose value stays are observed anew at this pace: often enough to stay fresh, seldom enough to cost little."""


def follow(session: Session, now: datetime) -> set[str]:
    """Store what the records say where it is new or was observed over an hour ago; return the services to judge again.

    What they no longer say is withdrawn.
    """
    said: dict[str, list[Fact]] = {}
    for fact in own_facts.observe(session, now):
        said.setdefault(fact.ref, []).append(fact)
    known = set(session.scalars(select(EntityFacts.entity_ref).where(EntityFacts.source == own_facts.SOURCE)))
    due = _due(session, said, known | said.keys(), now)
    if not due:
        return set()
    fresh = [fact for ref in sorted(due) for fact in said.get(ref, ())]
    return facts.store(session, own_facts.SOURCE, fresh, settings.current().specs, now, whole=due).changed


def _due(session: Session, said: dict[str, list[Fact]], refs: Collection[str], now: datetime) -> set[str]:
    """Return the services of which something new is said, or nothing was observed for an hour."""
    due = set()
    for few in chunks(sorted(refs)):
        for ref, observed in facts.readings(session, few).items():
            kept = {
                key: reading
                for key, readings in observed.items()
                for reading in readings
                if reading.source == own_facts.SOURCE
            }
            if not _same(kept, said.get(ref, ()), now):
                due.add(ref)
    return due


def _same(kept: dict[str, Reading], said: Collection[Fact], now: datetime) -> bool:
    if kept.keys() != {fact.key for fact in said}:
        return False
    return all(
        kept[fact.key].value == fact.value and now - kept[fact.key].observed_at < REOBSERVED_AFTER for fact in said
    )
