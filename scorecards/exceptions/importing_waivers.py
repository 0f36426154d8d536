"""Takes over what was waived, or asked for, before this portal knew of it: all of it, or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal_backend.core.clock import format_time
from portal_backend.core.db import chunks
from portal_backend.core.errors import Fault
from portal_backend.core.principal import Principal
from scorecards.exceptions.importing import Report, raise_faults, repeated_in_file, unknown_faults
from scorecards.exceptions.models import WaiverRow
from scorecards.exceptions.people import is_same_person, require_role
from scorecards.exceptions.recording import Happening
from scorecards.exceptions.settings import ExceptionSettings
from scorecards.exceptions.waivers import APPROVERS, happening, state_of
from scorecards.judging import Judging
from scorecards.loading import load


@dataclass(frozen=True)
class ImportedWaiver:
    """What was waived, or asked for, and where the file says so."""

    place: str
    entity: str
    """The service, a whole reference."""
    check: str
    reason: str
    compensating_control: str
    until: datetime
    requested_by: str
    requested_at: datetime | None = None
    """None: when it was approved, or else now."""
    approved_by: str | None = None
    """None: a request that waits for somebody to decide."""
    approved_at: datetime | None = None


def take_waivers(
    session: Session,
    judging: Judging,
    settings: ExceptionSettings,
    entries: Sequence[ImportedWaiver],
    principal: Principal,
    now: datetime,
) -> Report:
    """Keep waivers under the names of who asked for and who approved them; the same again changes nothing.

    Raises NotAllowed unless the principal may approve waivers, and InvalidInput with what is wrong with each entry, of
    all entries; then nothing is kept.
    """
    require_role(principal, APPROVERS, "import waivers")
    report, faults = Report(), repeated_in_file(entries)
    for few in chunks(sorted({entry.entity for entry in entries})):
        services = load(session, judging, few, now).subjects
        known = _known(session, few)
        for entry in [entry for entry in entries if entry.entity in few]:
            name = f"{entry.entity} {entry.check}"
            before = known.get((entry.entity, entry.check), [])
            if any(_is_same(row, entry) for row in before):
                report.unchanged.append(name)
                continue
            found = unknown_faults(judging.catalogue, services, entry.entity, entry.check)
            found += [
                *_people_faults(entry),
                *_time_faults(entry, settings, now),
                *_standing_faults(before, entry, now),
            ]
            faults += [Fault(f"{entry.place}.{fault.path}", fault.message) for fault in found]
            if not faults:
                report.happenings.append(_keep(session, entry, principal, now))
                report.recorded.append(name)
    raise_faults(faults)
    return report


def _known(session: Session, refs: Sequence[str]) -> Mapping[tuple[str, str], list[WaiverRow]]:
    """Return the waivers of services, by service and check."""
    found: dict[tuple[str, str], list[WaiverRow]] = {}
    for row in session.scalars(select(WaiverRow).where(WaiverRow.entity_ref.in_(refs)).order_by(WaiverRow.id)):
        found.setdefault((row.entity_ref, row.check_id), []).append(row)
    return found


def _is_same(row: WaiverRow, entry: ImportedWaiver) -> bool:
    """Say whether an entry was taken before, whatever became of it since: a request may have been decided on."""
    said = (entry.reason, entry.compensating_control, entry.requested_by)
    kept = (row.reason, row.compensating_control, row.requested_by)
    if entry.approved_by is None:
        return said == kept and (row.until == entry.until or row.state != "requested")
    approved = (entry.until, entry.approved_by, entry.approved_at)
    return said == kept and approved == (row.until, row.decided_by, row.decided_at)


def _people_faults(entry: ImportedWaiver) -> list[Fault]:
    if (entry.approved_by is None) != (entry.approved_at is None):
        lacking, given = ("approved_at", "approved_by") if entry.approved_by else ("approved_by", "approved_at")
        return [Fault(lacking, f"is required beside {given}; leave both out where nobody has decided yet")]
    if entry.approved_by and is_same_person(entry.approved_by, entry.requested_by):
        return [
            Fault("approved_by", f"{entry.requested_by} asked for it; a waiver takes a second person to approve it")
        ]
    return []


def _time_faults(entry: ImportedWaiver, settings: ExceptionSettings, now: datetime) -> list[Fault]:
    faults = [
        Fault(name, "must not lie in the future: what has happened is imported")
        for name, moment in (("requested_at", entry.requested_at), ("approved_at", entry.approved_at))
        if moment and moment > now
    ]
    if entry.requested_at and entry.approved_at and entry.requested_at > entry.approved_at:
        faults.append(Fault("requested_at", "lies after approved_at"))
    begins = entry.approved_at or now
    latest = begins + settings.longest_waiver
    if entry.until <= now:
        faults.append(Fault("until", f"it ended on {entry.until:%Y-%m-%d} and counts no longer; leave it out"))
    elif entry.until > latest:
        days = settings.longest_waiver.days
        told = f"a waiver lasts {days} days at most from its approval: {format_time(latest)} or earlier"
        faults.append(Fault("until", told))
    return faults


def _standing_faults(before: Sequence[WaiverRow], entry: ImportedWaiver, now: datetime) -> list[Fault]:
    """Return what stands in the way: of a check of a service one waiver is in force, and one request waits."""
    faults = []
    for row in before:
        state = state_of(row, now)
        if state == "approved":
            told = f"one is in force until {format_time(row.until)} ({row.id}); leave this one out, or end that first"
            faults.append(Fault("check", told))
        elif state == "requested" and entry.approved_by is None:
            told = f"{row.requested_by} asked for one already ({row.id}); have that decided or withdrawn first"
            faults.append(Fault("check", told))
    return faults


def _keep(session: Session, entry: ImportedWaiver, principal: Principal, now: datetime) -> Happening:
    row = WaiverRow(
        id=str(uuid4()),
        entity_ref=entry.entity,
        check_id=entry.check,
        reason=entry.reason,
        compensating_control=entry.compensating_control,
        until=entry.until.astimezone(UTC),
        state="approved" if entry.approved_by else "requested",
        requested_by=entry.requested_by,
        requested_at=entry.requested_at or entry.approved_at or now,
        decided_by=entry.approved_by,
        decided_at=entry.approved_at,
    )
    session.add(row)
    session.flush()
    did = f"{row.requested_by} asks to waive"
    if entry.approved_at:
        did = f"{row.decided_by} waived on {entry.approved_at:%Y-%m-%d}"
    summary = (
        f"{principal.name} imported that {did} {row.check_id} until {row.until:%Y-%m-%d}: {row.reason.rstrip('. ')}. "
        f"Meanwhile: {row.compensating_control}"
    )
    what = "granted" if entry.approved_by else "requested"
    return happening(row, what, summary, principal, now, imported=True)
