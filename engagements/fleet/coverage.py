"""Services against SREs over time, and how tiers and criticalities are shared out."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements.capacity import teams
from engagements.fleet.numbers import Answer, Period, month_ends
from engagements.models import HistoryEvent
from engagements.tiers import Tier
from engagements.triage_models import TriageResult

MANY_IMPORTANT = 0.3
"""From this share on, so many services claim to be T0 or T1 that the word says little."""


def services_and_sres(session: Session, period: Period, _now: datetime) -> Answer:
    """Answer how many services there were for each SRE, and how many SRE supported, at the end of each month."""
    moments = month_ends(period)
    counts, supported = _services_at(session, moments), _supported_at(session, moments)
    heads, begins = teams.headcounts(session, moments), teams.first_entry_at(session)
    items: list[dict[str, Any]] = []
    for moment in moments:
        people = sum(heads[moment].values()) if begins and begins <= moment else None
        items.append(
            {
                "at": moment,
                "services": counts[moment],
                "sres": people,
                "services_per_sre": round(counts[moment] / people, 2) if people else None,
                "by_tier": supported[moment],
            }
        )
    unknown = None
    if begins is None:
        unknown = "No team's headcount is recorded; PUT it under /api/engagements/teams."
    elif begins > moments[0]:
        unknown = f"How many SREs there were before {begins:%Y-%m-%d} is not on record."
    method = "Services in the catalog (registered and not removed, by their histories), recorded headcounts, and tiers."
    return Answer("services_and_sres", period, len(moments), method, unknown, items)


def _services_at(session: Session, moments: Iterable[datetime]) -> dict[datetime, int]:
    kinds = ("service.registered", "service.removed")
    query = (
        select(HistoryEvent.entity_ref, HistoryEvent.kind, HistoryEvent.occurred_at)
        .where(HistoryEvent.kind.in_(kinds))
        .order_by(HistoryEvent.occurred_at, HistoryEvent.id)
    )
    events = list(session.execute(query))
    found, present, index = {}, set[str](), 0
    for moment in sorted(moments):
        while index < len(events) and events[index][2] <= moment:
            ref, kind, _ = events[index]
            (present.add if kind == "service.registered" else present.discard)(ref)
            index += 1
        found[moment] = len(present)
    return found


def _supported_at(session: Session, moments: Iterable[datetime]) -> dict[datetime, dict[str, int]]:
    query = (
        select(HistoryEvent.entity_ref, HistoryEvent.details, HistoryEvent.occurred_at)
        .where(HistoryEvent.kind == "tier.changed")
        .order_by(HistoryEvent.occurred_at, HistoryEvent.id)
    )
    events = list(session.execute(query))
    found: dict[datetime, dict[str, int]] = {}
    held: dict[str, str] = {}
    index = 0
    for moment in sorted(moments):
        while index < len(events) and events[index][2] <= moment:
            ref, details, _ = events[index]
            held[ref] = (details.get("state") or {}).get("tier", Tier.DOCUMENTATION.value)
            index += 1
        counted = Counter(tier for tier in held.values() if tier != Tier.DOCUMENTATION)
        found[moment] = dict(sorted(counted.items()))
    return found


def shares(session: Session, period: Period, _now: datetime) -> Answer:
    """Answer how many services have each support tier, by criticality."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for criticality, tier in session.execute(select(TriageResult.criticality, TriageResult.tier)):
        counts[criticality or "none"][tier] += 1
    total = sum(sum(tiers.values()) for tiers in counts.values())
    items = [
        {
            "criticality": None if criticality == "none" else criticality,
            "services": sum(tiers.values()),
            "share": round(sum(tiers.values()) / total, 4),
            "by_tier": {tier.value: tiers[tier.value] for tier in Tier},
            "full_share": round(tiers[Tier.FULL_SRE.value] / sum(tiers.values()), 4),
        }
        for criticality, tiers in sorted(counts.items())
    ]
    unknown = None if total else "Triage did not see any service yet."
    return Answer(
        "shares", period, total, "Every service as triage last saw it; the period plays no part.", unknown, items
    )


def claimed_importance(session: Session, period: Period, _now: datetime) -> Answer:
    """Answer whether everybody claims to be important: the share of T0 and T1, by owner."""
    by_owner: dict[str, Counter[str]] = defaultdict(Counter)
    for owner, criticality in session.execute(select(TriageResult.owner, TriageResult.criticality)):
        by_owner[owner or "nobody"][criticality or "none"] += 1
    total = sum(sum(counts.values()) for counts in by_owner.values())
    stated = sum(count for counts in by_owner.values() for tier, count in counts.items() if tier != "none")
    important = sum(counts["T0"] + counts["T1"] for counts in by_owner.values())
    items: list[dict[str, Any]] = []
    if stated:
        share = important / stated
        many = "so many that the word says little" if share > MANY_IMPORTANT else "few enough to mean something"
        said = f"{share:.0%} of the services that state a criticality are T0 or T1: {many}."
        items.append(_claim(None, total, important, share, said))
    ranked = sorted(by_owner.items(), key=lambda pair: (-(pair[1]["T0"] + pair[1]["T1"]), pair[0]))
    for owner, counts in ranked[:50]:
        claimed, all_of_it = counts["T0"] + counts["T1"], sum(counts.values())
        items.append(_claim(owner, all_of_it, claimed, claimed / all_of_it, ""))
    unknown = None if stated == total and total else f"{total - stated} of {total} services state no criticality."
    method = "Criticalities that the catalog states, as triage last saw them; the period plays no part."
    return Answer("claimed_importance", period, stated, method, unknown, items)


def _claim(owner: str | None, services: int, important: int, share: float, sentence: str) -> dict[str, Any]:
    return {
        "owner": owner,
        "services": services,
        "important": important,
        "share": round(share, 4),
        "sentence": sentence,
    }
