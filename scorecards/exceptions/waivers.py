"""Waivers: exemptions from checks, asked for by one person, decided on by another, and never without an end."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.services import Service
from portal_backend.core.clock import format_time
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotAllowed, NotFound
from portal_backend.core.principal import LOCAL_ADMINISTRATOR, Principal, Role
from scorecards.checks.definitions import CheckCatalogue
from scorecards.exceptions.attestations import find_check
from scorecards.exceptions.models import WaiverRow, plain_form
from scorecards.exceptions.people import is_same_person, role_fault
from scorecards.exceptions.recording import Done, Happening
from scorecards.exceptions.settings import ExceptionSettings

REQUESTERS = (Role.DEV, Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.PLATFORM_OWNER)
APPROVERS = (Role.SRE_LEAD, Role.SRE_MANAGER)
ENDERS = (Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)


@dataclass(frozen=True)
class WaiverRequest:
    """What somebody asks for."""

    check: str
    reason: str
    compensating_control: str
    until: datetime
    renews: str | None = None
    id: str | None = None
    """A UUID of the caller's, so that a repeated request is known as such."""


def request(
    session: Session,
    catalogue: CheckCatalogue,
    settings: ExceptionSettings,
    service: Service,
    wanted: WaiverRequest,
    principal: Principal,
    now: datetime,
) -> Done[WaiverRow]:
    """Ask for a waiver. Repeating a request changes nothing.

    Raises InvalidInput when the check is unknown or the end lies out of bounds, NotAllowed when only the role is
    lacking, and Conflict when another request waits, or a waiver is in force that this one does not name as renewed.
    """
    find_check(catalogue, wanted.check)
    repeated = _repeated(session, service.ref, wanted, principal)
    if repeated is not None:
        return Done(repeated)
    _refuse_end(wanted.until, now, settings.longest_waiver)
    _guard_request(session, service, wanted, principal, now)
    row = WaiverRow(
        id=wanted.id or str(uuid4()),
        entity_ref=service.ref,
        check_id=wanted.check,
        reason=wanted.reason,
        compensating_control=wanted.compensating_control,
        until=wanted.until.astimezone(UTC),
        renews=wanted.renews,
        state="requested",
        requested_by=principal.name,
        requested_at=now,
    )
    session.add(row)
    session.flush()
    summary = f"{principal.name} asks to waive {row.check_id} until {row.until:%Y-%m-%d}: {row.reason}"
    return Done(row, (happening(row, "requested", summary, principal, now),))


def approve(
    session: Session,
    settings: ExceptionSettings,
    id_: str,
    reason: str | None,
    until: datetime | None,
    principal: Principal,
    now: datetime,
) -> Done[WaiverRow]:
    """Grant a waiver, from now on, until the end that was asked for or an earlier one (`until`).

    What it renews ends with it. Raises NotFound, NotAllowed when only the role is lacking, InvalidInput on an end out
    of bounds, and Conflict naming every guard that fails: a second person, a request that still waits, an end ahead.
    """
    row = find(session, id_)
    if row.state == "approved" and row.decided_by == principal.name and until in (None, row.until):
        return Done(row)
    if until is not None and not now < until <= row.until:
        message = f"must lie ahead, and not after {format_time(row.until)}: an approval may only shorten the request"
        raise InvalidInput(f"until: {message}.", [Fault("until", message)])
    end = until or row.until
    _guard_decision(row, end, principal, now)
    _refuse_end(end, now, settings.longest_waiver)
    renewed = _in_force(session, row.entity_ref, row.check_id, now)
    if renewed is not None:
        renewed.state, renewed.ended_at, renewed.ended_by = "ended", now, principal.name
        renewed.end_reason = f"Renewed by {row.id}."
    row.state, row.decided_by, row.decided_at, row.decision_reason = "approved", principal.name, now, reason
    row.until = end.astimezone(UTC)
    session.flush()
    summary = (
        f"{principal.name} waives {row.check_id} until {row.until:%Y-%m-%d}: {row.reason.rstrip('. ')}. "
        f"Meanwhile: {row.compensating_control}"
    )
    done = happening(row, "granted", summary, principal, now, renewed=renewed.id if renewed else None)
    return Done(row, (done,))


