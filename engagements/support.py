"""Which support each service has: read, moved by people, adopted from what held before, rebuilt from the history.

The table is a projection: every change is an event `tier.changed` that carries the whole state after it, and both are
written together under the lock of the service's history.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.models import Entity
from engagements import history
from engagements.models import HistoryEvent, Support
from engagements.tiers import Cause, Circumstances, Decision, Tier, judge_move
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import chunks, upsert
from portal_backend.core.errors import Conflict, Fault, NotAllowed, PreconditionFailed
from portal_backend.core.principal import Principal, Role

PORTAL, IMPORT = history.PORTAL, "import"
MAX_REASON_LENGTH = 2000


@dataclass(frozen=True)
class SupportState:
    """The support of one service. Version 0 is a service that nobody moved yet: it has the documentation tier."""

    entity_ref: str
    tier: Tier = Tier.DOCUMENTATION
    since: datetime | None = None
    """When the support in this tier began; None where nobody moved the service: then it is its registration."""
    engagement_model: str | None = None
    phase: str | None = None
    usage_forecast_rps: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    origin: str = PORTAL
    import_hash: str | None = None
    version: int = 0


@dataclass(frozen=True)
class SupportRecord:
    """What an organisation says that held before the portal knew of it: one entry of an import file."""

    entity_ref: str
    tier: Tier
    since: datetime
    decided_by: str
    engagement_model: str | None = None
    phase: str | None = None
    usage_forecast_rps: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def digest(self) -> str:
        """Return the digest of the content: the same record, however often it is imported, has the same."""
        plain = {**asdict(self), "since": format_time(self.since)}
        return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass
class AdoptReport:
    """What became of the records of an import, by entity reference."""

    recorded: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[Fault] = field(default_factory=list)


def current(session: Session, refs: Iterable[str]) -> dict[str, SupportState]:
    """Return the support of each of the services."""
    states = {ref: SupportState(ref) for ref in refs}
    for chunk in chunks(states):
        for row in session.scalars(select(Support).where(Support.entity_ref.in_(chunk))):
            states[row.entity_ref] = _state_of(row)
    return states


def read(session: Session, ref: str) -> SupportState:
    """Return the support of a service; one that nobody moved yet has it since its registration, where that is known."""
    state = current(session, [ref])[ref]
    if state.version:
        return state
    registered = select(func.max(HistoryEvent.occurred_at)).where(
        HistoryEvent.entity_ref == ref, HistoryEvent.kind == "service.registered"
    )
    return replace(state, since=session.scalar(registered))


def moved(session: Session) -> dict[str, SupportState]:
    """Return the support of every service whose tier ever changed; all others have what SupportState begins with."""
    return {row.entity_ref: _state_of(row) for row in session.scalars(select(Support))}


def move(
    session: Session,
    ref: str,
    wanted: Tier,
    reason: str,
    principal: Principal,
    circumstances: Circumstances,
    now: datetime,
    if_match: int | None = None,
    terms: Mapping[str, Any] | None = None,
) -> SupportState:
    """Move a service to another tier and return its support. A service that is there already stays as it is.

    `if_match` is the version that the caller saw, where it names one. `terms` are what an engagement that brings the
    move about says of the support (`evidence`, `usage_forecast_rps` …); they are renewed where the tier stays. Raises
    PreconditionFailed when the support changed since, NotAllowed when the principal lacks the role and Conflict when
    any other guard fails; both name every guard that fails, and how to meet it.
    """
    history.lock(session, [ref])
    before = current(session, [ref])[ref]
    if if_match is not None and if_match != before.version:
        raise PreconditionFailed(
            f"The support of {ref} is at version {before.version} now, not {if_match}; read it again and decide anew."
        )
    decision = judge_move(before.tier, wanted, principal, circumstances)
    if not decision.allowed:
        raise _refusal(ref, decision)
    if not decision.changes:
        return _renewed(session, before, terms or {}, reason, principal, now)
    model, phase = _engagement_after(before, wanted, circumstances.cause)
    after = replace(
        before,
        tier=wanted,
        since=now,
        engagement_model=model,
        phase=phase,
        reason=reason,
        origin=PORTAL,
        version=before.version + 1,
    )
    after = replace(after, **(terms or {}))
    more = {"cause": circumstances.cause.value, "consented_by": circumstances.dev_lead_consent}
    _write(session, [(before, after, more)], principal, now)
    return after


def adopt(session: Session, records: Sequence[SupportRecord], actor: Principal, now: datetime) -> AdoptReport:
    """Record the support that held before the portal knew of it.

    The same record is taken once. A record is refused when its entity is not in the catalog, or when people moved the
    service here meanwhile: what they decided stands. Raises NotAllowed unless an SRE manager or an administrator asks.
    """
    if not actor.has_role(Role.SRE_MANAGER):
        raise NotAllowed(f"{actor.name} may not import support tiers: it takes the role {Role.SRE_MANAGER}.")
    report = AdoptReport()
    refs = sorted({record.entity_ref for record in records})
    history.lock(session, refs)
    states, registered = current(session, refs), _in_catalog(session, refs)
    changes = []
    for record in records:
        before, digest = states[record.entity_ref], record.digest()
        fault = _import_fault(record, before, registered)
        if before.import_hash == digest:
            report.unchanged.append(record.entity_ref)
        elif fault:
            report.refused.append(Fault(record.entity_ref, fault))
        else:
            changes.append((before, _adopted(record, before, digest), {"decided_by": record.decided_by}))
            report.recorded.append(record.entity_ref)
    _write(session, changes, actor, now)
    return report


def _renewed(
    session: Session, before: SupportState, terms: Mapping[str, Any], reason: str, principal: Principal, now: datetime
) -> SupportState:
    """Write other terms of the same tier; the same terms change nothing."""
    if all(getattr(before, name) == value for name, value in terms.items()):
        return before
    after = replace(
        before,
        since=before.since or now,
        reason=reason,
        origin=PORTAL,
        version=before.version + 1,
        **terms,
    )
    _write(session, [(before, after, {"cause": "terms"})], principal, now)
    return after


def _refusal(ref: str, decision: Decision) -> NotAllowed | Conflict:
    faults = [Fault(each.guard, f"{each.message} {each.remedy}") for each in decision.obstacles]
    message = f"{ref} cannot be moved from {decision.current} to {decision.wanted}: " + " ".join(
        each.message for each in decision.obstacles
    )
    return NotAllowed(message, faults) if decision.only_role_missing else Conflict(message, faults)


def _engagement_after(before: SupportState, wanted: Tier, cause: Cause) -> tuple[str | None, str | None]:
    """Return the engagement's model and phase after a move: which of them the move itself completes."""
    if cause is Cause.ONBOARDED:
        return before.engagement_model, "active"
    if wanted is Tier.PLATFORM:
        return "framework", "platform_active"
    if cause is Cause.DISENGAGED:
        return before.engagement_model, "disengaged"
    if before.tier is Tier.PLATFORM and before.engagement_model == "framework":
        return None, None
    return before.engagement_model, before.phase


