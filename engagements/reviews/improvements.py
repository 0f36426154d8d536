"""Improvements: proposed, negotiated, agreed by both sides, done, and verified by the check that was failing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import records
from engagements.records import Change, Place
from engagements.reviews import findings, priority
from engagements.reviews.improvement_moves import CLOSED, Standing, Wish, obstacles
from engagements.reviews.models import Finding, Improvement
from engagements.reviews.priority import Grounds
from engagements.reviews.settings import ReviewSettings
from engagements.reviews.words import Effort, FindingSource, ReusableAs, Severity, Side, Urgency
from engagements.reviews.words import ImprovementState as State
from portal_backend.core.db import chunks
from portal_backend.core.errors import Conflict, Fault, InvalidInput, NotAllowed
from portal_backend.core.principal import Principal, Role
from scorecards.checks.definitions import Axis
from scorecards.judging import Judging
from scorecards.models import Scorecard

BOTH = (Role.DEV, Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)
VERIFIERS = (Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER)
SIGNED = (State.AGREED, State.REJECTED)
"""Moves that both sides sign."""

LONG_OVERDUE = timedelta(days=30)
DOERS = ("done_by", "done_side", "dev_reviewer")
"""What stands once an improvement is done: who verifies it depends on them."""

Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class NewImprovement:
    """An improvement that somebody proposes."""

    title: str
    axis: str | None = None
    description: str = ""
    findings: tuple[str, ...] = ()
    check: str | None = None
    severity: Severity | None = None
    urgency: Urgency | None = None
    effort: Effort = Effort.DAYS
    owner_dev: str | None = None
    owner_sre: str | None = None
    due_at: datetime | None = None
    blocking: bool = True
    id: str | None = None


@dataclass(frozen=True)
class Edit:
    """What is changed about an improvement; None leaves it as it is."""

    title: str | None = None
    description: str | None = None
    owner_dev: str | None = None
    owner_sre: str | None = None
    due_at: datetime | None = None
    effort: Effort | None = None
    urgency: Urgency | None = None
    negotiated_priority: float | None = None
    negotiated_reason: str | None = None
    done_by: str | None = None
    done_side: Side | None = None
    dev_reviewer: str | None = None
    review_load_hours: float | None = None
    reusable_as: ReusableAs | None = None
    reusable_link: str | None = None


@dataclass(frozen=True)
class Surroundings:
    """What the priority of a service's improvements rests on beside themselves."""

    settings: ReviewSettings
    judging: Judging
    dependents: int
    axis_percent: Mapping[str, float | None]


def surroundings(
    session: Session, judging: Judging, settings: ReviewSettings, ref: str, dependents: int
) -> Surroundings:
    """Return what the priorities of a service's improvements rest on."""
    row = session.get(Scorecard, ref)
    percent = {axis.value: getattr(row, f"{axis}_percent") if row else None for axis in Axis}
    return Surroundings(settings, judging, dependents, percent)


def propose(
    session: Session, around: Surroundings, place: Place, new: NewImprovement, principal: Principal, now: datetime
) -> Improvement:
    """Propose an improvement; the same one twice is one.

    Raises InvalidInput when its findings are another service's, there is no such check, or nothing says which axis it
    is of.
    """
    records.require_role(principal, "propose improvements", *BOTH)
    if new.check is not None and new.check not in around.judging.catalogue.checks:
        raise InvalidInput(f"There is no check {new.check}.", [Fault("check", "is no check of the catalogue")])
    content = {name: value for name, value in vars(new).items() if name != "id"}
    request = records.digest([content, place.engagement_id])
    improvement_id = records.identity(new.id, Improvement.__tablename__, place.entity_ref, request)
    known = records.known(session, Improvement, improvement_id, place, request)
    if known is not None:
        return known
    behind = _findings(session, place, new.findings)
    row = records.fresh(
        Improvement, improvement_id, place, request,
        title=new.title, description=new.description, axis=_axis(around, new, behind),
        findings=list(new.findings), check_id=new.check or next((f.check_id for f in behind if f.check_id), None),
        severity=_severity(new, behind), linked=False, blocking=new.blocking,
        urgency=new.urgency.value if new.urgency else None, effort=new.effort.value, priority=0.0, priority_terms=[],
        negotiated_priority=None, negotiated_reason="", state=State.PROPOSED.value, state_reason="", state_since=now,
        deferred_until=None, due_at=new.due_at, owner_dev=new.owner_dev, owner_sre=new.owner_sre, agreed_by={},
        rejected_by={}, done_by=None, done_side=None, done_at=None, dev_reviewer=None, verified_by=None,
        verification="", review_load_hours=0.0, reusable_as=ReusableAs.NONE.value, reusable_link="",
    )  # fmt: skip
    _set_priority(row, around, behind)
    summary = f"Improvement proposed (priority {row.priority:g}): {row.title}"
    records.write(session, [Change(row, "improvement.proposed", summary)], principal, now)
    return row


