"""What reviews cost and bring: hours, lead time, the first days after a launch, what others can use."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engagements import records
from engagements.lifecycle.models import Engagement
from engagements.models import HistoryEvent
from engagements.records import Change
from engagements.reviews import engaged, facts, improvements
from engagements.reviews.launching.models import Launch
from engagements.reviews.models import Improvement, ReviewWork
from engagements.reviews.settings import ReviewSettings
from engagements.reviews.words import ImprovementState, ReusableAs
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.principal import Principal, Role
from scorecards.checks.definitions import CheckCatalogue

FINISHED = (ImprovementState.DONE, ImprovementState.VERIFIED)
EMERGENCY_KINDS = ("deploy.rolled_back",)
READY_LEVEL = "L3"


def spend_hours(
    session: Session, engagement: Engagement, body: Mapping[str, Any], principal: Principal, now: datetime
) -> ReviewWork:
    """Record hours that a review took somebody; the same entry twice is one. Raises InvalidInput for the future."""
    records.require_role(principal, "record hours", Role.DEV, Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)
    if body["worked_at"] > now:
        raise InvalidInput("Hours are recorded once they were spent.", [Fault("worked_at", "is still to come")])
    content = {name: value for name, value in body.items() if name != "id"}
    place, request = engaged.place_of(engagement), records.digest([content, engagement.id])
    work_id = records.identity(body["id"], ReviewWork.__tablename__, engagement.id, content)
    known = records.known(session, ReviewWork, work_id, place, request)
    if known is not None:
        return known
    row = records.fresh(ReviewWork, work_id, place, request, **{**content, "side": body["side"].value})
    summary = f"{body['person']} spent {body['hours']:g} h on the review ({body['kind']})."
    change = Change(row, "review.hours_spent", summary, occurred_at=body["worked_at"])
    records.write(session, [change], principal, now)
    return row


def cost(session: Session, engagement: Engagement, now: datetime) -> dict[str, Any]:
    """Return what a review has cost so far: hours by side and kind, and what its changes cost developers to review."""
    work = list(session.scalars(select(ReviewWork).where(ReviewWork.engagement_id == engagement.id)))
    rows = improvements.of_engagement(session, engagement.id)
    by_side: dict[str, float] = defaultdict(float)
    by_kind: dict[str, float] = defaultdict(float)
    for each in work:
        by_side[each.side] += each.hours
        by_kind[each.kind] += each.hours
    load = sum(row.review_load_hours for row in rows)
    elapsed = ((engagement.closed_at or now) - (engagement.accepted_at or engagement.requested_at)).days
    hours = sum(by_side.values()) + load
    people = len({each.person for each in work})
    sre_changes = sum(row.done_side == "sre" for row in rows)
    return {
        "hours": hours,
        "by_side": dict(by_side),
        "by_kind": dict(by_kind),
        "review_load_hours": load,
        "sre_changes": sre_changes,
        "people": people,
        "elapsed_days": max(elapsed, 0),
        "sentence": f"{hours:g} h of {people} people in {max(elapsed, 0)} days, {load:g} h of them developers "
        f"reviewing {sre_changes} changes that SRE made.",
    }


def post_launch(session: Session, settings: ReviewSettings, engagement: Engagement, now: datetime) -> dict[str, Any]:
    """Return incidents and emergency changes of the first days after the launch, beside those of other services.

    The others had no early engagement; their first days count from their registration or their own full launch.
    """
    launch = facts.newest_launch(session, engagement.id)
    launched = launch.full_at if launch else None
    window = settings.post_launch_window
    early = set(session.scalars(select(Engagement.entity_ref).where(Engagement.model == "early")))
    starts = {ref: at for ref, at in _beginnings(session).items() if ref not in early and at + window <= now}
    counts = _first_days(session, {**starts, **({engagement.entity_ref: launched} if launched else {})}, window)
    own = counts.get(engagement.entity_ref, Counter())
    others = {
        "services": len(starts),
        "incidents_per_service": _mean(counts, starts, "incident"),
        "emergency_changes_per_service": _mean(counts, starts, "emergency"),
    }
    observed = max(0, min((now - launched).days, window.days)) if launched else 0
    return {
        "launched_at": launched,
        "window_days": window.days,
        "days_observed": observed,
        "incidents": own["incident"],
        "emergency_changes": own["emergency"],
        "others": others,
        "sentence": _compared(launched, own, others, observed, window),
    }


def lead_time(session: Session, settings: ReviewSettings, ref: str) -> dict[str, Any]:
    """Return how long a service took from the idea to full traffic at L3; unknown parts stay null.

    It begins with what is on record first: the request of an engagement or the registration in the catalog.
    """
    registered = _first(session, ref, "service.registered")
    requested = session.scalar(select(func.min(Engagement.requested_at)).where(Engagement.entity_ref == ref))
    beginnings = [(at, name) for at, name in ((registered, "registration"), (requested, "request")) if at]
    began_at, began_with = min(beginnings, default=(None, ""))
    ready_at = _first_ready(session, ref)
    full_at = session.scalar(select(func.min(Launch.full_at)).where(Launch.entity_ref == ref))
    known = began_at is not None and ready_at is not None and full_at is not None
    took = max(ready_at, full_at) - began_at if began_at and ready_at and full_at else None
    target = settings.launch_lead_time_target
    return {
        "began_at": began_at,
        "began_with": began_with,
        "ready_at": ready_at,
        "full_at": full_at,
        "seconds": int(took.total_seconds()) if took is not None else None,
        "target_seconds": int(target.total_seconds()),
        "met": took <= target if took is not None else None,
        "sentence": f"{took} from the {began_with} to full traffic at {READY_LEVEL}."
        if known
        else "Not known yet: it takes a beginning, the level L3 and a full launch on record.",
    }


def reuse(session: Session) -> dict[str, Any]:
    """Return how many finished improvements others can use (row 32 of the concepts: work that stays local)."""
    query = select(Improvement.reusable_as, func.count()).where(Improvement.state.in_(FINISHED))
    counts: dict[str, int] = {kind.value: 0 for kind in ReusableAs}
    for kind, count in session.execute(query.group_by(Improvement.reusable_as)):
        counts[kind] = count
    finished = sum(counts.values())
    reusable = finished - counts[ReusableAs.NONE]
    ratio = round(reusable / finished, 4) if finished else None
    return {"finished": finished, "reusable": reusable, "ratio": ratio, "by_kind": counts}


def repeated_fixes(session: Session, settings: ReviewSettings, catalogue: CheckCatalogue) -> list[dict[str, Any]]:
    """Return the checks that several services mended each for itself: candidates for a framework module."""
    query = select(Improvement.check_id, Improvement.entity_ref).where(
        Improvement.state.in_(FINISHED), Improvement.check_id.is_not(None)
    )
    services: dict[str, set[str]] = defaultdict(set)
    for check, ref in session.execute(query.distinct()):
        services[str(check)].add(ref)
    often = {check: refs for check, refs in services.items() if len(refs) >= settings.repeated_fix_services}
    return [
        {"check": check, "services": sorted(refs), "sentence": _repeated(check, len(refs), catalogue)}
        for check, refs in sorted(often.items(), key=lambda each: (-len(each[1]), each[0]))
    ]


def _repeated(check: str, count: int, catalogue: CheckCatalogue) -> str:
    title = catalogue.checks[check].title if check in catalogue.checks else check
    return f"{title}: mended separately in {count} services; a framework module would mend it once."


def _beginnings(session: Session) -> dict[str, datetime]:
    """Return when each service began to serve: its first full launch, else its registration."""
    query = select(HistoryEvent.entity_ref, func.min(HistoryEvent.occurred_at)).where(
        HistoryEvent.kind == "service.registered"
    )
    launched = select(Launch.entity_ref, func.min(Launch.full_at)).where(Launch.full_at.is_not(None))
    found: dict[str, datetime] = {}
    for statement in (query.group_by(HistoryEvent.entity_ref), launched.group_by(Launch.entity_ref)):
        found.update((ref, at) for ref, at in session.execute(statement) if at is not None)
    return found


def _first_days(session: Session, starts: Mapping[str, datetime], window: timedelta) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    if not starts:
        return counts
    kinds = ("incident.opened", "deploy.finished", *EMERGENCY_KINDS)
    query = select(HistoryEvent.entity_ref, HistoryEvent.kind, HistoryEvent.occurred_at, HistoryEvent.details).where(
        HistoryEvent.kind.in_(kinds), HistoryEvent.occurred_at >= min(starts.values())
    )
    for ref, kind, at, details in session.execute(query.execution_options(yield_per=1000)):
        start = starts.get(ref)
        if start is None or not start <= at < start + window:
            continue
        if kind == "incident.opened":
            counts[ref]["incident"] += 1
        elif kind in EMERGENCY_KINDS or details.get("emergency") is True:
            counts[ref]["emergency"] += 1
    return counts


def _mean(counts: Mapping[str, Counter[str]], refs: Iterable[str], what: str) -> float | None:
    each = [counts[ref][what] if ref in counts else 0 for ref in refs]
    return round(sum(each) / len(each), 3) if each else None


def _compared(
    launched: datetime | None, own: Counter[str], others: Mapping[str, Any], observed: int, window: timedelta
) -> str:
    if launched is None:
        return "The launch has not reached full traffic yet."
    said = f"{own['incident']} incidents and {own['emergency']} emergency changes in the first {observed} days"
    if not others["services"]:
        return f"{said}; no other service has {window.days} days on record to compare with."
    return (
        f"{said}; services without early engagement had {others['incidents_per_service']:g} and "
        f"{others['emergency_changes_per_service']:g} in {window.days} days."
    )


def _first(session: Session, ref: str, kind: str) -> datetime | None:
    return session.scalar(
        select(func.min(HistoryEvent.occurred_at)).where(HistoryEvent.entity_ref == ref, HistoryEvent.kind == kind)
    )


def _first_ready(session: Session, ref: str) -> datetime | None:
    query = select(HistoryEvent.occurred_at, HistoryEvent.details).where(
        HistoryEvent.entity_ref == ref, HistoryEvent.kind == "scorecard.level_changed"
    )
    rows: Sequence[Any] = session.execute(query.order_by(HistoryEvent.occurred_at)).all()
    return next((at for at, details in rows if str(details.get("to") or "") >= READY_LEVEL), None)
