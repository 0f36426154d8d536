"""Lessons: recorded, accepted, linked to the home where they live on, and who else is exposed to the same pattern."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.services import services
from engagements import records
from engagements.knowledge.models import Lesson, NoLessons
from engagements.models import HistoryEvent
from engagements.records import Change, Place
from engagements.reviews.models import Finding
from engagements.reviews.words import FindingState
from portal_backend.core.clock import format_time
from portal_backend.core.db import chunks
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotAllowed
from portal_backend.core.pagination import Page
from portal_backend.core.principal import Principal, Role
from scorecards.judging import Judging
from scorecards.models import Scorecard

WRITERS = (Role.DEV, Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.LAUNCH_COORDINATOR)
KEEPERS = (Role.SRE_LEAD, Role.SRE_MANAGER, Role.PLATFORM_OWNER)


class LessonState(StrEnum):
    """Where a lesson stands."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    LINKED = "linked"
    """It has a home."""
    DECLINED = "declined"


class Home(StrEnum):
    """Where a lesson lives on."""

    GUIDE = "guide"
    CHECK = "check"
    MODULE = "module"
    FINDING = "finding"
    """A redesign of the service that taught it."""
    PROCESS = "process"
    """The way SRE engages changes."""


MOVES = {
    LessonState.PROPOSED: (LessonState.ACCEPTED, LessonState.DECLINED),
    LessonState.ACCEPTED: (LessonState.LINKED, LessonState.DECLINED),
    LessonState.LINKED: (LessonState.LINKED,),
    LessonState.DECLINED: (LessonState.ACCEPTED,),
}


def record(session: Session, place: Place, body: Mapping[str, Any], principal: Principal, now: datetime) -> Lesson:
    """Record a lesson; the same one twice is one. Raises Conflict when it was said that there is none."""
    records.require_role(principal, "record lessons", *WRITERS)
    content = {name: value for name, value in body.items() if name != "id"}
    content["source"] = content["source"].value
    request = records.digest([content, place.engagement_id])
    lesson_id = records.identity(body["id"], Lesson.__tablename__, place.entity_ref, place.engagement_id, content)
    known = records.known(session, Lesson, lesson_id, place, request)
    if known is not None:
        return known
    row = records.fresh(
        Lesson, lesson_id, place, request, **content, state=LessonState.PROPOSED.value, state_reason="", homes=[]
    )
    summary = f"Lesson ({row.pattern}): {row.title}"
    records.write(session, [Change(row, "lesson.recorded", summary)], principal, now)
    return row


def declare_none(session: Session, place: Place, reason: str, principal: Principal, now: datetime) -> NoLessons:
    """Put on record that an engagement taught nothing that others could use; said once, it stays.

    Raises Conflict when a lesson of it is on record.
    """
    records.require_role(principal, "say that there is no lesson", Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)
    none_id = records.identity(None, NoLessons.__tablename__, place.entity_ref, place.engagement_id)
    said = session.get(NoLessons, none_id)
    if said is not None:
        return said
    if session.scalars(select(Lesson.id).where(Lesson.engagement_id == place.engagement_id).limit(1)).first():
        raise Conflict("Lessons of this engagement are on record.", [Fault("none", "there are lessons already")])
    row = records.fresh(NoLessons, none_id, place, records.digest(reason), reason=reason)
    records.write(session, [Change(row, "lesson.none", f"No lesson for others: {reason}")], principal, now)
    return row


def move(
    session: Session, judging: Judging, lesson: Lesson, to: LessonState, reason: str, home: Mapping[str, str] | None,
    principal: Principal, now: datetime,
) -> Lesson:  # fmt: skip
    """Accept, decline or link a lesson; the same link twice is one.

    Raises Conflict for a move that there is not, InvalidInput for a home that does not exist, NotAllowed without a
    role that keeps lessons.
    """
    if _already(lesson, to, home):
        return lesson
    ways = MOVES[LessonState(lesson.state)]
    if to not in ways:
        fault = Fault("state", f"There is no way from {lesson.state} to {to}; from there it goes to {', '.join(ways)}.")
        raise Conflict(fault.message, [fault])
    _refuse_homeless(session, judging, lesson, to, reason, home)
    if not principal.has_role(*KEEPERS):
        raise NotAllowed(f"{principal.name} may not decide on lessons: it takes one of the roles {', '.join(KEEPERS)}.")
    lesson.state, lesson.state_reason = to.value, reason
    kind = {LessonState.ACCEPTED: "lesson.accepted", LessonState.DECLINED: "lesson.declined"}.get(
        to, "lesson.published"
    )
    if home is not None:
        entry = {**home, "linked_by": principal.name, "linked_at": format_time(now)}
        lesson.homes = [*lesson.homes, entry]
    where = f", at home in the {home['kind']} {home['target']}" if home else ""
    summary = f"Lesson {to}: {lesson.title}{where}"
    records.write(session, [Change(lesson, kind, summary)], principal, now)
    return lesson


