"""Services that are being built and are worth SRE's early engagement (SRE book, chapter 32), with what speaks for each.

Rules raise candidates; to engage stays a decision of people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.format.refs import BadReference, parse_ref
from catalog.models import RelationRow
from catalog.services import PREFIX, Service, services
from engagements.lifecycle.models import Engagement
from engagements.lifecycle.settings import LifecycleSettings
from engagements.lifecycle.states import Criterion
from engagements.models import Support
from engagements.tiers import Tier
from portal_backend.core.db import chunks
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from scorecards.judging import Judging

BUSINESS_VALUE, REWRITE_OF = f"{PREFIX}business-value", f"{PREFIX}rewrite-of"
BEING_BUILT = frozenset({"design", "active_dev", "limited"})


@dataclass(frozen=True)
class Candidate:
    """A service that early engagement would be for, and why."""

    entity_ref: str
    criticality: str | None
    lifecycle: str | None
    owner: str | None
    criteria: tuple[Criterion, ...]
    sentences: tuple[str, ...]


def list_candidates(
    session: Session, judging: Judging, settings: LifecycleSettings, cursor: str | None, limit: int
) -> Page[Candidate]:
    """Return services in design or development that match a criterion and are not engaged yet, by reference.

    Those that match more criteria do not come first: the criteria say why, not how much. Raises InvalidInput when the
    cursor is not one of this list.
    """
    after = _after(cursor)
    engaged = set(session.scalars(select(Engagement.entity_ref).where(Engagement.closed_at.is_(None))))
    found = [
        service
        for service in services(session, judging.service_types)
        if service.lifecycle in BEING_BUILT and service.ref not in engaged and service.ref > after
    ]
    said = reasons(session, found, settings)
    rows = [
        Candidate(
            service.ref,
            service.criticality,
            service.lifecycle,
            service.owner,
            tuple(said[service.ref]),
            tuple(said[service.ref].values()),
        )
        for service in found
        if said[service.ref]
    ]
    if len(rows) <= limit:
        return Page(rows)
    return Page(rows[:limit], encode_cursor([rows[limit - 1].entity_ref]))


def reasons(session: Session, some: Sequence[Service], settings: LifecycleSettings) -> dict[str, dict[Criterion, str]]:
    """Return the criteria that each service matches by what the catalog says, each with its sentence."""
    run_by_sre = set(session.scalars(select(Support.entity_ref).where(Support.tier == Tier.FULL_SRE.value)))
    systems = _systems_of(session, run_by_sre)
    return {service.ref: dict(_reasons(service, run_by_sre, systems, settings)) for service in some}


def _reasons(
    service: Service, run_by_sre: set[str], systems: set[str], settings: LifecycleSettings
) -> list[tuple[Criterion, str]]:
    found = []
    value = _number(service.annotations.get(BUSINESS_VALUE))
    if value is not None and value >= settings.business_value:
        found.append((Criterion.BUSINESS_VALUE, f"Its business value is {value:g} of 10."))
    if len(service.dependencies) >= settings.complex_dependencies:
        found.append((Criterion.COMPLEXITY_OR_SCALE, f"It depends on {len(service.dependencies)} others."))
    if service.system in systems:
        found.append((Criterion.PART_OF_SRE_RUN_SYSTEM, f"SRE runs other services of {service.system}."))
    rewritten = _reference(service.annotations.get(REWRITE_OF))
    if rewritten in run_by_sre:
        found.append((Criterion.REWRITE_OF_SRE_RUN_SERVICE, f"It is a rewrite of {rewritten}, which SRE runs."))
    return found


def _systems_of(session: Session, refs: set[str]) -> set[str]:
    found: set[str] = set()
    for few in chunks(sorted(refs)):
        query = select(RelationRow.target_ref).where(
            RelationRow.type == "partOf",
            RelationRow.source_ref.in_(few),
            RelationRow.target_ref.startswith("system:"),
        )
        found.update(session.scalars(query))
    return found


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _reference(text: str | None) -> str | None:
    try:
        return str(parse_ref(text, "component")) if text else None
    except BadReference:
        return None


def _after(cursor: str | None) -> str:
    if cursor is None:
        return ""
    match decode_cursor(cursor):
        case [str(ref)] if "\0" not in ref:
            return ref
    raise bad_cursor()
