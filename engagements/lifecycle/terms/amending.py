"""What every change of an engagement's terms has in common: who may, in which states, and how it is written."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engagements.lifecycle.states import CLOSED, EngagementState, Side, State
from engagements.lifecycle.takeover_guards import SIDES
from engagements.lifecycle.writing import locked, save, with_section
from portal_backend.core.clock import format_time
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotAllowed
from portal_backend.core.principal import Principal, Role

MAX_ITEMS = 200


def opened(
    session: Session,
    engagement_id: str,
    actor: Principal,
    what: str,
    roles: Iterable[Role],
    states: Iterable[State] = (),
    if_match: int | None = None,
) -> EngagementState:
    """Return an engagement locked for a change of `what`.

    Raises NotFound, PreconditionFailed, Conflict when it is closed or in a state in which this does not change, and
    NotAllowed when nothing but the role is missing.
    """
    state, allowed = locked(session, engagement_id, if_match), tuple(states)
    faults = []
    if state.state in CLOSED:
        faults.append(Fault("state", f"The engagement is closed ({state.state}): its {what} cannot change any more."))
    elif allowed and state.state not in allowed:
        faults.append(Fault("state", f"No change of its {what} in {state.state}; there is in {', '.join(allowed)}."))
    lacking = f"{actor.name} may not change its {what}: it takes one of the roles {', '.join(sorted(roles))}."
    if not actor.has_role(*roles):
        faults.append(Fault("role", lacking))
    if faults:
        only_role = [fault.path for fault in faults] == ["role"]
        raise (NotAllowed if only_role else Conflict)(" ".join(fault.message for fault in faults), faults)
    return state


def write(
    session: Session,
    before: EngagementState,
    kind: str,
    summary: str,
    actor: Principal,
    now: datetime,
    details: Mapping[str, Any] | None = None,
    **sections: Any,
) -> EngagementState:
    """Write sections of the terms and their event; what is the same already is not written again."""
    return save(session, before, with_section(before, **sections), kind, summary, actor, now, details)


def side_of(named: str | None, actor: Principal) -> Side:
    """Return for which side somebody signs: the one that is named, else the one that they lead.

    Raises InvalidInput when they lead both and name none.
    """
    if named:
        return {"dev": Side.DEV_LEAD, "sre": Side.SRE_LEAD}.get(named) or Side(named)
    led = [side for side, role in SIDES.items() if actor.has_role(role)]
    if len(led) == 2:
        message = "name the side that you sign for: dev_lead or sre_lead"
        raise InvalidInput(f"side: {message}", [Fault("side", message)])
    return led[0] if led else Side.DEV_LEAD


def signed(
    signatures: Mapping[str, Any], side: Side, what: str, actor: Principal, now: datetime
) -> dict[str, dict[str, Any]]:
    """Return signatures with one more. Who signed already stays; nobody signs for both sides but an administrator.

    Raises NotAllowed when the actor does not lead the side, Conflict when they signed for the other.
    """
    if not actor.has_role(SIDES[side]):
        raise NotAllowed(f"{actor.name} may not sign the {what} for {side}: it takes the role {SIDES[side]}.")
    if side in signatures:
        return dict(signatures)
    others = {each["by"] for name, each in signatures.items() if name != side}
    if actor.name in others and Role.ADMINISTRATOR not in actor.roles:
        message = f"{actor.name} signed the {what} for the other side; somebody else has to sign for {side}."
        raise Conflict(message, [Fault("two_people", message)])
    mine = {"by": actor.name, "at": format_time(now), "roles": sorted(actor.roles)}
    return {**signatures, side.value: mine}


def appended(items: list[dict[str, Any]], item: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """Return a list with one more item, known by its `id`; one that is there already with this content stays.

    Raises Conflict when the id stands for something else, or when the list is full.
    """
    known = next((each for each in items if each["id"] == item["id"]), None)
    recording = ("recorded_by", "recorded_at")
    if known is not None:
        if {k: v for k, v in known.items() if k not in recording} == {
            k: v for k, v in item.items() if k not in recording
        }:
            return items
        raise Conflict(f"The id {item['id']} stands for another {what} already.", [Fault("id", "is taken")])
    if len(items) >= MAX_ITEMS:
        raise Conflict(f"An engagement holds at most {MAX_ITEMS} of each kind of record; this one is full.")
    return [*items, item]
