"""Findings: the defects of a service, and what becomes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import records
from engagements.records import Change, Place
from engagements.reviews.models import Finding, Improvement
from engagements.reviews.words import FindingSource, FindingState, ImprovementState, Severity
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotAllowed
from portal_backend.core.pagination import DEFAULT_LIMIT, Page
from portal_backend.core.principal import Principal, Role

PASSING = ("pass", "inherited", "not_applicable")
FINDERS = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.DEV, Role.DEV_LEAD, Role.LAUNCH_COORDINATOR)
REVIEWERS = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)


@dataclass(frozen=True)
class NewFinding:
    """A defect that somebody found."""

    title: str
    axis: str
    source: FindingSource
    severity: Severity
    description: str = ""
    pattern: str | None = None
    item: str | None = None
    check: str | None = None
    evidence: tuple[str, ...] = ()
    id: str | None = None


@dataclass(frozen=True)
class FindingFilter:
    """Which findings to list; an empty field lets every one pass."""

    services: Sequence[str] = ()
    engagement: str | None = None
    states: Sequence[str] = ()
    axes: Sequence[str] = ()
    patterns: Sequence[str] = ()
    severities: Sequence[str] = ()


def open_finding(session: Session, place: Place, new: NewFinding, principal: Principal, now: datetime) -> Finding:
    """Record a finding; the same one twice is one. Raises InvalidInput when a check found it that it does not name."""
    records.require_role(principal, "record findings", *FINDERS)
    if new.source is FindingSource.CHECK and new.check is None:
        remedy = "name the check that shows it, or say another `source`: of an item that a person answered, `design`"
        raise InvalidInput("A finding of the source `check` names the check.", [Fault("check", remedy)])
    content = {key: value for key, value in vars(new).items() if key != "id"}
    request = records.digest([content, place.engagement_id])
    finding_id = records.identity(new.id, Finding.__tablename__, place.entity_ref, place.engagement_id, content)
    known = records.known(session, Finding, finding_id, place, request)
    if known is not None:
        return known
    row = records.fresh(
        Finding, finding_id, place, request,
        title=new.title, description=new.description, source=new.source.value, axis=new.axis,
        severity=new.severity.value, pattern=new.pattern, item=new.item, check_id=new.check,
        evidence=list(new.evidence), state=FindingState.OPEN.value, state_reason="", closed_at=None,
    )  # fmt: skip
    summary = f"Found ({new.severity}, {new.axis}): {new.title}"
    records.write(session, [Change(row, "finding.opened", summary)], principal, now)
    return row


def move(
    session: Session,
    finding: Finding,
    to: FindingState,
    reason: str,
    evidence: Sequence[str],
    check_status: str | None,
    principal: Principal,
    now: datetime,
) -> Finding:
    """Resolve a finding, accept its risk, or open it again; a finding in that state stays as it is.

    A finding that a check shows is resolved by that check alone. A blocker cannot be accepted: it bars SRE support.
    Raises NotAllowed and Conflict with what stands in the way.
    """
    if finding.state == to:
        return finding
    faults = _move_faults(finding, to, reason, evidence, check_status)
    needed = (Role.SRE_LEAD, Role.SRE_MANAGER) if to is FindingState.ACCEPTED else REVIEWERS
    if faults:
        raise Conflict(f"The finding cannot become {to}: " + " ".join(fault.message for fault in faults), faults)
    if not principal.has_role(*needed):
        names = ", ".join(needed)
        raise NotAllowed(f"{principal.name} may not do this: it takes one of the roles {names}.")
    return _moved(session, finding, to, reason, evidence, principal, now)


def close_resolved(
    session: Session, ref: str, finding_ids: Sequence[str], actor: Principal | str, now: datetime
) -> None:
    """Resolve the open findings of which every improvement is verified."""
    rows = session.scalars(
        select(Finding).where(Finding.id.in_(list(finding_ids)[:500]), Finding.state == FindingState.OPEN)
    )
    improvements = list(session.scalars(select(Improvement).where(Improvement.entity_ref == ref)))
    for finding in list(rows):
        behind = [each.state for each in improvements if finding.id in each.findings]
        if behind and all(state in (ImprovementState.VERIFIED, ImprovementState.REJECTED) for state in behind):
            _moved(session, finding, FindingState.RESOLVED, "Its improvements are verified.", (), actor, now)


def list_findings(
    session: Session, wanted: FindingFilter, cursor: str | None = None, limit: int = DEFAULT_LIMIT
) -> Page[Finding]:
    """Return a page of findings, newest first."""
    query = select(Finding)
    columns = {
        Finding.entity_ref: wanted.services, Finding.state: wanted.states, Finding.axis: wanted.axes,
        Finding.pattern: wanted.patterns, Finding.severity: wanted.severities,
        Finding.engagement_id: (wanted.engagement,) if wanted.engagement else (),
    }  # fmt: skip
    for column, values in columns.items():
        if values:
            query = query.where(column.in_(list(values)))
    return records.page(session, Finding, query, cursor, limit)


def open_blockers(session: Session, ref: str) -> list[Finding]:
    """Return the open findings of a service that bar SRE support."""
    query = select(Finding).where(
        Finding.entity_ref == ref, Finding.state == FindingState.OPEN, Finding.severity == Severity.BLOCKER
    )
    return list(session.scalars(query.order_by(Finding.created_at, Finding.id)))


def _move_faults(
    finding: Finding, to: FindingState, reason: str, evidence: Sequence[str], check_status: str | None
) -> list[Fault]:
    faults = []
    if not reason:
        faults.append(Fault("reason", "Say why."))
    if to is FindingState.ACCEPTED and finding.severity == Severity.BLOCKER:
        faults.append(Fault("severity", "A blocker bars SRE support and is no risk to accept: mend it."))
    if to is FindingState.RESOLVED and check_status is not None and check_status not in PASSING:
        text = f"The check {finding.check_id} is {check_status}; resolve the finding once it passes."
        faults.append(Fault("check", text))
    if to is FindingState.RESOLVED and check_status is None and not evidence:
        faults.append(Fault("evidence", "No check shows it: name the evidence that it is gone."))
    return faults


def _moved(
    session: Session, finding: Finding, to: FindingState, reason: str, evidence: Sequence[str],
    actor: Principal | str, now: datetime,
) -> Finding:  # fmt: skip
    finding.state, finding.state_reason = to.value, reason
    finding.evidence = [*finding.evidence, *(url for url in evidence if url not in finding.evidence)]
    finding.closed_at = None if to is FindingState.OPEN else now
    kind = "finding.opened" if to is FindingState.OPEN else "finding.closed"
    records.write(session, [Change(finding, kind, f"Finding {to}: {finding.title} ({reason})")], actor, now)
    return finding
