"""The same failure across services: what a framework module, a check or a guide section would mend for all at once."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engagements.fleet.numbers import Answer, Period
from engagements.reviews.models import Finding, Improvement
from scorecards.models import Scorecard

LEAST_SERVICES = 3
"""From so many services on, mending a thing one by one costs more than a common solution."""
MOST_ITEMS = 50
FIXED = ("done", "verified")


def same_failure(session: Session, period: Period, _now: datetime) -> Answer:
    """Answer which checks are mended separately in several services, or fail in them now (SRE book, chapter 32)."""
    query = (
        select(Improvement.check_id, func.count(func.distinct(Improvement.entity_ref)))
        .where(
            Improvement.check_id.is_not(None), Improvement.state.in_(FIXED),
            Improvement.state_since >= period.since, Improvement.state_since < period.until,
        )
        .group_by(Improvement.check_id)
    )  # fmt: skip
    fixed = {check: count for check, count in session.execute(query) if check}
    failing: dict[str, int] = defaultdict(int)
    judged = 0
    for statuses in session.scalars(select(Scorecard.statuses)):
        judged += 1
        for check, (status, *_) in statuses.items():
            failing[check] += status == "fail"
    checks = sorted(
        (
            check
            for check in fixed.keys() | failing.keys()
            if max(fixed.get(check, 0), failing[check]) >= LEAST_SERVICES
        ),
        key=lambda check: (-fixed.get(check, 0), -failing[check], check),
    )
    items = [
        {
            "check": check,
            "fixed_in": fixed.get(check, 0),
            "fails_in": failing[check],
            "candidate": "framework_module" if fixed.get(check, 0) >= LEAST_SERVICES else None,
            "sentence": _said(check, fixed.get(check, 0), failing[check]),
        }
        for check in checks[:MOST_ITEMS]
    ]
    unknown = None if judged else "No service was judged yet."
    method = (
        f"Services in which an improvement of a check was completed in the period, and in which the check fails now; "
        f"from {LEAST_SERVICES} services on."
    )
    return Answer("same_failure", period, judged, method, unknown, items)


def _said(check: str, fixed: int, failing: int) -> str:
    if fixed >= LEAST_SERVICES:
        return f"{check} was mended separately in {fixed} services: a framework module would do it once for all."
    return f"{check} fails in {failing} services."


def repeated_patterns(session: Session, period: Period, _now: datetime) -> Answer:
    """Answer which patterns of failure were found in more than one service."""
    query = (
        select(Finding.pattern, func.count(func.distinct(Finding.entity_ref)), func.count())
        .where(Finding.pattern.is_not(None), Finding.created_at >= period.since, Finding.created_at < period.until)
        .group_by(Finding.pattern)
        .having(func.count(func.distinct(Finding.entity_ref)) > 1)
    )
    rows = sorted(session.execute(query).all(), key=lambda row: (-row[1], row[0]))
    total = session.scalar(
        select(func.count()).select_from(Finding).where(
            Finding.created_at >= period.since, Finding.created_at < period.until
        )
    )  # fmt: skip
    items = [{"pattern": row[0], "services": row[1], "findings": row[2]} for row in rows[:MOST_ITEMS]]
    unknown = None if total else "No finding was recorded in the period."
    method = "Findings of the period by the pattern that they name; those that more than one service has."
    return Answer("repeated_patterns", period, total or 0, method, unknown, items)
