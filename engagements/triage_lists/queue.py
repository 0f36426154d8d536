"""The queue: accepted engagements that wait for room, in the order in which they should start."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements.lifecycle.models import Engagement
from engagements.triage_models import TriageResult
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor


@dataclass(frozen=True)
class QueueEntry:
    """An accepted engagement that waits."""

    engagement: Engagement
    place: int
    """Its place among all that wait."""
    rank: int
    """1 starts first in its team: the most valuable service, then whoever waits longest."""
    value: float | None
    """What the service would gain from SRE, 0 to 100; None when triage did not see it yet."""
    criticality: str | None
    reasons: tuple[str, ...]
    waiting_since: datetime
    waiting_days: float


def queue(session: Session, now: datetime) -> list[QueueEntry]:
    """Return all that waits, in order (SRE book, chapter 32: a strict order of priority)."""
    query = (
        select(Engagement, TriageResult.value, TriageResult.criticality, TriageResult.points)
        .outerjoin(TriageResult, TriageResult.entity_ref == Engagement.entity_ref)
        .where(Engagement.closed_at.is_(None), Engagement.queued)
    )
    waiting = sorted(session.execute(query), key=lambda row: (-(row[1] or 0.0), _since(row[0]), row[0].id))
    ranks: Counter[str | None] = Counter()
    entries = []
    for place, (engagement, value, criticality, points) in enumerate(waiting, start=1):
        ranks[engagement.sre_team] += 1
        since = _since(engagement)
        entries.append(
            QueueEntry(
                engagement=engagement,
                place=place,
                rank=ranks[engagement.sre_team],
                value=value,
                criticality=criticality,
                reasons=_reasons(value, points, (now - since).days),
                waiting_since=since,
                waiting_days=round((now - since).total_seconds() / 86400, 2),
            )
        )
    return entries


def page(session: Session, now: datetime, cursor: str | None, limit: int) -> Page[QueueEntry]:
    """Return a page of the queue; raises InvalidInput when the cursor is none of the queue's."""
    after = 0 if cursor is None else _after(cursor)
    entries = [entry for entry in queue(session, now) if entry.place > after]
    if len(entries) <= limit:
        return Page(entries)
    return Page(entries[:limit], encode_cursor(["queue", entries[limit - 1].place]))


def ranks(session: Session, now: datetime) -> dict[str, int]:
    """Return each waiting service's place in the queue of its team."""
    return {entry.engagement.entity_ref: entry.rank for entry in queue(session, now)}


def _since(engagement: Engagement) -> datetime:
    return engagement.accepted_at or engagement.requested_at


def _reasons(value: float | None, points: Mapping[str, float] | None, days: int) -> tuple[str, ...]:
    waits = f"It has waited for {days} day{'' if days == 1 else 's'}."
    if value is None or points is None:
        return ("Triage did not see the service yet, so it counts as worth nothing.", waits)
    best: Sequence[tuple[str, Any]] = sorted(points.items(), key=lambda item: (-item[1], item[0]))[:3]
    named = ", ".join(f"{signal.replace('_', ' ')} {earned:g}" for signal, earned in best if earned)
    return (f"Its value is {value:g}" + (f", most of it from {named}." if named else "."), waits)


def _after(cursor: str) -> int:
    match decode_cursor(cursor):
        case ["queue", int(rank)] if not isinstance(rank, bool):
            return rank
    raise bad_cursor()