def edit(
    session: Session, around: Surroundings, row: Improvement, changes: Edit, principal: Principal, now: datetime
) -> Improvement:
    """Change what an improvement says, not its state; what says so already stays, and the priority is computed anew.

    A negotiated priority needs its reason, and both priorities are kept. Raises InvalidInput without it, Conflict when
    it would change who did what is done.
    """
    records.require_role(principal, "change improvements", *BOTH)
    wanted = {each.name: getattr(changes, each.name) for each in fields(changes)}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if "negotiated_priority" in wanted and not wanted.get("negotiated_reason"):
        message = "say why the negotiated priority is another than the computed one"
        raise InvalidInput(f"negotiated_reason: {message}", [Fault("negotiated_reason", message)])
    wanted = {name: value for name, value in wanted.items() if getattr(row, name) != value}
    if not wanted:
        return row
    _refuse_to_rewrite(row, wanted)
    for name, value in wanted.items():
        setattr(row, name, value)
    _set_priority(row, around, _findings(session, Place(row.entity_ref), row.findings))
    summary = f"Improvement changed ({', '.join(sorted(wanted))}): {row.title}"
    records.write(session, [Change(row, "improvement.changed", summary)], principal, now)
    return row


def move(
    session: Session, row: Improvement, wish: Wish, side: str | None, results: Results, principal: Principal,
    now: datetime,
) -> Improvement:  # fmt: skip
    """Move an improvement; one that is there already stays. To agree and to reject takes the word of both sides.

    Raises Conflict with everything that stands in the way, NotAllowed when only the role is missing.
    """
    if row.state == wish.to:
        return row
    administrator = Role.ADMINISTRATOR in principal.roles
    faults = obstacles(_standing(row, results), wish, principal.name, now, administrator)
    if faults:
        raise Conflict(
            f"The improvement cannot go from {row.state} to {wish.to}: " + " ".join(str(fault) for fault in faults),
            faults,
        )
    if wish.to in SIGNED:
        return _sign(session, row, wish, side, principal, now)
    by_hand = wish.to is State.VERIFIED and _judged_by(row, results) is None
    needed = VERIFIERS if by_hand else BOTH
    if not principal.has_role(*needed):
        raise NotAllowed(f"{principal.name} may not do this: it takes one of the roles {', '.join(needed)}.")
    return _enter(session, row, wish, results, principal, now)


def verify_by_checks(session: Session, refs: Sequence[str], now: datetime) -> list[str]:
    """Verify every done improvement of the services whose check passes now; return their ids."""
    verified = []
    for chunk in chunks(sorted(set(refs))):
        done = select(Improvement).where(
            Improvement.entity_ref.in_(chunk), Improvement.state == State.DONE, Improvement.check_id.is_not(None)
        )
        rows = list(session.scalars(done))
        if not rows:
            continue
        records.lock(session, *{row.entity_ref for row in rows})
        judged = select(Scorecard.entity_ref, Scorecard.statuses).where(Scorecard.entity_ref.in_(chunk))
        statuses: dict[str, Any] = {ref: found for ref, found in session.execute(judged)}  # noqa: C416 - rows
        for row in session.scalars(done):
            status = (statuses.get(row.entity_ref) or {}).get(row.check_id, [None])[0]
            if status in ("pass", "inherited"):
                results = {str(row.check_id): {"status": status, "sentence": "It passes."}}
                _enter(session, row, Wish(State.VERIFIED), results, records.PORTAL, now)
                verified.append(row.id)
    return verified


