"""The rotation that takes a service over, and the trainings that it had."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engagements.lifecycle.states import EngagementState, State
from engagements.lifecycle.terms.agreements import BEFORE_TAKEOVER
from engagements.lifecycle.terms.amending import appended, opened, write
from engagements.records import identity
from portal_backend.core.clock import format_time
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.principal import Principal, Role

STATES = (*BEFORE_TAKEOVER, State.ACTIVE)


def put_rotation(
    session: Session,
    engagement_id: str,
    members: Sequence[str],
    source: str,
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
) -> EngagementState:
    """Say who is in the rotation that takes the service over; the same again changes nothing."""
    roles = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.DEV_LEAD)
    before = opened(session, engagement_id, principal, "rotation", roles, STATES, if_match)
    rotation = {"members": list(dict.fromkeys(members)), "source": source}
    summary = f"The rotation has {len(rotation['members'])} members."
    return write(session, before, "engagement.terms_changed", summary, principal, now, rotation=rotation)


def hold(
    session: Session, engagement_id: str, training: Mapping[str, Any], principal: Principal, now: datetime
) -> tuple[EngagementState, dict[str, Any]]:
    """Record a training that was held, and return it with the engagement; the same again changes nothing.

    Raises InvalidInput when it lies ahead, Conflict when its id stands for another training.
    """
    if training["held_at"] > now:
        message = "A training that is not over cannot be recorded as held."
        raise InvalidInput(message, [Fault("held_at", message)])
    before = opened(session, engagement_id, principal, "trainings", (Role.SRE, Role.SRE_LEAD), STATES)
    held_at = format_time(training["held_at"])
    given = training.get("id")
    item = {
        "id": identity(given, "training", engagement_id, {**training, "held_at": held_at}),
        "kind": training["kind"],
        "lead": training["lead"],
        "attendees": list(dict.fromkeys(training["attendees"])),
        "held_at": held_at,
        "material_url": training["material_url"],
        "review_round": before.review_round,
        "recorded_by": principal.name,
        "recorded_at": format_time(now),
    }
    held = appended(before.items("trainings"), item, "training")
    summary = f"{item['lead']} held the training {item['kind']} for {len(item['attendees'])}."
    after = write(session, before, "training.held", summary, principal, now, {"training": item}, trainings=held)
    return after, next(each for each in held if each["id"] == item["id"])
