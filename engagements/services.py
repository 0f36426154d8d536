"""The service list: what the catalog, the scorecards and the support tiers say of each service, together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from catalog.entities import get_entity
from catalog.models import Entity, EntityBody
from catalog.services import Service, described, is_service
from engagements import support
from engagements.lifecycle.models import Engagement
from engagements.models import Support
from engagements.reviews import findings
from engagements.service_query import (
    AXIS_PARTS,
    SORTS,
    ServiceFilter,
    Sort,
    cursor_at,
    joined,
    matching,
    ordered,
)
from engagements.tiers import Tier
from portal_backend.core.arrays import among
from portal_backend.core.db import chunks
from portal_backend.core.errors import NotFound
from scorecards.checks.definitions import Axis
from scorecards.models import Scorecard

_SUPPORTED = (Support.tier, Support.engagement_model, Support.phase, Engagement.model, Engagement.state)
"""What an open engagement says counts more than what the support says."""
_HOT = (Scorecard.level, Scorecard.percent, Scorecard.coverage, Scorecard.frozen_until, Scorecard.next_step,
        Scorecard.evaluated_at)  # fmt: skip
_AXIS_NAMES = tuple(axis.value for axis in Axis)
_AXES = tuple(getattr(Scorecard, f"{axis}_{part}") for axis in _AXIS_NAMES for part in AXIS_PARTS)
_DESCRIBED = (
    select(Entity.ref, EntityBody.body, *_SUPPORTED, *_HOT, *_AXES)
    .join(EntityBody, EntityBody.id == Entity.id)
    .outerjoin(Support, Support.entity_ref == Entity.ref)
    .outerjoin(Engagement, and_(Engagement.entity_ref == Entity.ref, Engagement.closed_at.is_(None)))
    .outerjoin(Scorecard, Scorecard.entity_ref == Entity.ref)
)


@dataclass(frozen=True)
class ServicePage:
    """A page of the list; the total only where it was asked for."""

    items: list[dict[str, Any]]
    next_cursor: str | None
    total: int | None = None


def list_services(
    session: Session,
    types: Sequence[str],
    wanted: ServiceFilter,
    sort: Sort,
    cursor: str | None,
    limit: int,
    include_total: bool = False,
) -> ServicePage:
    """Return a page of the services of the configured types, in a constant number of queries.

    Raises InvalidInput when the cursor does not belong to this order.
    """
    conditions = matching(types, wanted)
    page = ordered(joined(select(Entity.ref, SORTS[sort.key])).where(*conditions), sort, cursor).limit(limit + 1)
    found = [(ref, value) for ref, value in session.execute(page)]
    total = session.scalar(joined(select(func.count(Entity.id))).where(*conditions)) if include_total else None
    next_cursor = None
    if len(found) > limit:
        ref, value = found[limit - 1]
        next_cursor = cursor_at(sort, value, ref)
    return ServicePage(describe(session, types, [ref for ref, _ in found[:limit]]), next_cursor, total)


def get_service(session: Session, types: Sequence[str], kind: str, namespace: str, name: str) -> dict[str, Any]:
    """Return one service with the terms of its support; raises NotFound when it is none of the configured types."""
    ref = service_ref(session, types, kind, namespace, name)
    item = describe(session, types, [ref])[0]
    blockers = [
        {"finding": row.id, "title": row.title, "axis": row.axis, "since": row.created_at}
        for row in findings.open_blockers(session, ref)
    ]
    return {**item, "support": support.read(session, ref), "blockers": blockers}


def service_ref(session: Session, types: Sequence[str], kind: str, namespace: str, name: str) -> str:
    """Return a service's reference, given in any case; raises NotFound when it is none of the configured types."""
    ref = f"{kind}:{namespace}/{name}".lower()
    if "\0" in ref or not session.scalar(
        select(Entity.id).where(Entity.ref == ref, *matching(types, ServiceFilter({})))
    ):
        get_entity(session, ref)
        raise NotFound(
            f"{ref} is in the catalog but is no service: services are Components of type {', '.join(types)}."
        )
    return ref


def describe(session: Session, types: Sequence[str], refs: Sequence[str]) -> list[dict[str, Any]]:
    """Return the list's items for services, in the order given."""
    found: dict[str, dict[str, Any]] = {}
    wanted = _DESCRIBED.where(is_service(types))
    for few in chunks(refs):
        for ref, body, *rest in session.execute(wanted.where(among(session, Entity.ref, few))):
            found[ref] = _item(described(ref, body, None), rest[: len(_SUPPORTED)], rest[len(_SUPPORTED) :])
    return [found[ref] for ref in refs if ref in found]


def links_of(ref: str) -> dict[str, str]:
    """Return where more stands about a service."""
    base = f"/api/services/{ref.replace(':', '/')}"
    return {
        "self": base,
        "scorecard": f"{base}/scorecard",
        "history": f"{base}/history",
        "incident_view": f"{base}/incident-view",
    }


def _item(service: Service, supported: Sequence[Any], scorecard: Sequence[Any]) -> dict[str, Any]:
    tier, engagement_model, phase, model, state = supported
    level, percent, coverage, frozen_until, next_step, evaluated_at, *axes = scorecard
    return {
        "ref": service.ref,
        "kind": service.kind,
        "namespace": service.namespace,
        "name": service.name,
        "title": service.title or service.name,
        "description": service.description,
        "type": service.type,
        "owner": service.owner,
        "system": service.system,
        "tags": list(service.tags),
        "criticality": service.criticality,
        "lifecycle": service.lifecycle,
        "tier": tier or Tier.DOCUMENTATION.value,
        "engagement_model": model or engagement_model,
        "phase": state or phase,
        "level": level,
        "percent": percent,
        "coverage": coverage,
        "frozen_until": frozen_until,
        "evaluated_at": evaluated_at,
        "axes": {
            axis: dict(zip(AXIS_PARTS, axes[3 * i : 3 * i + 3], strict=True)) for i, axis in enumerate(_AXIS_NAMES)
        },
        "next_step": next_step,
        "links": links_of(service.ref),
    }