def overdue(session: Session, refs: Collection[str], now: datetime) -> dict[str, int]:
    """Return how many agreed improvements are overdue by more than 30 days, of each service that agreed on dates."""
    counts: dict[str, int] = {}
    for chunk in chunks(sorted(set(refs))):
        query = select(Improvement.entity_ref, Improvement.due_at).where(
            Improvement.entity_ref.in_(chunk),
            Improvement.due_at.is_not(None),
            Improvement.state.in_((State.AGREED, State.IN_PROGRESS)),
        )
        for ref, due_at in session.execute(query):
            late = due_at is not None and now - due_at > LONG_OVERDUE
            counts[ref] = counts.get(ref, 0) + late
    return counts


def of_engagement(session: Session, engagement_id: str) -> list[Improvement]:
    """Return the improvements of an engagement in the order of work."""
    return in_order(session.scalars(select(Improvement).where(Improvement.engagement_id == engagement_id)))


def in_order(rows: Any) -> list[Improvement]:
    """Return improvements in the order of work: urgent ones, then by what was negotiated or else computed."""
    return sorted(rows, key=lambda row: priority.rank(row.urgency, effective_priority(row), row.effort, row.id))


def effective_priority(row: Improvement) -> float:
    """Return the priority that counts: the negotiated one where there is one."""
    return row.priority if row.negotiated_priority is None else row.negotiated_priority


def is_open(row: Improvement) -> bool:
    """Say whether there is still something to do about an improvement."""
    return row.state not in CLOSED


def _refuse_to_rewrite(row: Improvement, wanted: Mapping[str, Any]) -> None:
    """Raise Conflict when a change would alter who did what is done: who may verify it depends on that."""
    settled = [name for name in DOERS if name in wanted]
    if settled and row.state in (State.DONE, State.VERIFIED):
        faults = [Fault(name, "take the improvement up again first (state in_progress)") for name in settled]
        raise Conflict(f"Who did it stands since it was done: {', '.join(settled)}.", faults)


def _findings(session: Session, place: Place, ids: Sequence[str]) -> list[Finding]:
    if not ids:
        return []
    rows = {row.id: row for row in session.scalars(select(Finding).where(Finding.id.in_(list(ids)[:500])))}
    faults = [
        Fault(f"findings[{i}]", f"{finding_id!r} is no finding of {place.entity_ref}")
        for i, finding_id in enumerate(ids)
        if finding_id not in rows or rows[finding_id].entity_ref != place.entity_ref
    ]
    if faults:
        raise InvalidInput("An improvement names findings of its own service.", faults)
    return [rows[finding_id] for finding_id in ids]


def _axis(around: Surroundings, new: NewImprovement, behind: Sequence[Finding]) -> str:
    check = around.judging.catalogue.checks.get(new.check or "")
    if check is not None:
        return check.axis.value
    axis = new.axis or (behind[0].axis if behind else None)
    if axis is None:
        raise InvalidInput(
            "An improvement has an axis.", [Fault("axis", "name it, or a check or a finding that has one")]
        )
    return axis


def _severity(new: NewImprovement, behind: Sequence[Finding]) -> str:
    if new.severity:
        return new.severity.value
    order = [severity.value for severity in Severity]
    return min((finding.severity for finding in behind), key=order.index, default=Severity.MINOR.value)


def _set_priority(row: Improvement, around: Surroundings, behind: Sequence[Finding]) -> None:
    check = around.judging.catalogue.checks.get(row.check_id or "")
    link = _link(row, check, behind)
    grounds = Grounds(
        severity=check.criticality.value if check else row.severity,
        check=row.check_id if check else None,
        linked_by=link,
        axis=row.axis,
        axis_percent=around.axis_percent.get(row.axis),
        dependents=around.dependents,
    )
    settings = around.settings
    row.linked = bool(link)
    row.priority, row.priority_terms = priority.compute(
        grounds, settings.priority_weights, settings.severity_values, settings.full_at_dependents
    )


