"""Readiness before and after engagements, by axis."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements.fleet.numbers import Answer, Period, spread
from engagements.lifecycle.models import Engagement
from portal_backend.core.db import chunks
from scorecards.checks.definitions import Axis
from scorecards.models import ScorecardChange

NAMES = ("overall", *(axis.value for axis in Axis))
MOST_ITEMS = 200
Standing = Sequence[Sequence[Any]]
"""`[level, percent, coverage]`: over all, then of the axes in their order."""


def before_and_after(session: Session, period: Period, now: datetime) -> Answer:
    """Answer how ready services were when an engagement began, and how ready they are now or were when it ended."""
    columns = (Engagement.id, Engagement.entity_ref, Engagement.model, Engagement.requested_at, Engagement.accepted_at,
               Engagement.closed_at)  # fmt: skip
    query = select(*columns).where(Engagement.accepted_at.is_not(None), Engagement.accepted_at < period.until)
    rows = [row for row in session.execute(query) if row.closed_at is None or row.closed_at >= period.since]
    recorded = _recorded(session, {row.entity_ref for row in rows})
    items: list[dict[str, Any]] = []
    gains: dict[str, list[float]] = {name: [] for name in NAMES}
    unclear = 0
    for row in sorted(rows, key=lambda each: each.id):
        standing = recorded.get(row.entity_ref, [])
        before, after = _held(standing, row.accepted_at), _held(standing, row.closed_at or now)
        if before is None or after is None:
            unclear += 1
            continue
        axes = {name: _pair(before, after, index) for index, name in enumerate(NAMES)}
        for name, pair in axes.items():
            if pair["gain"] is not None:
                gains[name].append(pair["gain"])
        items.append({"engagement": row.id, "ref": row.entity_ref, "model": row.model, "open": row.closed_at is None,
                      "axes": axes})  # fmt: skip
    summary = {"engagement": None, "gains": {name: spread(values) for name, values in gains.items()}}
    return Answer(
        "readiness",
        period,
        len(items),
        "Percent of each axis when the engagement was accepted, and when it closed (now, of one that is open).",
        _unknown(len(items), unclear),
        [summary, *items[:MOST_ITEMS]],
    )


def _recorded(session: Session, refs: Iterable[str]) -> dict[str, list[tuple[datetime, Standing]]]:
    """Return how ready services were after each change, oldest first, and last how ready they are."""
    found: dict[str, list[tuple[datetime, Standing]]] = {}
    for some in chunks(sorted(refs)):
        changes = (
            select(ScorecardChange.entity_ref, ScorecardChange.at, ScorecardChange.standings)
            .where(ScorecardChange.entity_ref.in_(some))
            .order_by(ScorecardChange.at, ScorecardChange.id)
        )
        for ref, at, standings in session.execute(changes):
            found.setdefault(ref, []).append((at, standings))
    return found


def _held(standings: Sequence[tuple[datetime, Standing]], moment: datetime) -> Standing | None:
    """Return how ready a service was at a moment; None before its first judgement."""
    held = [standing for at, standing in standings if at <= moment]
    return held[-1] if held else None


def _pair(before: Standing, after: Standing, index: int) -> Mapping[str, Any]:
    """Return level and percent of one axis before and after."""
    (level_before, percent_before, *_), (level, percent, *_) = before[index], after[index]
    gain = None if percent is None or percent_before is None else round(percent - percent_before, 2)
    return {"level_before": level_before, "level": level, "percent_before": percent_before, "percent": percent,
            "gain": gain}  # fmt: skip


def _unknown(known: int, unclear: int) -> str | None:
    if not known and not unclear:
        return "No engagement was under way in the period."
    if unclear:
        return f"Of {unclear} engagements no scorecard is on record from before they began."
    return None
