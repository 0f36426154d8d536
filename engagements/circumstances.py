"""Gathers what the guards of a tier move look at: catalog, history, facts and the support there is."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from catalog.models import RelationRow
from catalog.services import services
from engagements import support
from engagements.models import HistoryEvent
from engagements.tiers import UNIFORM_CAPABILITIES, Circumstances
from plugins.health import health
from portal_backend.core.clock import parse_time
from portal_backend.core.errors import NotFound
from scorecards.evidence.view import EvidenceState, View
from scorecards.facts import readings
from scorecards.judging import Judging

REVISION_ANNOTATION = "sre.portal/revision"
CONFORMANCE_FACT = "fw.conformance.pass"
SUPPORTED_VERSION_FACT = "fw.version.supported"
CAPABILITY_FACTS = {name: f"fw.capability.{name}" for name in UNIFORM_CAPABILITIES}


def gather(session: Session, judging: Judging, ref: str, consented_by: str, now: datetime) -> Circumstances:
    """Return the circumstances of a request to move a service; raises NotFound when it is no service."""
    found = services(session, judging.service_types, [ref])
    if not found:
        raise NotFound(f"{ref} is no service of the catalog.")
    service, evidence = found[0], support.current(session, [ref])[ref].evidence
    says = _framework_facts(session, judging, ref, now)
    return Circumstances(
        lifecycle=service.lifecycle,
        owner=service.owner,
        dev_lead_consent=consented_by,
        consultation_hours_used=_hours_used(session, service.owner, now) if service.owner else None,
        major_revision=service.annotations.get(REVISION_ANNOTATION),
        prr_completed_on=_day(evidence.get("prr_completed_at")),
        prr_revision=evidence.get("prr_revision"),
        conformance_passed=says.get(CONFORMANCE_FACT),
        capabilities={name: says.get(fact) for name, fact in CAPABILITY_FACTS.items()},
        oncall_split_agreed=True if _split_recorded(session, ref) else None,
        framework_supported=says.get(SUPPORTED_VERSION_FACT),
    )


def quarter_of(moment: datetime) -> datetime:
    """Return the beginning of the calendar quarter in UTC that a moment lies in."""
    moment = moment.astimezone(UTC)
    return datetime(moment.year, 3 * ((moment.month - 1) // 3) + 1, 1, tzinfo=UTC)


def _hours_used(session: Session, owner: str, now: datetime) -> float | None:
    """Return the hours of advice that all services of a team had in this quarter; None when an event names none."""
    owned = select(RelationRow.source_ref).where(RelationRow.target_ref == owner, RelationRow.type == "ownedBy")
    query = select(HistoryEvent.details).where(
        HistoryEvent.kind == "consultation.held",
        HistoryEvent.occurred_at >= quarter_of(now),
        HistoryEvent.entity_ref.in_(owned),
    )
    hours = [details.get("hours") for details in session.scalars(query)]
    if any(isinstance(spent, bool) or not isinstance(spent, int | float) for spent in hours):
        return None
    return float(sum(hours))


def _split_recorded(session: Session, ref: str) -> bool:
    query = exists().where(HistoryEvent.entity_ref == ref, HistoryEvent.kind == "oncall.split_changed")
    return bool(session.scalar(select(query)))


def _framework_facts(session: Session, judging: Judging, ref: str, now: datetime) -> Mapping[str, bool | None]:
    """Return what fresh observations say of the service's framework; facts that no connector declares are left out."""
    view = View(readings(session, [ref])[ref], judging.supply(health(session, now)), now)
    wanted = (CONFORMANCE_FACT, SUPPORTED_VERSION_FACT, *CAPABILITY_FACTS.values())
    found = {fact: view.get(fact) for fact in wanted if fact in judging.specs}
    return {
        fact: bool(evidence.value) if evidence.state is EvidenceState.FRESH else None
        for fact, evidence in found.items()
    }


def _day(text: Any) -> date | None:
    return parse_time(text).date() if isinstance(text, str) else None
