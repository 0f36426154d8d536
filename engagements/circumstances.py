"""Gathers what the guards of a tier move look at: catalog, history, facts and the support there is."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from catalog.models import RelationRow
from catalog.services import services
from engagements import own_facts, support
from engagements.lifecycle import engagements
from engagements.lifecycle.models import OnCallSplit
from engagements.lifecycle.terms import revisions
from engagements.models import HistoryEvent
from engagements.tiers import CONSULTATION_HOURS_PER_QUARTER, UNIFORM_CAPABILITIES, Circumstances
from plugins.health import health
from portal_backend.core.clock import parse_time
from portal_backend.core.errors import NotFound
from scorecards.evidence.view import EvidenceState, View
from scorecards.facts import readings
from scorecards.judging import Judging

CONFORMANCE_FACT = "fw.conformance.pass"
SUPPORTED_VERSION_FACT = "fw.version.supported"
CAPABILITY_FACTS = {name: f"fw.capability.{name}" for name in UNIFORM_CAPABILITIES}


def gather(
    session: Session,
    judging: Judging,
    ref: str,
    consented_by: str,
    now: datetime,
    advice_hours: float = CONSULTATION_HOURS_PER_QUARTER,
) -> Circumstances:
    """Return the circumstances of a request to move a service; raises NotFound when it is no service.

    `advice_hours` are the hours of advice that a team may have in a quarter.
    """
    found = services(session, judging.service_types, [ref])
    if not found:
        raise NotFound(f"{ref} is no service of the catalog.")
    service, evidence = found[0], support.current(session, [ref])[ref].evidence
    says = _framework_facts(session, judging, ref, now)
    revision = revisions.current(session, {ref: service.annotations.get(revisions.REVISION_ANNOTATION)})[ref]
    return Circumstances(
        lifecycle=service.lifecycle,
        owner=service.owner,
        dev_lead_consent=consented_by,
        consultation_hours_used=hours_used(session, service.owner, now) if service.owner else None,
        consultation_hours_per_quarter=advice_hours,
        major_revision=revision,
        prr_completed_on=_day(evidence.get("prr_completed_at")),
        prr_revision=evidence.get("prr_revision"),
        conformance_passed=says.get(CONFORMANCE_FACT),
        capabilities={name: says.get(fact) for name, fact in CAPABILITY_FACTS.items()},
        oncall_split_agreed=True if _split_recorded(session, ref) else None,
        framework_supported=says.get(SUPPORTED_VERSION_FACT),
        framework_engagement=_framework_engagement(session, ref),
    )


def quarter_of(moment: datetime) -> datetime:
    """Return the beginning of the calendar quarter in UTC that a moment lies in."""
    moment = moment.astimezone(UTC)
    return datetime(moment.year, 3 * ((moment.month - 1) // 3) + 1, 1, tzinfo=UTC)


def hours_used(session: Session, owner: str, now: datetime) -> float | None:
    """Return the hours of advice that a team's services had in the quarter of `now`; None when an event names none."""
    owned = select(RelationRow.target_ref).where(RelationRow.source_ref == owner, RelationRow.type == "ownerOf")
    query = select(HistoryEvent.details).where(
        HistoryEvent.kind == "consultation.held",
        HistoryEvent.occurred_at >= quarter_of(now),
        HistoryEvent.occurred_at < quarter_of(quarter_of(now) + timedelta(days=100)),
        HistoryEvent.entity_ref.in_(owned),
    )
    hours = [details.get("hours") for details in session.scalars(query)]
    if any(isinstance(spent, bool) or not isinstance(spent, int | float) for spent in hours):
        return None
    return float(sum(hours))


def _framework_engagement(session: Session, ref: str) -> str:
    return next((each.id for each in engagements.open_of(session, ref) if each.model == "framework"), "")


def _split_recorded(session: Session, ref: str) -> bool:
    if session.get(OnCallSplit, ref) is not None:
        return True
    query = exists().where(HistoryEvent.entity_ref == ref, HistoryEvent.kind == "oncall.split_changed")
    return bool(session.scalar(select(query)))


def fresh_value(session: Session, judging: Judging, ref: str, key: str, now: datetime) -> Any:
    """Return what fresh observations say of one fact; None when nobody knows."""
    return _fresh(session, judging, ref, (key,), now).get(key)


def _framework_facts(session: Session, judging: Judging, ref: str, now: datetime) -> Mapping[str, bool | None]:
    """Return what is known of the service's framework: what sources measure, else what people reported of it."""
    wanted = (CONFORMANCE_FACT, SUPPORTED_VERSION_FACT, *CAPABILITY_FACTS.values())
    reported: dict[str, bool | None] = {**own_facts.framework_of(session, [ref], now).get(ref, {})}
    for engagement in engagements.open_of(session, ref):
        reported |= (engagement.document.get("conformance") or {}).get("facts") or {}
    measured = _fresh(session, judging, ref, wanted, now)
    return {**reported, **{fact: bool(value) for fact, value in measured.items()}}


def _fresh(session: Session, judging: Judging, ref: str, keys: Sequence[str], now: datetime) -> dict[str, Any]:
    """Return the facts of which a fresh observation of another source is there; our own records are read themselves."""
    view = View(readings(session, [ref])[ref], judging.supply(health(session, now)), now)
    found = {key: view.get(key) for key in keys if key in judging.specs}
    return {
        key: evidence.value
        for key, evidence in found.items()
        if evidence.state is EvidenceState.FRESH and evidence.source != own_facts.SOURCE
    }


def _day(text: Any) -> date | None:
    return parse_time(text).date() if isinstance(text, str) else None
