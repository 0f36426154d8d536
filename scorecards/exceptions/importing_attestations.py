"""Takes over what people attested before this portal knew of it: all of it, or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal_backend.core.db import chunks
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.principal import Principal
from scorecards.assessment.portions import Loaded
from scorecards.checks.definitions import Check
from scorecards.exceptions.attestations import (
    ATTESTERS,
    Answer,
    Vouched,
    expiry,
    happening,
    keep,
    state_of,
)
from scorecards.exceptions.importing import Report, raise_faults, repeated_in_file, unknown_faults
from scorecards.exceptions.measured import why_not_attested
from scorecards.exceptions.models import AttestationRow
from scorecards.exceptions.people import require_role
from scorecards.exceptions.recording import Happening
from scorecards.exceptions.settings import ExceptionSettings
from scorecards.judging import Judging
from scorecards.loading import load


@dataclass(frozen=True)
class ImportedAttestation:
    """What somebody attested, and where the file says so."""

    place: str
    entity: str
    """The service, a whole reference."""
    check: str
    holds: bool
    statement: str
    evidence_url: str | None
    attested_by: str
    attested_at: datetime
    expires_at: datetime | None
    """None: as late as the check allows."""

    @property
    def answer(self) -> Answer:
        """The same as a request would say it."""
        return Answer(self.check, self.holds, self.statement, self.evidence_url, self.expires_at)


def take_attestations(
    session: Session,
    judging: Judging,
    settings: ExceptionSettings,
    entries: Sequence[ImportedAttestation],
    principal: Principal,
    now: datetime,
) -> Report:
    """Keep attestations as they were given, each under the name of who gave it; the same again changes nothing.

    Raises NotAllowed unless the principal may attest, and InvalidInput with what is wrong with each entry, of all
    entries; then nothing is kept.
    """
    require_role(principal, ATTESTERS, "import attestations")
    report, faults = Report(), repeated_in_file(entries)
    for few in chunks(sorted({entry.entity for entry in entries})):
        loaded = load(session, judging, few, now)
        known = _known(session, few)
        for entry in [entry for entry in entries if entry.entity in few]:
            name = f"{entry.entity} {entry.check}"
            before = known.get((entry.entity, entry.check), [])
            if any(_is_same(row, entry) for row in before):
                report.unchanged.append(name)
                continue
            found = _faults(judging, settings, loaded, before, entry, now)
            faults += [Fault(f"{entry.place}.{fault.path}", fault.message) for fault in found]
            if not faults:
                check = judging.catalogue.checks[entry.check]
                report.happenings.append(_keep(session, check, settings, before, entry, principal, now))
                report.recorded.append(name)
    raise_faults(faults)
    return report


def _known(session: Session, refs: Sequence[str]) -> Mapping[tuple[str, str], list[AttestationRow]]:
    """Return what was attested of services, by service and check, the latest first."""
    row = AttestationRow
    query = select(row).where(row.entity_ref.in_(refs)).order_by(row.attested_at.desc(), row.id)
    found: dict[tuple[str, str], list[AttestationRow]] = {}
    for one in session.scalars(query):
        found.setdefault((one.entity_ref, one.check_id), []).append(one)
    return found


def _is_same(row: AttestationRow, entry: ImportedAttestation) -> bool:
    said = (entry.holds, entry.statement, entry.evidence_url, entry.attested_by, entry.attested_at)
    kept = (row.holds, row.statement, row.evidence_url, row.attested_by, row.attested_at)
    return said == kept and entry.expires_at in (None, row.expires_at)


def _faults(
    judging: Judging,
    settings: ExceptionSettings,
    loaded: Loaded,
    before: Sequence[AttestationRow],
    entry: ImportedAttestation,
    now: datetime,
) -> list[Fault]:
    """Return all that keeps an entry from being taken."""
    check = judging.catalogue.checks.get(entry.check)
    service = loaded.subjects.get(entry.entity)
    faults = unknown_faults(judging.catalogue, loaded.subjects, entry.entity, entry.check)
    if entry.attested_at > now:
        faults.append(Fault("attested_at", "must not lie in the future: what was attested is imported"))
    newer = [row for row in before if state_of(row, now) == "in_force" and row.attested_at >= entry.attested_at]
    faults += [
        Fault("attested_at", f"{row.attested_by} answered it on {row.attested_at:%Y-%m-%d}, which stands; leave it out")
        for row in newer
    ]
    if check is None or faults:
        return faults
    if service and (obstacle := why_not_attested(check, *service, now)):
        return [Fault("check", obstacle)]
    return _time_faults(check, settings, entry, now)


def _time_faults(check: Check, settings: ExceptionSettings, entry: ImportedAttestation, now: datetime) -> list[Fault]:
    try:
        end = expiry(check, entry.answer, settings, entry.attested_at)
    except InvalidInput as error:
        return list(error.faults)
    if end <= now:
        return [Fault("attested_at", f"it ended on {end:%Y-%m-%d} and answers no longer; leave it out, or attest anew")]
    return []


def _keep(
    session: Session,
    check: Check,
    settings: ExceptionSettings,
    before: Sequence[AttestationRow],
    entry: ImportedAttestation,
    principal: Principal,
    now: datetime,
) -> Happening:
    current = next((row for row in before if row.ended_at is None), None)
    end = expiry(check, entry.answer, settings, entry.attested_at)
    vouched = Vouched(entry.attested_by, entry.attested_at, end)
    row = keep(session, entry.entity, check, entry.answer, vouched, current, principal, now)
    says = "is so" if row.holds else "is not so"
    summary = (
        f"{principal.name} imported what {row.attested_by} attested on {row.attested_at:%Y-%m-%d}: {check.id} {says}, "
        f"until {row.expires_at:%Y-%m-%d}: {row.statement}"
    )
    supersedes = current.id if current else None
    return happening(row, "given", summary, principal, now, supersedes=supersedes, imported=True)
