"""A service that SRE runs: the ladder for a neglected one, the pager that goes back for a while, handing it back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engagements.capacity import ledger, teams
from engagements.capacity.settings import CapacitySettings
from engagements.lifecycle.settings import DEFAULTS, LifecycleSettings
from engagements.lifecycle.states import Duty, EngagementState, State
from engagements.lifecycle.terms.amending import appended, opened, write
from engagements.records import identity
from portal_backend.core.clock import format_time
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.principal import Principal, Role

SRE_LEADS = (Role.SRE_LEAD, Role.SRE_MANAGER)


def escalate(
    session: Session, engagement_id: str, step: Mapping[str, Any], principal: Principal, now: datetime
) -> tuple[EngagementState, dict[str, Any]]:
    """Take a step of the ladder for a neglected service (SRE workbook, chapter 18), and return it.

    A step that is known by its id, or by its kind and note, is taken once.
    """
    before = opened(session, engagement_id, principal, "escalations", SRE_LEADS, (State.ACTIVE,))
    item = {
        "id": identity(step.get("id"), "escalation", engagement_id, step["step"], step["note"]),
        "step": step["step"],
        "note": step["note"],
        "recorded_by": principal.name,
        "recorded_at": format_time(now),
    }
    items = appended(before.items("escalations"), item, "escalation")
    summary = f"Escalated: {item['step']}" + (f": {item['note']}" if item["note"] else ".")
    details = {"escalation": item}
    after = write(session, before, "engagement.escalated", summary, principal, now, details, escalations=items)
    return after, next(each for each in items if each["id"] == item["id"])


def put_pager(
    session: Session,
    engagement_id: str,
    carrier: str,
    reason: str,
    review_on: datetime | None,
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
    settings: LifecycleSettings = DEFAULTS,
) -> EngagementState:
    """Return the pager to the developers (`dev`) until a dated review, or resume it (`sre`); the tier stays.

    Raises InvalidInput when it is returned without a reason, or the review is over already.
    """
    before = opened(session, engagement_id, principal, "pager", SRE_LEADS, (State.ACTIVE,), if_match)
    present = before.section("pager")
    if present.get("carrier", "sre") == carrier:
        return before
    if carrier == "sre":
        pager = {**present, "carrier": "sre", "review_on": None, "resumed_at": format_time(now)}
        return write(session, before, "pager.resumed", "SRE carries the pager again.", principal, now, pager=pager)
    review_on = review_on or now + settings.pager_review_due
    faults = [] if reason.strip() else [Fault("reason", "Say why the pager goes back.")]
    if review_on <= now:
        faults.append(Fault("review_on", "must be a time to come"))
    if faults:
        raise InvalidInput("The pager cannot be returned: " + " ".join(map(str, faults)), faults)
    pager = {
        "carrier": "dev",
        "reason": reason,
        "returned_at": format_time(now),
        "review_on": format_time(review_on),
        "by": principal.name,
    }
    summary = f"The developers carry the pager until a review on {review_on:%Y-%m-%d}: {reason}"
    return write(session, before, "pager.returned", summary, principal, now, pager=pager)


def fulfil(
    session: Session,
    engagement_id: str,
    duty: Duty,
    told: Mapping[str, Any],
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
    settings: CapacitySettings | None = None,
) -> EngagementState:
    """Record that a duty of handing back is done, once. `ledger_freed` posts to the team's ledger what becomes free."""
    roles = SRE_LEADS if duty is Duty.LEDGER_FREED else (*SRE_LEADS, Role.SRE, Role.DEV_LEAD)
    before = opened(session, engagement_id, principal, "hand-back", roles, (State.DISENGAGING,), if_match)
    done = before.section("hand_back")
    if duty.value in done:
        return before
    item = {**told, "by": principal.name, "at": format_time(now)}
    if duty is Duty.LEDGER_FREED:
        item["freed"] = _free(session, before, settings, principal, now)
    summary = f"Handing back: {duty.replace('_', ' ')}."
    details = {"duty": duty.value}
    hand_back = {**done, duty.value: item}
    return write(session, before, "engagement.terms_changed", summary, principal, now, details, hand_back=hand_back)


def _free(
    session: Session,
    engagement: EngagementState,
    settings: CapacitySettings | None,
    principal: Principal,
    now: datetime,
) -> dict[str, Any]:
    """Post what becomes free to the team's ledger, and return it."""
    freed = ledger.freed_by(session, engagement.entity_ref, settings)
    posted = engagement.sre_team is not None and teams.post_freed(
        session, engagement.sre_team, engagement.entity_ref, engagement.id, freed, principal.name, now
    )
    return {**freed, "team": engagement.sre_team, "posted": posted}
