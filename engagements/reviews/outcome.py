"""The two results of a review, kept apart: whether the gate is passed, and how much better the service became."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engagements.lifecycle.models import Engagement
from engagements.reviews import checklist, findings
from engagements.reviews.answers import failing_blockers
from portal_backend.core.errors import NotFound
from scorecards import timeline
from scorecards.checks.definitions import Axis, Status
from scorecards.judging import Judging
from scorecards.models import Scorecard


def outcome(
    session: Session, judging: Judging, engagement: Engagement, gate_level: str, now: datetime
) -> dict[str, Any]:
    """Return the gate's verdict, and each axis at the start of the engagement, at its end or now, and the difference.

    What was not judged then is None, and so is its difference.
    """
    started = engagement.accepted_at or engagement.requested_at
    ended = engagement.closed_at
    before, after = (_standings(session, judging, engagement.entity_ref, at) for at in (started, ended or now))
    names = ("overall", *(axis.value for axis in Axis))
    return {
        "gate": _gate(session, engagement, gate_level),
        "started_at": started,
        "ended_at": ended,
        "axes": [_delta(name, before, after, place) for place, name in enumerate(names)],
    }


def _gate(session: Session, engagement: Engagement, gate_level: str) -> dict[str, Any]:
    kept = session.get(Scorecard, engagement.entity_ref)
    blockers = [row.title for row in findings.open_blockers(session, engagement.entity_ref)]
    failing = list(failing_blockers(checklist.lines_of(session, engagement, {})))
    statuses = kept.statuses if kept else {}
    level = kept.level if kept else None
    return {
        "passed": level is not None and level >= gate_level and not blockers and not failing,
        "level": level,
        "required_level": gate_level,
        "open_blockers": blockers,
        "failing_items": failing,
        "waived": sorted(check for check, entry in statuses.items() if entry[0] == Status.WAIVED),
    }


def _standings(session: Session, judging: Judging, ref: str, at: datetime) -> Sequence[Sequence[Any]] | None:
    try:
        return timeline.past(session, judging, ref, at).standings
    except NotFound:
        return None


def _delta(
    name: str, before: Sequence[Sequence[Any]] | None, after: Sequence[Sequence[Any]] | None, place: int
) -> dict[str, Any]:
    nothing: Sequence[Any] = (None, None, None)
    was, became = (standings[place] if standings else nothing for standings in (before, after))
    return {
        "axis": name,
        "level_before": was[0],
        "level_after": became[0],
        "percent_before": was[1],
        "percent_after": became[1],
        "gained": None if was[1] is None or became[1] is None else round(float(became[1]) - float(was[1]), 1),
    }