def _in_catalog(session: Session, refs: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for chunk in chunks(refs):
        found.update(session.scalars(select(Entity.ref).where(Entity.ref.in_(chunk))))
    return found


def _import_fault(record: SupportRecord, before: SupportState, registered: set[str]) -> str:
    if record.entity_ref not in registered:
        return "is not in the catalog; register it (`portal catalog add`) and import again"
    if before.version and before.origin == PORTAL:
        return (
            f"was moved to {before.tier} here, and what people decided stands; move it with `portal engagements move`, "
            "or take it out of the file"
        )
    return ""


def _adopted(record: SupportRecord, before: SupportState, digest: str) -> SupportState:
    return SupportState(
        entity_ref=record.entity_ref,
        tier=record.tier,
        since=record.since,
        engagement_model=record.engagement_model,
        phase=record.phase,
        usage_forecast_rps=record.usage_forecast_rps,
        evidence=record.evidence,
        reason=record.reason,
        origin=IMPORT,
        import_hash=digest,
        version=before.version + 1,
    )


def _write(
    session: Session,
    changes: Sequence[tuple[SupportState, SupportState, Mapping[str, Any]]],
    actor: Principal,
    now: datetime,
) -> None:
    """Write each change (before, after, what else the event tells) to the history and to the table."""
    events = [
        history.NewEvent(
            entity_ref=after.entity_ref,
            kind="tier.changed",
            occurred_at=after.since or now,
            source=after.origin,
            source_event_id=f"tier/{after.entity_ref}/{after.version}",
            summary=_summary(before, after),
            actor=actor.name,
            details={**more, "from": before.tier.value, "roles": sorted(actor.roles), "state": _plain(after)},
        )
        for before, after, more in changes
    ]
    history.record(session, events, now)
    upsert(session, Support, [row_of(after) for _, after, _ in changes], ["entity_ref"])
    session.expire_all()


def _summary(before: SupportState, after: SupportState) -> str:
    if after.origin == IMPORT:
        return f"Support recorded from before this portal: {after.tier}."
    if before.tier is after.tier:
        return f"The terms of the support ({after.tier}) changed: {after.reason}"
    return f"Support moved from {before.tier} to {after.tier}: {after.reason}"


def row_of(state: SupportState) -> dict[str, Any]:
    """Return a support as the table holds it."""
    return {**asdict(state), "tier": state.tier.value, "evidence": dict(state.evidence)}


def _plain(state: SupportState) -> dict[str, Any]:
    return {**row_of(state), "since": state.since and format_time(state.since)}


def state_in(ref: str, details: Mapping[str, Any]) -> SupportState:
    """Return the support that the details of a `tier.changed` event tell."""
    state = details["state"]
    since = state["since"] and parse_time(state["since"])
    return SupportState(**{**state, "entity_ref": ref, "tier": Tier(state["tier"]), "since": since})


def _state_of(row: Support) -> SupportState:
    return SupportState(
        entity_ref=row.entity_ref,
        tier=Tier(row.tier),
        since=row.since,
        engagement_model=row.engagement_model,
        phase=row.phase,
        usage_forecast_rps=row.usage_forecast_rps,
        evidence=row.evidence,
        reason=row.reason,
        origin=row.origin,
        import_hash=row.import_hash,
        version=row.version,
    )
