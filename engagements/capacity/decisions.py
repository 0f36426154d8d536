"""What people decide on the rows of a plan. A plan only recommends; a decision stands until somebody takes it back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session, defer

from engagements import history
from engagements.capacity.models import PlanDecision, SavedPlan
from engagements.capacity.planner.problem import Option, Pin
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import serialise, upsert
from portal_backend.core.errors import Conflict, Fault, NotAllowed, NotFound
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from portal_backend.core.principal import Principal, Role

PLANS = "plan:default/capacity"
"""Whose history tells of saved plans: they are about all services at once."""


@dataclass(frozen=True)
class Decision:
    """What somebody decided on a service's row."""

    entity_ref: str
    accepted: bool
    reason: str


def save(session: Session, document: Mapping[str, Any], principal: Principal, now: datetime) -> SavedPlan:
    """Keep a plan, so that people can decide on its rows; the same plan saved again is the one saved first.

    Raises NotAllowed unless an SRE lead or manager asks.
    """
    _may_decide(principal)
    serialise(session, "capacity-plan")
    known = session.get(SavedPlan, document["id"])
    if known is not None:
        return known
    triaged_at = document["triaged_at"]
    values = {
        "id": document["id"],
        "inputs_digest": document["inputs_digest"],
        "method": document["method"],
        "saved_at": now,
        "saved_by": principal.name,
        "document": {**document, "triaged_at": triaged_at and format_time(triaged_at)},
    }
    saved = SavedPlan(**values)
    session.add(saved)
    session.flush()
    event = history.NewEvent(
        entity_ref=PLANS,
        kind="plan.saved",
        occurred_at=now,
        source=history.PORTAL,
        source_event_id=f"plan.saved/{saved.id}",
        summary=f"A capacity plan ({saved.method}) was saved.",
        actor=principal.name,
        details={"plan": {**values, "saved_at": format_time(now)}},
    )
    history.record(session, [event], now)
    return saved


def get(session: Session, plan_id: str) -> SavedPlan:
    """Return a saved plan; raises NotFound."""
    found = None if "\0" in plan_id else session.get(SavedPlan, plan_id)
    if found is None:
        raise NotFound(f"No plan {plan_id!r} is saved; POST /api/engagements/plan saves one.")
    return found


def decide(session: Session, plan_id: str, wanted: Decision, principal: Principal, now: datetime) -> PlanDecision:
    """Accept or reject what a plan proposes for a service, and return the decision.

    Accepted, later plans keep to it; rejected, they leave that option out. The same decision again changes nothing.
    Raises NotFound when the plan has no such row, NotAllowed unless an SRE lead or manager decides, and Conflict when
    another decision on the service stands.
    """
    _may_decide(principal)
    row = _row_of(get(session, plan_id), wanted.entity_ref)
    serialise(session, f"plan-decision/{wanted.entity_ref}")
    session.expire_all()
    known = _standing_of(session, wanted.entity_ref)
    for each in known:
        if (each.plan_id, each.accepted, each.option) == (plan_id, wanted.accepted, row["option"]):
            return each
    _refuse_contradiction(known, wanted, row)
    last = session.scalar(select(func.max(PlanDecision.sequence)).where(PlanDecision.entity_ref == wanted.entity_ref))
    values = {
        "plan_id": plan_id,
        "entity_ref": wanted.entity_ref,
        "sequence": (last or 0) + 1,
        "accepted": wanted.accepted,
        "option": row["option"],
        "team_ref": row["team"],
        "reason": wanted.reason,
        "decided_by": principal.name,
        "decided_at": now,
        "released_at": None,
    }
    upsert(session, PlanDecision, [values], ["entity_ref", "sequence"])
    verb = "accepted" if wanted.accepted else "rejected"
    _tell(session, values, "plan.row_decided", f"The plan's {row['option']} was {verb}: {wanted.reason}", now)
    return _standing_of(session, wanted.entity_ref)[-1]


def release(session: Session, entity_ref: str, reason: str, principal: Principal, now: datetime) -> int:
    """Take back every decision that stands on a service, and return how many did."""
    _may_decide(principal)
    serialise(session, f"plan-decision/{entity_ref}")
    session.expire_all()
    known = _standing_of(session, entity_ref)
    for each in known:
        each.released_at = now
        values = {"entity_ref": entity_ref, "sequence": each.sequence, "decided_by": principal.name, "reason": reason}
        _tell(session, values, "plan.decision_released", f"A decision of the plan was taken back: {reason}", now)
    session.flush()
    return len(known)


