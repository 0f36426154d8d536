"""From what was measured to the verdict that counts: inherited, attested or waived. Pure.

Evidence ranks measured, inherited, attested. What is measured stands: no attestation and no module outvotes a measured
fail (ruling 18 of the domain). A module answers where nothing is measured, an attestation only where no source supplies
the facts at all. What is still open then may be waived.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scorecards.checks.definitions import Check, Status
from scorecards.exceptions.in_force import Attestation, InForce, Inheritance, Waiver


class EvidenceKind(StrEnum):
    """What a verdict rests on, the strongest first."""

    MEASURED = "measured"
    INHERITED = "inherited"
    ATTESTED = "attested"


@dataclass(frozen=True)
class Settled:
    """The verdict that counts, and what people or modules had to do with it."""

    status: Status
    evidence: EvidenceKind | None
    """None where there is none: unknown, or not applicable."""
    waiver: Waiver | None = None
    attestation: Attestation | None = None
    inheritance: Inheritance | None = None

    def ends_at(self, check: Check) -> datetime | None:
        """Return when what it rests on besides measurements ends."""
        ends = [self.waiver.until] if self.waiver else []
        if self.attestation:
            ends.append(_attestation_end(check, self.attestation))
        if self.inheritance and self.inheritance.supported_until:
            ends.append(self.inheritance.supported_until)
        return min(ends, default=None)


MEASURED = {
    Status.PASS: Settled(Status.PASS, EvidenceKind.MEASURED),
    Status.FAIL: Settled(Status.FAIL, EvidenceKind.MEASURED),
    Status.UNKNOWN: Settled(Status.UNKNOWN, None),
    Status.NOT_APPLICABLE: Settled(Status.NOT_APPLICABLE, None),
}


def settle(check: Check, measured: Status, unsupplied: bool, given: InForce, now: datetime) -> Settled:
    """Return the verdict that counts, from the measured one; `unsupplied`: no source supplies what the check lacks."""
    settled = MEASURED[measured]
    if measured is Status.UNKNOWN:
        settled = _answered(check, unsupplied, given, now) or settled
    waiver = given.waivers.get(check.id)
    if waiver and waiver.until > now and settled.status in {Status.FAIL, Status.UNKNOWN}:
        return Settled(Status.WAIVED, settled.evidence, waiver, settled.attestation)
    return settled


def _answered(check: Check, unsupplied: bool, given: InForce, now: datetime) -> Settled | None:
    """Return what a module or a person says of a check on which nothing is measured."""
    inheritance = given.inherited.get(check.id)
    if inheritance and (inheritance.supported_until is None or inheritance.supported_until > now):
        return Settled(Status.INHERITED, EvidenceKind.INHERITED, inheritance=inheritance)
    attestation = given.attestations.get(check.id)
    if attestation and unsupplied and _counts(check, attestation, now):
        status = Status.PASS if attestation.holds else Status.FAIL
        return Settled(status, EvidenceKind.ATTESTED, attestation=attestation)
    return None


def _counts(check: Check, attestation: Attestation, now: datetime) -> bool:
    """An answer to an earlier version of the check answers another question."""
    if check.attested_for is None or attestation.check_version != check.version:
        return False
    return now < _attestation_end(check, attestation)


def _attestation_end(check: Check, attestation: Attestation) -> datetime:
    if check.attested_for is None:
        return attestation.expires_at
    return min(attestation.expires_at, attestation.attested_at + check.attested_for)