def reject(session: Session, id_: str, reason: str, principal: Principal, now: datetime) -> Done[WaiverRow]:
    """Refuse a request, with the reason. Raises NotFound, NotAllowed and Conflict as `approve` does."""
    row = find(session, id_)
    if row.state == "rejected" and row.decided_by == principal.name:
        return Done(row)
    _guard_decision(row, None, principal, now)
    row.state, row.decided_by, row.decided_at, row.decision_reason = "rejected", principal.name, now, reason
    session.flush()
    summary = f"{principal.name} does not waive {row.check_id}: {reason}"
    return Done(row, (happening(row, "denied", summary, principal, now),))


def end(session: Session, id_: str, reason: str, principal: Principal, now: datetime) -> Done[WaiverRow]:
    """Withdraw one's own request, or end a waiver before its time.

    Raises NotFound, NotAllowed, and Conflict when there is nothing to end.
    """
    row = find(session, id_)
    if row.state in {"withdrawn", "ended"} and row.ended_by == principal.name:
        return Done(row)
    state = state_of(row, now)
    if state not in {"requested", "approved"}:
        raise Conflict(f"Waiver {row.id} is {state} already; there is nothing to end.")
    may = principal.name == row.requested_by or (state == "approved" and principal.has_role(*ENDERS))
    if not may:
        told = "whoever asked for it may withdraw it; an SRE lead or manager rejects it"
        if state == "approved":
            told = f"whoever asked for it may, or one of the roles {', '.join(ENDERS)}"
        message = f"{principal.name} may not end this waiver: {told}"
        raise NotAllowed(f"{message}.", [Fault("role", message)])
    row.state = "withdrawn" if state == "requested" else "ended"
    row.ended_at, row.ended_by, row.end_reason = now, principal.name, reason
    session.flush()
    verb = "withdrew the request to waive" if row.state == "withdrawn" else "ended the waiver of"
    summary = f"{principal.name} {verb} {row.check_id}: {reason}"
    return Done(row, (happening(row, row.state, summary, principal, now),))


def find(session: Session, id_: str) -> WaiverRow:
    """Return a waiver; raises NotFound."""
    row = session.get(WaiverRow, id_)
    if row is None:
        raise NotFound(f"There is no waiver {id_}; /api/scorecards/waivers lists them.")
    return row


def state_of(row: WaiverRow, now: datetime) -> str:
    """Return the state as of `now`: the stored one, or `expired` for an approved one past its end."""
    return "expired" if row.state == "approved" and row.until <= now else row.state


def happening(
    row: WaiverRow, what: str, summary: str, principal: Principal | None, now: datetime, **more: Any
) -> Happening:
    """Return what the history holds of a change of a waiver: all of it, as it is afterwards."""
    details = {"check": row.check_id, "state": plain_form(row), **{key: value for key, value in more.items() if value}}
    if principal:
        details["roles"] = sorted(principal.roles)
    actor = principal.name if principal else ""
    return Happening(row.entity_ref, f"waiver.{what}", f"waiver/{row.id}/{what}", now, summary, actor, details)


def _guard_request(
    session: Session, service: Service, wanted: WaiverRequest, principal: Principal, now: datetime
) -> None:
    faults = []
    waiting = session.scalar(
        select(WaiverRow).where(
            WaiverRow.entity_ref == service.ref, WaiverRow.check_id == wanted.check, WaiverRow.state == "requested"
        )
    )
    if waiting is not None:
        told = f"{waiting.requested_by} asked for one already ({waiting.id}); have that decided or withdrawn first"
        faults.append(Fault("check", told))
    faults += _renewal_faults(session, service.ref, wanted, now)
    role = role_fault(session, service, principal, REQUESTERS, f"ask for a waiver for {service.ref}")
    if faults:
        raise Conflict(
            f"This waiver of {wanted.check} cannot be asked for: " + "; ".join(fault.message for fault in faults) + ".",
            [*faults, *role],
        )
    if role:
        raise NotAllowed(role[0].message + ".", role)


