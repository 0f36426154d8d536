"""What a service's history says of it at a moment: its support, its engagement, its level, whose it was.

Three times are kept apart: when something occurred, when the history learnt of it, and when somebody asks.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from engagements.event_kinds import CORRECTION, EVENT_KINDS
from engagements.history_reading import HistoryFilter, conditions
from engagements.models import HistoryEvent
from engagements.tiers import Tier

FROM_TO = {
    "level": "scorecard.level_changed",
    "criticality": "service.criticality_changed",
    "owner": "service.owner_changed",
    "lifecycle": "service.lifecycle_changed",
}
"""What is told by events that name the value before and after."""
TIER = "tier.changed"
PRESENCE = ("service.registered", "service.removed")
ENGAGED = tuple(kind for kind in EVENT_KINDS if kind.startswith("engagement."))


@dataclass(frozen=True)
class StateThen:
    """A service as its history had it at a moment."""

    at: datetime
    recorded_before: datetime | None
    registered: bool | None
    """None where the history says neither that it came nor that it went."""
    support: dict[str, Any]
    engagement: dict[str, Any] | None
    level: str | None
    criticality: str | None
    owner: str | None
    lifecycle: str | None
    based_on: Sequence[int] = field(default_factory=tuple)
    """Sequence numbers of the events that say so."""


def state_at(session: Session, ref: str, at: datetime, recorded_before: datetime | None = None) -> StateThen:
    """Return what the history says of a service at a moment, without what was corrected; of a `recorded_before`, only
    by what was recorded until then. Two queries.
    """
    known = HistoryFilter(recorded_before=recorded_before)
    wrong = _corrected(session, ref, known)
    last, first_after = _around(session, ref, at, known, wrong)
    tier = last.get(TIER)
    support = dict(tier.details.get("state") or {}) if tier else {"tier": Tier.DOCUMENTATION.value, "since": None}
    engaged = _newest(event for kind, event in last.items() if kind in ENGAGED and event.details.get("engagement"))
    presence = _newest(event for kind, event in last.items() if kind in PRESENCE)
    values = {}
    used = [event for event in (tier, engaged, presence) if event]
    for name, kind in FROM_TO.items():
        event, side = (last[kind], "to") if kind in last else (first_after.get(kind), "from")
        values[name] = event.details.get(side) if event else None
        used += [event] if event else []
    return StateThen(
        at=at,
        recorded_before=recorded_before,
        registered=presence.kind == "service.registered" if presence else None,
        support=support,
        engagement=_engagement(engaged),
        based_on=sorted({event.sequence for event in used}),
        **values,
    )


def _engagement(event: HistoryEvent | None) -> dict[str, Any] | None:
    if event is None:
        return None
    names = ("engagement", "model", "state", "version")
    return {**{name: event.details.get(name) for name in names}, "since": event.occurred_at}


def _newest(events: Iterable[HistoryEvent]) -> HistoryEvent | None:
    return max(events, key=lambda event: (event.occurred_at, event.sequence), default=None)


def _corrected(session: Session, ref: str, known: HistoryFilter) -> set[int]:
    query = select(HistoryEvent.details).where(
        HistoryEvent.entity_ref == ref, HistoryEvent.kind == CORRECTION, *conditions(known)
    )
    numbers = (details.get("corrects") for details in session.scalars(query))
    return {number for number in numbers if isinstance(number, int)}


def _around(
    session: Session, ref: str, at: datetime, known: HistoryFilter, wrong: Collection[int]
) -> tuple[dict[str, HistoryEvent], dict[str, HistoryEvent]]:
    """Return, by kind, the last event up to a moment, and the first one after it."""
    place = (HistoryEvent.occurred_at, HistoryEvent.sequence)
    parts = []
    for kind in (TIER, *FROM_TO.values(), *PRESENCE, *ENGAGED):
        query = select(HistoryEvent.id).where(
            HistoryEvent.entity_ref == ref,
            HistoryEvent.kind == kind,
            HistoryEvent.sequence.not_in(sorted(wrong)),
        )
        until = query.where(*conditions(replace(known, at=at)))
        parts.append(until.order_by(*(column.desc() for column in place)).limit(1))
        if kind in FROM_TO.values():
            after = query.where(HistoryEvent.occurred_at > at, *conditions(known))
            parts.append(after.order_by(*place).limit(1))
    ids = union_all(*(select(part.subquery().c.id) for part in parts))
    found = session.scalars(select(HistoryEvent).where(HistoryEvent.id.in_(ids)))
    last: dict[str, HistoryEvent] = {}
    first_after: dict[str, HistoryEvent] = {}
    for event in found:
        (last if event.occurred_at <= at else first_after)[event.kind] = event
    return last, first_after
