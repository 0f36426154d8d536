"""The takeover, step by step: responsibilities, the developers' back-up, the pager for a spin, both leads' consent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engagements.lifecycle.states import Aspect, EngagementState, Holder, Side, State
from engagements.lifecycle.takeover_guards import SIDES
from engagements.lifecycle.terms.amending import opened, signed, write
from portal_backend.core.clock import format_time
from portal_backend.core.errors import Conflict, Fault, InvalidInput
from portal_backend.core.principal import Principal, Role

LEADS = (Role.SRE, Role.SRE_LEAD, Role.DEV_LEAD)
WAY = (Holder.DEV, Holder.SHARED, Holder.SRE)
"""Responsibility passes along this way in either direction, one step at a time."""


def transfer(
    session: Session,
    engagement_id: str,
    aspect: Aspect,
    holder: Holder,
    note: str,
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
) -> EngagementState:
    """Move one responsibility a step; to leave it where it is changes nothing.

    Raises Conflict when that would skip a step, or go the wrong way while the service is being handed back.
    """
    states = (State.ONBOARDING, State.ACTIVE, State.DISENGAGING)
    before = opened(session, engagement_id, principal, "responsibilities", LEADS, states, if_match)
    transfers = before.section("transfers")
    present = Holder(transfers.get(aspect.value, {}).get("holder", Holder.DEV))
    if present is holder:
        return before
    _refuse_leap(before.state, aspect, present, holder)
    since = {"holder": holder.value, "since": format_time(now), "by": principal.name, "note": note}
    completed = holder is not Holder.SHARED
    kind = "transfer.completed" if completed else "transfer.started"
    details = {"aspect": aspect.value, "from_holder": present.value, "to_holder": holder.value}
    summary = f"{aspect} passed from {present} to {holder}."
    transfers = {**transfers, aspect.value: since}
    return write(session, before, kind, summary, principal, now, details, transfers=transfers)


def _refuse_leap(state: State, aspect: Aspect, present: Holder, wanted: Holder) -> None:
    here, there = WAY.index(present), WAY.index(wanted)
    if abs(there - here) > 1:
        message = f"{aspect} passes from {present} to {wanted} by way of shared: set the holder shared first."
        raise Conflict(message, [Fault("holder", message)])
    if state is State.DISENGAGING and there > here:
        message = f"The service is being handed back: {aspect} goes from {present} towards dev only."
        raise Conflict(message, [Fault("holder", message)])


def put_backup(
    session: Session,
    engagement_id: str,
    until: datetime,
    developers_in_rotation: int,
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
) -> EngagementState:
    """Say until when the developers back SRE up, and how many of them stay in the rotation.

    Raises InvalidInput when the time is over.
    """
    if until <= now:
        message = "must be a time to come"
        raise InvalidInput(f"until {message}", [Fault("until", message)])
    states = (State.TRAINING, State.ONBOARDING, State.ACTIVE)
    before = opened(session, engagement_id, principal, "back-up", (Role.DEV_LEAD, Role.SRE_LEAD), states, if_match)
    backup = {"until": format_time(until), "developers_in_rotation": developers_in_rotation}
    summary = f"The developers back SRE up until {until:%Y-%m-%d}; {developers_in_rotation} stay in the rotation."
    return write(session, before, "engagement.terms_changed", summary, principal, now, backup=backup)


def put_pager_phase(
    session: Session,
    engagement_id: str,
    phase: str,
    told: Mapping[str, Any],
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
) -> EngagementState:
    """Record the spin or the shadowing: from when to when, how many pages, how many of them critical and actionable.

    Raises InvalidInput when it ends before it begins, or more pages are judged than there were.
    """
    faults = []
    if told["ended_at"] <= told["began_at"]:
        faults.append(Fault("ended_at", "must lie after began_at"))
    faults += [
        Fault(name, "cannot be more than `pages`") for name in ("critical", "actionable") if told[name] > told["pages"]
    ]
    if faults:
        raise InvalidInput(f"The {phase} cannot be recorded: " + " ".join(map(str, faults)), faults)
    states = (State.TRAINING, State.ONBOARDING)
    before = opened(session, engagement_id, principal, "pager shadow", (Role.SRE, Role.SRE_LEAD), states, if_match)
    kept = {**told, "began_at": format_time(told["began_at"]), "ended_at": format_time(told["ended_at"])}
    shadow = {**before.section("pager_shadow"), phase: kept}
    summary = f"SRE's {phase} of the pager: {told['pages']} pages, {told['actionable']} of them actionable."
    return write(session, before, "engagement.terms_changed", summary, principal, now, pager_shadow=shadow)


def sign(session: Session, engagement_id: str, side: Side, principal: Principal, now: datetime) -> EngagementState:
    """Agree to the takeover for one side; to sign again changes nothing. Raises as the agreement's `sign` does."""
    before = opened(session, engagement_id, principal, "takeover", (SIDES[side],), (State.ONBOARDING,))
    signatures = signed(before.section("takeover_signatures"), side, "takeover", principal, now)
    summary = f"{principal.name} agreed to the takeover for {side}."
    details = {"side": side.value, "what": "takeover"}
    return write(session, before, "agreement.signed", summary, principal, now, details, takeover_signatures=signatures)