def standing(session: Session) -> tuple[dict[str, Pin], dict[str, dict[Option, str]]]:
    """Return, by service, the choice that people accepted, and the options that they rejected with their reasons."""
    pins: dict[str, Pin] = {}
    rejected: dict[str, dict[Option, str]] = {}
    query = select(PlanDecision).where(PlanDecision.released_at.is_(None)).order_by(PlanDecision.sequence)
    for each in session.scalars(query):
        option, said = Option(each.option), f"{each.decided_by}: {each.reason}"
        if each.accepted:
            pins[each.entity_ref] = Pin(option, each.team_ref, f"Accepted by {said}")
        else:
            rejected.setdefault(each.entity_ref, {})[option] = f"rejected by {said}"
    return pins, rejected


def of_plan(session: Session, plan_id: str) -> list[PlanDecision]:
    """Return the decisions on a plan's rows, in order."""
    query = select(PlanDecision).where(PlanDecision.plan_id == plan_id)
    return list(session.scalars(query.order_by(PlanDecision.entity_ref, PlanDecision.sequence)))


def _row_of(saved: SavedPlan, entity_ref: str) -> Mapping[str, Any]:
    for row in saved.document["rows"]:
        if row["ref"] == entity_ref:
            found: Mapping[str, Any] = row
            return found
    raise NotFound(f"The plan {saved.id} has no row for {entity_ref}.", [Fault("ref", "is not in this plan")])


def _standing_of(session: Session, entity_ref: str) -> list[PlanDecision]:
    query = select(PlanDecision).where(PlanDecision.entity_ref == entity_ref, PlanDecision.released_at.is_(None))
    return list(session.scalars(query.order_by(PlanDecision.sequence)))


def _refuse_contradiction(known: list[PlanDecision], wanted: Decision, row: Mapping[str, Any]) -> None:
    """One accepted choice stands at a time; an accepted option cannot be rejected, nor the other way round."""
    for each in known:
        if each.accepted or (wanted.accepted and each.option == row["option"]):
            verb = "accepted" if each.accepted else "rejected"
            raise Conflict(
                f"{each.decided_by} {verb} {each.option} for {each.entity_ref} already: take that back first "
                f"(POST /api/engagements/plan/decisions/{each.entity_ref.replace(':', '/', 1)}/release).",
                [Fault("decision", f"{each.option} was {verb} by {each.decided_by}")],
            )


def _may_decide(principal: Principal) -> None:
    if not principal.has_role(Role.SRE_MANAGER, Role.SRE_LEAD):
        raise NotAllowed(
            f"{principal.name} may not decide on the plan: it takes the role {Role.SRE_MANAGER} or {Role.SRE_LEAD}."
        )


def _tell(session: Session, values: Mapping[str, Any], kind: str, summary: str, now: datetime) -> None:
    details = {name: format_time(value) if isinstance(value, datetime) else value for name, value in values.items()}
    event = history.NewEvent(
        entity_ref=values["entity_ref"],
        kind=kind,
        occurred_at=now,
        source=history.PORTAL,
        source_event_id=f"{kind}/{values['entity_ref']}/{values['sequence']}",
        summary=summary,
        actor=values["decided_by"],
        details=details,
    )
    history.record(session, [event], now)


def page(session: Session, cursor: str | None, limit: int) -> Page[SavedPlan]:
    """Return a page of the saved plans, the newest first; raises InvalidInput when the cursor is none of theirs."""
    place = (SavedPlan.saved_at, SavedPlan.id)
    query = select(SavedPlan).order_by(SavedPlan.saved_at.desc(), SavedPlan.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(tuple_(*place) < tuple_(*_after(cursor)))
    found = list(session.scalars(query.options(defer(SavedPlan.document))))
    if len(found) <= limit:
        return Page(found)
    last = found[limit - 1]
    return Page(found[:limit], encode_cursor(["plans", format_time(last.saved_at), last.id]))


def _after(cursor: str) -> tuple[datetime, str]:
    match decode_cursor(cursor):
        case ["plans", str(moment), str(each)] if "\0" not in each:
            try:
                return parse_time(moment), each
            except (ValueError, OverflowError) as error:
                raise bad_cursor() from error
    raise bad_cursor()
