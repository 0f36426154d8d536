"""Advice: recorded with its hours, bounded by quarter; what it recommends becomes improvements that bar nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.services import services
from engagements import circumstances, records
from engagements.knowledge.models import Consultation
from engagements.records import Change, Place
from engagements.reviews import improvements
from engagements.reviews.improvements import NewImprovement
from engagements.reviews.settings import ReviewSettings
from portal_backend.core.db import serialise
from portal_backend.core.errors import Conflict, Fault, InvalidInput
from portal_backend.core.principal import Principal, Role
from scorecards.judging import Judging

ADVISERS = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.LAUNCH_COORDINATOR)


def hold(
    session: Session, judging: Judging, settings: ReviewSettings, place: Place, body: Mapping[str, Any],
    principal: Principal, now: datetime,
) -> Consultation:  # fmt: skip
    """Record advice that was given; the same one twice is one.

    Raises Conflict, naming the hours left, when the owning team's hours of the quarter do not last, and when nobody
    knows whose hours they are.
    """
    records.require_role(principal, "record a consultation", *ADVISERS)
    if body["held_at"] > now:
        raise InvalidInput("A consultation is recorded once it was held.", [Fault("held_at", "is still to come")])
    content = {name: value for name, value in body.items() if name != "id"}
    request = records.digest(content)
    consultation_id = records.identity(body["id"], Consultation.__tablename__, place.entity_ref, content)
    known = records.known(session, Consultation, consultation_id, place, request)
    if known is not None:
        return known
    service = next(iter(services(session, judging.service_types, [place.entity_ref])), None)
    team = _team(service.owner if service else None, place.entity_ref)
    _refuse_overspending(session, settings, team, body["hours"], body["held_at"])
    around = improvements.surroundings(
        session, judging, settings, place.entity_ref, len(service.dependents) if service else 0
    )
    recommended = [
        NewImprovement(text, body["axis"], f"Recommended in a consultation on {body['topic']}.", blocking=False)
        for text in dict.fromkeys(body["recommendations"])
    ]
    made = [improvements.propose(session, around, place, new, principal, now).id for new in recommended]
    row = records.fresh(Consultation, consultation_id, place, request, **content, improvements=made, team=team)
    summary = f"{', '.join(body['sres'])} advised on {body['topic']} for {body['hours']:g} h."
    change = Change(
        row, "consultation.held", summary, occurred_at=body["held_at"],
        details={"hours": body["hours"], "topic": body["topic"], "axis": body["axis"]},
    )  # fmt: skip
    records.write(session, [change], principal, now)
    return row


def of_service(session: Session, judging: Judging, settings: ReviewSettings, ref: str, now: datetime) -> dict[str, Any]:
    """Return the advice that a service had, the latest first, and what is left of its team's hours this quarter."""
    query = select(Consultation).where(Consultation.entity_ref == ref)
    rows = list(session.scalars(query.order_by(Consultation.held_at.desc(), Consultation.id)))
    service = next(iter(services(session, judging.service_types, [ref])), None)
    team = service.owner if service else None
    used = circumstances.hours_used(session, team, now) if team else None
    budget = settings.advice_hours_per_quarter
    return {
        "items": rows,
        "team": team,
        "hours_per_quarter": budget,
        "hours_used": used,
        "hours_left": None if used is None else max(0.0, budget - used),
    }


def _team(owner: str | None, ref: str) -> str:
    if owner is None:
        raise Conflict(
            f"{ref} has no owner, so no team's hours can be counted.",
            [Fault("owner", "Name the owning team in the catalog (spec.owner).")],
        )
    return owner


def _refuse_overspending(
    session: Session, settings: ReviewSettings, team: str, hours: float, held_at: datetime
) -> None:
    """Raise Conflict when the hours are more than what is left to the team. Two at once are taken one by one."""
    serialise(session, f"advice/{team}")
    used = circumstances.hours_used(session, team, held_at)
    budget = settings.advice_hours_per_quarter
    if used is None:
        raise Conflict(
            f"How many hours of advice {team} has had in that quarter is not known.",
            [Fault("hours", "Correct the events `consultation.held` that name no hours.")],
        )
    left = max(0.0, budget - used)
    if hours > left:
        raise Conflict(
            f"{team} has had {used:g} of {budget:g} hours of advice in that quarter: {left:g} hours are left, "
            f"{hours:g} are asked for.",
            [Fault("hours", f"{left:g} hours are left; wait for the next quarter, or ask for an engagement")],
        )
