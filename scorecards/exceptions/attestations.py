"""Attestations: what somebody vouches for, with evidence and an end, where no source can show it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.services import Service
from portal_backend.core.clock import format_time
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotAllowed, NotFound
from portal_backend.core.principal import Principal, Role
from scorecards.checks.definitions import Check, CheckCatalogue
from scorecards.exceptions.measured import why_not_attested
from scorecards.exceptions.models import AttestationRow, plain_form
from scorecards.exceptions.people import is_same_person, require_role, role_fault
from scorecards.exceptions.recording import Done, Happening
from scorecards.exceptions.settings import ExceptionSettings
from scorecards.judging import Judging
from scorecards.loading import load

ATTESTERS = (Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD)
AUDITORS = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)


@dataclass(frozen=True)
class Answer:
    """What somebody attests."""

    check: str
    holds: bool
    statement: str
    evidence_url: str | None = None
    expires_at: datetime | None = None
    """None: as late as the check allows."""
    id: str | None = None
    """A UUID of the caller's, so that a repeated request is known as such."""


def give(
    session: Session,
    judging: Judging,
    settings: ExceptionSettings,
    service: Service,
    answer: Answer,
    principal: Principal,
    now: datetime,
) -> Done[AttestationRow]:
    """Keep an attestation; it takes the place of the one before. Repeating a request changes nothing.

    Raises InvalidInput when the check is unknown, the evidence lacks substance or the end lies out of bounds,
    NotAllowed when only the role is lacking, and Conflict when a source answers the check.
    """
    check = find_check(judging.catalogue, answer.check)
    current = _current(session, service.ref, check.id)
    repeated = _repeated(session, service.ref, answer, current, principal, now)
    if repeated is not None:
        return Done(repeated)
    expires_at = expiry(check, answer, settings, now)
    _guard(session, judging, service, check, principal, now)
    row = keep(session, service.ref, check, answer, Vouched(principal.name, now, expires_at), current, principal, now)
    says = "is so" if row.holds else "is not so"
    summary = f"{principal.name} attests that {check.id} {says}, until {row.expires_at:%Y-%m-%d}: {row.statement}"
    supersedes = current.id if current else None
    return Done(row, (happening(row, "given", summary, principal, now, supersedes=supersedes),))


class Vouched(NamedTuple):
    """Who vouches for an answer, since when, and until when."""

    by: str
    at: datetime
    expires_at: datetime


def keep(
    session: Session,
    ref: str,
    check: Check,
    answer: Answer,
    vouched: Vouched,
    current: AttestationRow | None,
    principal: Principal,
    now: datetime,
) -> AttestationRow:
    """Keep an answer in the place of the current one, which the principal so ends."""
    if current is not None:
        current.ended_at, current.ended_by, current.end_kind = now, principal.name, "superseded"
        session.flush()
    row = AttestationRow(
        id=answer.id or str(uuid4()),
        entity_ref=ref,
        check_id=check.id,
        check_version=check.version,
        holds=answer.holds,
        statement=answer.statement,
        evidence_url=answer.evidence_url,
        attested_by=vouched.by,
        attested_at=vouched.at,
        expires_at=vouched.expires_at,
    )
    session.add(row)
    session.flush()
    return row


def revoke(session: Session, id_: str, reason: str, principal: Principal, now: datetime) -> Done[AttestationRow]:
    """Take an attestation back: its author may, and whoever may attest.

    Raises NotFound, NotAllowed, and Conflict when it has ended already in another way.
    """
    row = find(session, id_)
    if principal.name != row.attested_by:
        require_role(principal, ATTESTERS, "revoke what somebody else attested")
    return _end(session, row, "revoked", reason, principal, now)


def overturn(session: Session, id_: str, reason: str, principal: Principal, now: datetime) -> Done[AttestationRow]:
    """Set an attestation aside after a spot audit. Nobody audits their own.

    Raises NotFound, NotAllowed, and Conflict when it has ended already or is the auditor's own.
    """
    row = find(session, id_)
    require_role(principal, AUDITORS, "overturn an attestation")
    if is_same_person(principal.name, row.attested_by):
        message = f"{principal.name} attested this; a spot audit takes a second person. Revoke it instead."
        raise Conflict(message, [Fault("second_person", message)])
    return _end(session, row, "overturned", reason, principal, now)


def find(session: Session, id_: str) -> AttestationRow:
    """Return an attestation; raises NotFound."""
    row = session.get(AttestationRow, id_)
    if row is None:
        raise NotFound(f"There is no attestation {id_}; /api/scorecards/attestations lists them.")
    return row


def find_check(catalogue: CheckCatalogue, check_id: str) -> Check:
    """Return a check that a request names; raises InvalidInput."""
    check = catalogue.checks.get(check_id)
    if check is None:
        message = f"the catalogue has no check {check_id}; /api/scorecards/checks lists them"
        raise InvalidInput(f"check: {message}.", [Fault("check", message)])
    return check


def state_of(row: AttestationRow, now: datetime) -> str:
    """Return `in_force`, `expired`, or how a person ended it: `superseded`, `revoked`, `overturned`."""
    if row.ended_at is not None and row.ended_at < row.expires_at:
        return row.end_kind or "revoked"
    return "expired" if row.expires_at <= now else "in_force"


