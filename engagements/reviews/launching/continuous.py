"""After the takeover: regular service reviews, drift of services that SRE runs, dependencies that nobody reviewed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.services import services
from engagements import history, records
from engagements.history import NewEvent
from engagements.lifecycle.models import Engagement
from engagements.records import Change, Place
from engagements.reviews import improvements
from engagements.reviews.improvements import NewImprovement
from engagements.reviews.launching.models import ServiceReview
from engagements.reviews.models import Checklist, Improvement
from engagements.reviews.settings import ReviewSettings
from engagements.reviews.words import Severity
from portal_backend.core.db import chunks
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.principal import Principal, Role
from scorecards.changes import ChangeCause
from scorecards.checks.definitions import Criticality, Status
from scorecards.judging import Judging
from scorecards.models import ScorecardChange

RUN_BY_SRE = ("active", "platform_active")
REVIEWERS = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.DEV_LEAD)
WATCHER = Principal("portal", frozenset({Role.SRE}), frozenset())
"""In whose name proposals are made that nobody asked for; they are proposals, and people move them."""


def hold(
    session: Session, settings: ReviewSettings, place: Place, body: Mapping[str, Any], principal: Principal,
    now: datetime,
) -> ServiceReview:  # fmt: skip
    """Record a service review; the same one twice is one. Raises InvalidInput when it lies in the future."""
    records.require_role(principal, "record a service review", *REVIEWERS)
    if body["next_due_at"] is not None and body["next_due_at"] <= body["held_at"]:
        raise InvalidInput("The next review comes after this one.", [Fault("next_due_at", "name a later time")])
    if body["held_at"] > now:
        raise InvalidInput("A service review is recorded once it was held.", [Fault("held_at", "is still to come")])
    content = {name: value for name, value in body.items() if name != "id"}
    request = records.digest(content)
    review_id = records.identity(body["id"], ServiceReview.__tablename__, place.entity_ref, content)
    known = records.known(session, ServiceReview, review_id, place, request)
    if known is not None:
        return known
    content["next_due_at"] = body["next_due_at"] or body["held_at"] + settings.service_review_every
    row = records.fresh(ServiceReview, review_id, place, request, **content, review_kind="service_review")
    change = Change(row, "service_review.held", f"Service review: {body['notes'][:200]}", occurred_at=body["held_at"])
    records.write(session, [change], principal, now)
    return row


def reviews(session: Session, settings: ReviewSettings, ref: str, now: datetime) -> dict[str, Any]:
    """Return the reviews of a service, the latest first, and when the next is due: None while SRE does not run it."""
    query = select(ServiceReview).where(ServiceReview.entity_ref == ref)
    held = list(session.scalars(query.order_by(ServiceReview.held_at.desc(), ServiceReview.id)))
    due = held[0].next_due_at if held else _first_due(session, settings, ref)
    return {"items": held, "next_due_at": due, "overdue": due is not None and due < now}


def drift(session: Session, judging: Judging, refs: Sequence[str], since: datetime, now: datetime) -> list[str]:
    """Tell the history of each blocker that began to fail on a service that SRE runs; return the events' services.

    A signal and no more: people move states. Call it after judging; a change that was told is not told again.
    """
    blockers = {check.id for check in judging.catalogue.checks.values() if check.criticality is Criticality.BLOCKER}
    events = []
    for chunk in chunks(sorted(_run_by_sre(session, refs))):
        query = select(ScorecardChange).where(ScorecardChange.entity_ref.in_(chunk), ScorecardChange.at >= since)
        for row in session.scalars(query):
            events += [_drifted(row, check, was, judging) for check, was in _worse(row) if check in blockers]
    history.record(session, events, now)
    return sorted({event.entity_ref for event in events})


def propose_for_new_dependencies(
    session: Session, judging: Judging, settings: ReviewSettings, now: datetime, refs: Sequence[str] | None = None
) -> list[Improvement]:
    """Propose a review of each dependency that a service run by SRE has now and had not when it was reviewed."""
    run = _run_by_sre(session, refs)
    known = _reviewed_dependencies(session, run)
    found = []
    for service in services(session, judging.service_types, sorted(run)):
        if service.ref not in known:
            continue
        engagement_id, reviewed = known[service.ref]
        added = [ref for ref in service.dependencies if ref not in reviewed]
        if not added:
            continue
        records.lock(session, service.ref)
        around = improvements.surroundings(session, judging, settings, service.ref, len(service.dependents))
        place = Place(service.ref, engagement_id)
        for dependency in added:
            new = NewImprovement(
                f"Review the new dependency {dependency}.", "architecture",
                "It was not there when the service was reviewed: its promises, time-outs and failure are unexamined.",
                severity=Severity.MINOR, blocking=False,
            )  # fmt: skip
            found.append(improvements.propose(session, around, place, new, WATCHER, now))
    return found


def _first_due(session: Session, settings: ReviewSettings, ref: str) -> datetime | None:
    query = select(Engagement.state_since).where(
        Engagement.entity_ref == ref, Engagement.state.in_(RUN_BY_SRE), Engagement.closed_at.is_(None)
    )
    since = session.scalar(query)
    return since + settings.service_review_every if since else None


def _run_by_sre(session: Session, refs: Iterable[str] | None) -> set[str]:
    query = select(Engagement.entity_ref).where(Engagement.state.in_(RUN_BY_SRE), Engagement.closed_at.is_(None))
    active = set(session.scalars(query))
    return active if refs is None else active & set(refs)


def _reviewed_dependencies(session: Session, refs: Iterable[str]) -> dict[str, tuple[str | None, set[str]]]:
    """Return the engagement and the dependencies of each service as its newest checklist knew them."""
    newest: dict[str, tuple[str | None, set[str]]] = {}
    for chunk in chunks(sorted(refs)):
        query = select(Checklist).where(Checklist.entity_ref.in_(chunk)).order_by(Checklist.created_at)
        for row in session.scalars(query):
            newest[row.entity_ref] = (row.engagement_id, set(row.dependencies))
    return newest


def _worse(row: ScorecardChange) -> Iterable[tuple[str, str | None]]:
    """Return the checks that the service itself made fail, with the verdicts they had."""
    for check, was, verdict, cause, *_ in orjson.loads(row.document)["verdicts"]:
        if verdict == Status.FAIL and cause == ChangeCause.SERVICE:
            yield check, was


def _drifted(row: ScorecardChange, check_id: str, was: str | None, judging: Judging) -> NewEvent:
    check = judging.catalogue.checks[check_id]
    return NewEvent(
        entity_ref=row.entity_ref,
        kind="review.drifted",
        occurred_at=row.at,
        source=history.PORTAL,
        source_event_id=f"drift/{row.entity_ref}/{check_id}/{row.id}",
        summary=f"The blocker {check.title!r} fails on a service that SRE runs.",
        details={"check": check_id, "axis": check.axis.value, "from": was},
    )
