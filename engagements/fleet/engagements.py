"""How long engagements take, by model, how long they waited, and what a review costs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engagements.capacity.ledger import reviewers_of
from engagements.fleet.numbers import Answer, Period, days_between, spread
from engagements.lifecycle.models import Engagement
from engagements.models import HistoryEvent
from engagements.reviews.models import ReviewWork
from engagements.triage_lists import queue

MODELS = ("simple_prr", "early", "framework")
GOALS = {"active", "platform_active"}
"""Where an engagement has brought about its support."""


def durations(session: Session, period: Period, _now: datetime) -> Answer:
    """Answer how long it took from accepting an engagement to the support that it was for, by model.

    The SRE book, chapter 32, says that platforms cut it: two to three quarters by a review, one on a framework.
    """
    reached = _reached(session, period)
    by_model: dict[str, list[float]] = defaultdict(list)
    unclear = 0
    for model, accepted_at, at in reached:
        if accepted_at is None:
            unclear += 1
        else:
            by_model[model].append(days_between(accepted_at, at))
    items = [{"model": model, **spread(by_model[model])} for model in MODELS]
    n = sum(len(values) for values in by_model.values())
    return Answer(
        "engagement_durations",
        period,
        n,
        "Days from accepting (on a framework, which nobody accepts: from beginning) to the first day of active or "
        "platform support, of engagements that reached it in the period; pauses count.",
        _unknown(n, unclear, by_model),
        [*items, _claim(by_model)],
    )


def _reached(session: Session, period: Period) -> list[tuple[str, datetime | None, datetime]]:
    """Return model, beginning and first day of support of each engagement that got there in the period."""
    query = (
        select(HistoryEvent.details, HistoryEvent.occurred_at)
        .where(HistoryEvent.kind == "engagement.phase_entered", HistoryEvent.occurred_at < period.until)
        .order_by(HistoryEvent.occurred_at, HistoryEvent.id)
    )
    first: dict[str, datetime] = {}
    for details, at in session.execute(query):
        if details.get("state") in GOALS and details.get("engagement"):
            first.setdefault(str(details["engagement"]), at)
    columns = (Engagement.id, Engagement.model, Engagement.accepted_at, Engagement.requested_at)
    found = []
    for each, model, accepted_at, requested_at in session.execute(select(*columns)):
        at = first.get(each)
        if at is not None and at >= period.since:
            found.append((model, accepted_at or (requested_at if model == "framework" else None), at))
    return found


def _claim(by_model: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Compare frameworks with reviews: the book's claim."""
    review, framework = spread(by_model["simple_prr"])["median"], spread(by_model["framework"])["median"]
    if review is None or framework is None:
        missing = "reviews" if review is None else "frameworks"
        return {
            "claim": "platforms cut it",
            "holds": None,
            "sentence": f"No engagement by {missing} was completed: there is nothing to compare.",
        }
    times = round(review / framework, 2) if framework else None
    said = f"Median {review:g} days by a review, {framework:g} on a framework"
    return {
        "claim": "platforms cut it",
        "holds": framework < review,
        "sentence": f"{said}: {times:g} times as long." if times else f"{said}.",
    }


def _unknown(n: int, unclear: int, by_model: Mapping[str, Sequence[float]]) -> str | None:
    if not n:
        return "No engagement reached its support in the period."
    missing = [model for model in MODELS if not by_model[model]]
    parts = []
    if missing:
        parts.append(f"No engagement of the model {' or '.join(missing)} was completed in the period.")
    if unclear:
        parts.append(f"When {unclear} of them were accepted is not on record.")
    return " ".join(parts) or None


def waiting(session: Session, period: Period, now: datetime) -> Answer:
    """Answer how long accepted engagements waited until they started, and how long those that wait have."""
    query = (
        select(HistoryEvent.details, HistoryEvent.occurred_at)
        .where(HistoryEvent.kind == "engagement.phase_entered", HistoryEvent.occurred_at < period.until)
        .order_by(HistoryEvent.occurred_at, HistoryEvent.id)
    )
    started: dict[str, datetime] = {}
    for details, at in session.execute(query):
        if details.get("state") in {"engagement", "design"} and details.get("engagement"):
            started.setdefault(str(details["engagement"]), at)
    waits = []
    for each, accepted_at in session.execute(select(Engagement.id, Engagement.accepted_at)):
        if accepted_at is not None and each in started and started[each] >= period.since:
            waits.append(days_between(accepted_at, started[each]))
    entries = queue.queue(session, now)
    requested = session.scalar(
        select(func.count()).select_from(Engagement).where(
            Engagement.requested_at >= period.since, Engagement.requested_at < period.until
        )
    )  # fmt: skip
    items: list[Mapping[str, Any]] = [
        {"group": "started", **spread(waits)},
        {"group": "waiting_now", **spread(entry.waiting_days for entry in entries)},
        {"group": "requested", "n": requested or 0},
    ]
    unknown = None if waits or entries else "Nothing waited, and nothing started, in the period."
    method = "Days from accepting to the start of the review or the design; of those that wait, days until now."
    return Answer("queue", period, len(waits) + len(entries), method, unknown, items)


def review_cost(session: Session, period: Period, _now: datetime) -> Answer:
    """Answer what reviews cost: hours that people recorded on them, by side, and their reviewers."""
    worked = select(
        ReviewWork.engagement_id, ReviewWork.side, func.sum(ReviewWork.hours).label("hours")
    ).where(ReviewWork.worked_at >= period.since, ReviewWork.worked_at < period.until)  # fmt: skip
    rows = session.execute(worked.group_by(ReviewWork.engagement_id, ReviewWork.side)).all()
    by_review: dict[str, dict[str, float]] = defaultdict(dict)
    for engagement_id, side, hours in rows:
        if engagement_id:
            by_review[engagement_id][side] = float(hours)
    columns = (Engagement.id, Engagement.model, Engagement.document)
    models = {each: (model, len(reviewers_of(document))) for each, model, document in session.execute(select(*columns))}
    items = []
    for model in MODELS:
        some = [each for each in by_review if models.get(each, ("", 0))[0] == model]
        work = [sum(by_review[each].values()) for each in some]
        sres = [by_review[each].get("sre", 0.0) for each in some]
        reviewers = [float(models[each][1]) for each in some if models[each][1]]
        items.append({"model": model, "hours": spread(work), "sre_hours": spread(sres), "reviewers": spread(reviewers)})
    unknown = None if by_review else "Nobody recorded hours of work on a review in the period."
    method = "Sum of the hours that people recorded on each review in the period; SRE's share apart."
    return Answer("review_cost", period, len(by_review), method, unknown, items)