def questions(session: Session, judging: Judging, service: Service, now: datetime) -> list[dict[str, Any]]:
    """Return every check that people may answer, whether they may for this service, and the last answer given."""
    loaded = load(session, judging, [service.ref], now).subjects[service.ref]
    subject, view = loaded[0], loaded[1]
    last = _last(session, service.ref)
    items = []
    for check in judging.catalogue.checks.values():
        if check.attested_for is None:
            continue
        obstacle, row = why_not_attested(check, subject, view, now), last.get(check.id)
        items.append(
            {
                "check": check.id,
                "title": check.title,
                "question": check.question,
                "confirms": check.confirms,
                "attested_for_days": check.attested_for.days,
                "open": obstacle is None,
                "obstacle": obstacle,
                "answered": row is not None and _counts(row, check, now),
                "last": row,
            }
        )
    return items


def happening(
    row: AttestationRow, what: str, summary: str, principal: Principal | None, now: datetime, **more: Any
) -> Happening:
    """Return what the history holds of a change of an attestation: all of it, as it is afterwards."""
    details = {"check": row.check_id, "state": plain_form(row), **{key: value for key, value in more.items() if value}}
    actor = principal.name if principal else ""
    if principal:
        details["roles"] = sorted(principal.roles)
    event_id = f"attestation/{row.id}/{what}"
    return Happening(row.entity_ref, f"attestation.{what}", event_id, now, summary, actor, details)


def _end(
    session: Session, row: AttestationRow, kind: str, reason: str, principal: Principal, now: datetime
) -> Done[AttestationRow]:
    if row.end_kind == kind and row.ended_by == principal.name:
        return Done(row)
    state = state_of(row, now)
    if state != "in_force":
        raise Conflict(f"Attestation {row.id} is {state} already and counts no longer; there is nothing to end.")
    row.ended_at, row.ended_by, row.end_kind, row.end_reason = now, principal.name, kind, reason
    session.flush()
    verb = "revoked" if kind == "revoked" else "overturned"
    summary = f"{principal.name} {verb} what {row.attested_by} attested of {row.check_id}: {reason}"
    return Done(row, (happening(row, kind, summary, principal, now),))


def _guard(
    session: Session, judging: Judging, service: Service, check: Check, principal: Principal, now: datetime
) -> None:
    faults = role_fault(session, service, principal, ATTESTERS, f"attest for {service.ref}")
    loaded = load(session, judging, [service.ref], now).subjects[service.ref]
    obstacle = why_not_attested(check, loaded[0], loaded[1], now)
    if obstacle:
        faults.append(Fault("check", obstacle))
        raise Conflict(f"No attestation is taken: {' '.join(fault.message for fault in faults)}", faults)
    if faults:
        raise NotAllowed(faults[0].message + ".", faults)


def _lacking_evidence(statement: str, settings: ExceptionSettings) -> str:
    """Say what a statement that a check holds lacks without a link to evidence; empty where its words do for one."""
    needed = settings.words_of_substance
    if needed is None:
        return "is required: a link to where the evidence lies, since no pass goes without"
    if len({word.casefold() for word in statement.split()}) >= needed:
        return ""
    return f"is required, or a statement of at least {needed} different words on what was seen, where and when"


def expiry(check: Check, answer: Answer, settings: ExceptionSettings, now: datetime) -> datetime:
    """Return when an attestation of `now` ends; raises InvalidInput on one out of bounds or without evidence."""
    faults = []
    if answer.holds and answer.evidence_url is None and (lacks := _lacking_evidence(answer.statement, settings)):
        faults.append(Fault("evidence_url", lacks))
    # A check that takes no attestation has no latest end either; the guard refuses it.
    latest = now + (check.attested_for or timedelta())
    expires_at = (answer.expires_at or latest).astimezone(UTC)
    if answer.expires_at is not None and expires_at <= now:
        faults.append(Fault("expires_at", "must lie in the future"))
    elif check.attested_for and expires_at > latest:
        message = f"{check.id} is attested for {check.attested_for.days} days at most: {format_time(latest)} or earlier"
        faults.append(Fault("expires_at", message))
    if faults:
        raise InvalidInput("The attestation has faults: " + "; ".join(str(fault) for fault in faults), faults)
    return expires_at


def _current(session: Session, ref: str, check_id: str) -> AttestationRow | None:
    row = AttestationRow
    return session.scalar(select(row).where(row.entity_ref == ref, row.check_id == check_id, row.ended_at.is_(None)))


def _repeated(
    session: Session,
    ref: str,
    answer: Answer,
    current: AttestationRow | None,
    principal: Principal,
    now: datetime,
) -> AttestationRow | None:
    """Return the attestation that this request made already: by its id, or the same words by the same person today."""
    if answer.id is not None:
        row = session.get(AttestationRow, answer.id)
        if row is not None and not (row.entity_ref == ref and _same(row, answer, principal)):
            raise Conflict(f"The id {answer.id} is taken by another attestation; leave it out, or make a new one.")
        return row
    if current is None or current.attested_at.date() != now.date() or state_of(current, now) != "in_force":
        return None
    return current if _same(current, answer, principal) else None


def _same(row: AttestationRow, answer: Answer, principal: Principal) -> bool:
    asked = (answer.check, answer.holds, answer.statement, answer.evidence_url, principal.name)
    given = (row.check_id, row.holds, row.statement, row.evidence_url, row.attested_by)
    return asked == given and answer.expires_at in (None, row.expires_at)


def _counts(row: AttestationRow, check: Check, now: datetime) -> bool:
    """An answer to an earlier version of the check answers another question."""
    return state_of(row, now) == "in_force" and row.check_version == check.version


def _last(session: Session, ref: str) -> dict[str, AttestationRow]:
    """Return the newest attestation of each check, in force or not."""
    row = AttestationRow
    found = session.scalars(select(row).where(row.entity_ref == ref).order_by(row.attested_at, row.id))
    return {one.check_id: one for one in found}