def list_lessons(
    session: Session, patterns: Sequence[str], states: Sequence[str], axes: Sequence[str], cursor: str | None,
    limit: int,
) -> Page[Lesson]:  # fmt: skip
    """Return a page of lessons, newest first."""
    query = select(Lesson)
    for column, values in ((Lesson.pattern, patterns), (Lesson.state, states), (Lesson.axis, axes)):
        if values:
            query = query.where(column.in_(list(values)))
    return records.page(session, Lesson, query, cursor, limit)


def exposed(session: Session, judging: Judging, patterns: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return, by pattern, the services that still have it, each with the reasons why that is believed.

    A service has a pattern while a finding of it is open, while a check that a lesson names fails, or when an incident
    of that cause is on record and no finding of it was resolved since.
    """
    found: dict[str, dict[str, list[str]]] = {pattern: {} for pattern in patterns}
    _by_findings(session, found)
    _by_checks(session, found)
    _by_incidents(session, found)
    here = {service.ref for service in services(session, judging.service_types)}
    return {
        pattern: [{"service": ref, "because": why} for ref, why in sorted(refs.items()) if ref in here]
        for pattern, refs in found.items()
    }


def _by_findings(session: Session, found: dict[str, dict[str, list[str]]]) -> None:
    query = select(Finding.pattern, Finding.entity_ref, Finding.title).where(
        Finding.pattern.in_(list(found)), Finding.state != FindingState.RESOLVED
    )
    for pattern, ref, title in session.execute(query.order_by(Finding.created_at)):
        found[str(pattern)].setdefault(ref, []).append(f"The finding {title!r} is not resolved.")


def _by_checks(session: Session, found: dict[str, dict[str, list[str]]]) -> None:
    checks: dict[str, set[str]] = {}
    query = select(Lesson.pattern, Lesson.checks).where(
        Lesson.pattern.in_(list(found)), Lesson.state != LessonState.DECLINED
    )
    for pattern, named in session.execute(query):
        checks.setdefault(pattern, set()).update(named)
    if not any(checks.values()):
        return
    for ref, statuses in session.execute(select(Scorecard.entity_ref, Scorecard.statuses)):
        for pattern, wanted in checks.items():
            for check in sorted(wanted):
                if (statuses.get(check) or [None])[0] == "fail":
                    found[pattern].setdefault(ref, []).append(f"The check {check} fails.")


def _by_incidents(session: Session, found: dict[str, dict[str, list[str]]]) -> None:
    query = select(HistoryEvent.entity_ref, HistoryEvent.details, HistoryEvent.occurred_at).where(
        HistoryEvent.kind.in_(("incident.opened", "postmortem.published"))
    )
    last: dict[tuple[str, str], datetime] = {}
    for ref, details, at in session.execute(query.execution_options(yield_per=1000)):
        cause = details.get("cause") or details.get("pattern")
        if isinstance(cause, str) and cause.strip().lower() in found:
            key = (cause.strip().lower(), ref)
            last[key] = max(at, last.get(key, at))
    mended = _mended(session, [ref for _, ref in last])
    for (pattern, ref), at in sorted(last.items()):
        if not any(when >= at for when in mended.get((pattern, ref), ())):
            found[pattern].setdefault(ref, []).append(f"Its last incident of this cause was on {at:%Y-%m-%d}.")


def _mended(session: Session, refs: Sequence[str]) -> dict[tuple[str, str], list[datetime]]:
    """Return when findings of a pattern were resolved, by pattern and service."""
    times: dict[tuple[str, str], list[datetime]] = {}
    for chunk in chunks(sorted(set(refs))):
        query = select(Finding.pattern, Finding.entity_ref, Finding.closed_at).where(
            Finding.entity_ref.in_(chunk), Finding.state == FindingState.RESOLVED, Finding.pattern.is_not(None)
        )
        for pattern, ref, at in session.execute(query):
            if pattern is not None and at is not None:
                times.setdefault((pattern, ref), []).append(at)
    return times


def _already(lesson: Lesson, to: LessonState, home: Mapping[str, str] | None) -> bool:
    if lesson.state != to:
        return False
    if home is None:
        return to is not LessonState.LINKED
    return any((each["kind"], each["target"]) == (home["kind"], home["target"]) for each in lesson.homes)


def _refuse_homeless(
    session: Session, judging: Judging, lesson: Lesson, to: LessonState, reason: str, home: Mapping[str, str] | None
) -> None:
    if to is LessonState.DECLINED and not reason:
        raise InvalidInput("A lesson is declined with a reason.", [Fault("reason", "say why")])
    if to is not LessonState.LINKED:
        return
    if home is None:
        raise InvalidInput("A linked lesson has a home.", [Fault("home", "name its kind and target")])
    target = home["target"]
    if home["kind"] == Home.CHECK and target not in judging.catalogue.checks:
        raise InvalidInput(f"There is no check {target}.", [Fault("home.target", "is no check of the catalogue")])
    if home["kind"] == Home.FINDING:
        finding = session.get(Finding, target)
        if finding is None or finding.entity_ref != lesson.entity_ref:
            fault = Fault("home.target", "name a finding of the service")
            raise InvalidInput(f"{target} is no finding of {lesson.entity_ref}.", [fault])