def _link(row: Improvement, check: Any, behind: Sequence[Finding]) -> str:
    """Return the objective or the incident behind an improvement, in words; empty where there is none."""
    if row.urgency:
        return f"an incident, as its {row.urgency} follow-up"
    for finding in behind:
        if finding.source in (FindingSource.INCIDENT, FindingSource.DRILL):
            return f"the {finding.source} finding {finding.title!r}"
    objectives = [fact for fact in check.facts if fact.startswith("slo.")] if check else []
    return f"the objective behind {', '.join(objectives)}" if objectives else ""


def _judged_by(row: Improvement, results: Results) -> str | None:
    """Return the check that shows the improvement; None where none is linked, or the catalogue dropped it."""
    return row.check_id if row.check_id in results else None


def _standing(row: Improvement, results: Results) -> Standing:
    result = results.get(row.check_id or "", {})
    return Standing(
        State(row.state), row.owner_dev, row.owner_sre, _judged_by(row, results), result.get("status"),
        result.get("sentence", ""), row.done_by, row.done_side, row.dev_reviewer,
    )  # fmt: skip


def _sign(
    session: Session, row: Improvement, wish: Wish, side: str | None, principal: Principal, now: datetime
) -> Improvement:
    """Take the word of one side; with that of the other side the move is made."""
    signed_side = records.by_side(principal, side)
    column = "agreed_by" if wish.to is State.AGREED else "rejected_by"
    signatures = dict(getattr(row, column))
    if signatures.get(signed_side) == principal.name:
        return row
    records.refuse_both_sides(principal, signed_side, signatures)
    signatures[signed_side] = principal.name
    setattr(row, column, signatures)
    if len(signatures) == len(Side):
        return _enter(session, row, wish, {}, principal, now)
    row.state_reason = wish.reason or row.state_reason
    if row.state in (State.PROPOSED, State.DEFERRED):
        row.state, row.state_since = State.NEGOTIATING.value, now
    other = "sre" if signed_side == "dev" else "dev"
    summary = f"{principal.name} ({signed_side}) wants it {wish.to}; {other} has yet to say so: {row.title}"
    kind = "improvement.negotiating" if row.state == State.NEGOTIATING else "improvement.changed"
    records.write(session, [Change(row, kind, summary)], principal, now)
    return row


def _enter(
    session: Session, row: Improvement, wish: Wish, results: Results, actor: Principal | str, now: datetime
) -> Improvement:
    before = row.state
    row.state, row.state_since, row.state_reason = wish.to.value, now, wish.reason
    row.deferred_until = wish.until if wish.to is State.DEFERRED else None
    if wish.to is State.NEGOTIATING:
        row.agreed_by, row.rejected_by = {}, {}
        row.done_by, row.done_side, row.done_at, row.verified_by, row.verification = None, None, None, None, ""
    if wish.to is State.DONE:
        row.done_at = now
        if row.done_by is None:
            row.done_by = actor if isinstance(actor, str) else actor.name
    if wish.to is State.VERIFIED:
        _note_verification(row, wish, results, actor)
    summary = f"Improvement {before} -> {wish.to}: {row.title}"
    details = {"from": before, "to": wish.to.value, "reason": wish.reason}
    records.write(session, [Change(row, f"improvement.{wish.to}", summary, details=details)], actor, now)
    if wish.to is State.VERIFIED:
        findings.close_resolved(session, row.entity_ref, row.findings, actor, now)
    return row


def _note_verification(row: Improvement, wish: Wish, results: Results, actor: Principal | str) -> None:
    if _judged_by(row, results) is None:
        row.verified_by = actor if isinstance(actor, str) else actor.name
        row.verification = wish.evidence
        return
    result = results[str(row.check_id)]
    row.verified_by = row.check_id
    row.verification = str(result.get("sentence", ""))