def _renewal_faults(session: Session, ref: str, wanted: WaiverRequest, now: datetime) -> list[Fault]:
    in_force = _in_force(session, ref, wanted.check, now)
    if in_force is not None and wanted.renews != in_force.id:
        told = f"one is in force until {format_time(in_force.until)}; name it to renew it: {in_force.id}"
        return [Fault("renews", told)]
    if wanted.renews is None or in_force is not None:
        return []
    old = session.get(WaiverRow, wanted.renews)
    if old is None or (old.entity_ref, old.check_id) != (ref, wanted.check):
        return [Fault("renews", f"{wanted.renews} is no waiver of {wanted.check} for {ref}")]
    if old.decided_at is None or old.state == "rejected":
        return [Fault("renews", f"{wanted.renews} was never granted; ask without it")]
    return []


def _guard_decision(row: WaiverRow, end: datetime | None, principal: Principal, now: datetime) -> None:
    faults = []
    if row.state != "requested":
        faults.append(Fault("state", f"it is {state_of(row, now)} already; ask for a new one"))
    if is_same_person(principal.name, row.requested_by):
        told = f"{principal.name} asked for it; somebody else has to decide (an SRE lead or manager)"
        if principal.name == LOCAL_ADMINISTRATOR.name:
            told += f". Everybody is {principal.name} until `authentication.service_tokens` is true in portal.yaml"
        faults.append(Fault("second_person", told))
    if end is not None and end <= now and row.state == "requested":
        faults.append(Fault("until", f"its end {format_time(end)} has passed; ask for a new one"))
    role = []
    if not principal.has_role(*APPROVERS):
        role = [Fault("role", f"{principal.name} may not decide: it takes one of the roles {', '.join(APPROVERS)}")]
    if faults:
        told = "; ".join(fault.message for fault in faults)
        raise Conflict(f"This waiver cannot be decided on: {told}.", [*faults, *role])
    if role:
        raise NotAllowed(role[0].message + ".", role)


def _refuse_end(until: datetime, now: datetime, longest: timedelta) -> None:
    message = None
    if until <= now:
        message = "must lie in the future"
    elif until > now + longest:
        message = f"a waiver lasts {longest.days} days at most: {format_time(now + longest)} or earlier"
    if message:
        raise InvalidInput(f"until: {message}.", [Fault("until", message)])


def _in_force(session: Session, ref: str, check_id: str, now: datetime) -> WaiverRow | None:
    row = WaiverRow
    return session.scalar(
        select(row)
        .where(row.entity_ref == ref, row.check_id == check_id, row.state == "approved", row.until > now)
        .order_by(row.decided_at.desc())
        .limit(1)
    )


def _repeated(session: Session, ref: str, wanted: WaiverRequest, principal: Principal) -> WaiverRow | None:
    """Return the waiver that this request asked for already: by its id, or the same one still waiting."""
    if wanted.id is not None:
        row = session.get(WaiverRow, wanted.id)
        if row is not None and not (row.entity_ref == ref and _same(row, wanted, principal)):
            raise Conflict(f"The id {wanted.id} is taken by another waiver; leave it out, or make a new one.")
        return row
    waiting = session.scalar(
        select(WaiverRow).where(
            WaiverRow.entity_ref == ref, WaiverRow.check_id == wanted.check, WaiverRow.state == "requested"
        )
    )
    return waiting if waiting is not None and _same(waiting, wanted, principal) else None


def _same(row: WaiverRow, wanted: WaiverRequest, principal: Principal) -> bool:
    asked = (wanted.check, wanted.reason, wanted.compensating_control, wanted.renews, principal.name)
    given = (row.check_id, row.reason, row.compensating_control, row.renews, row.requested_by)
    # An approval may have shortened it since.
    return asked == given and (row.until == wanted.until or row.state != "requested")
