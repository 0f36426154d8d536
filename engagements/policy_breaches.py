"""Releases while no error budget was left: what an error budget policy forbids (SRE workbook, its example policy)."""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements.corrections import without_corrected
from engagements.event_kinds import CORRECTION
from engagements.lifecycle.models import Engagement
from engagements.lifecycle.states import Side
from engagements.models import HistoryEvent
from portal_backend.core.clock import parse_time
from portal_backend.core.db import chunks
from scorecards.facts import readings

WINDOW = timedelta(days=90)
BUDGET, RELEASE = {"budget.exhausted": False, "slo.recovered": True}, "deploy.finished"
BUDGET_FACT = "slo.availability.budget_left"
URGENT = "P0"
"""The policy lets through what mends a P0 problem or a security fault (`details.priority`, `details.security`)."""


def breaches(session: Session, now: datetime) -> dict[str, int]:
    """Return the releases against the policy in 90 days, of every service whose policy both sides signed.

    Releases before the signatures break nothing. Nothing is told of a service whose budget no source watches.
    """
    signed = _policies(session)
    events, observed = _events(session, signed, now), readings(session, signed)
    found = {}
    for ref, since in signed.items():
        changes = [(at, BUDGET[kind]) for kind, at, _ in events.get(ref, ()) if kind in BUDGET]
        if changes or BUDGET_FACT in observed[ref]:
            allowed_from = max(since, now - WINDOW)
            releases = [
                at for kind, at, details in events.get(ref, ()) if kind == RELEASE and not _is_let_through(details)
            ]
            found[ref] = sum(at >= allowed_from and not _budget_left(changes, at) for at in releases)
    return found


def _policies(session: Session) -> dict[str, datetime]:
    """Return since when both sides have signed the policy of the service's newest agreement that names one."""
    found = {}
    query = select(Engagement.entity_ref, Engagement.document).order_by(Engagement.requested_at, Engagement.id)
    for ref, document in session.execute(query):
        agreement = document.get("agreement") or {}
        signatures = agreement.get("signatures") or {}
        if agreement.get("error_budget_policy") and all(side.value in signatures for side in Side):
            found[ref] = max(parse_time(signature["at"]) for signature in signatures.values())
    return found


Events = dict[str, list[tuple[str, datetime, Mapping[str, Any]]]]


def _events(session: Session, refs: Mapping[str, datetime], now: datetime) -> Events:
    """Return what bears on the budgets and what was released, the earliest first, without what was corrected."""
    found: Events = {}
    columns = (HistoryEvent.entity_ref, HistoryEvent.sequence, HistoryEvent.kind, HistoryEvent.occurred_at,
               HistoryEvent.details)  # fmt: skip
    for few in chunks(sorted(refs)):
        query = select(*columns).where(
            HistoryEvent.entity_ref.in_(few),
            HistoryEvent.kind.in_((*BUDGET, RELEASE, CORRECTION)),
            HistoryEvent.occurred_at <= now,
        )
        rows = session.execute(query.order_by(HistoryEvent.occurred_at, HistoryEvent.sequence))
        for ref, _, kind, at, details in without_corrected(rows):
            found.setdefault(ref, []).append((kind, at, details))
    return found


def _is_let_through(details: Mapping[str, Any]) -> bool:
    return details.get("priority") == URGENT or details.get("security") is True


def _budget_left(changes: list[tuple[datetime, bool]], at: datetime) -> bool:
    """Say whether budget was left at a moment: it was before the first change, unless that was its return."""
    if not changes:
        return True
    place = bisect_right(changes, at, key=lambda change: change[0])
    return changes[place - 1][1] if place else not changes[0][1]
