"""The service list: what the catalog, the scorecards and the support tiers say of each service, together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.entities import get_entity
from catalog.models import Entity
from catalog.services import Service, services
from engagements import support
from engagements.lifecycle import engagements
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
from engagements.support import SupportState
from portal_backend.core.errors import NotFound
from scorecards.checks.definitions import Axis
from scorecards.models import Scorecard

_HOT = (Scorecard.entity_ref, Scorecard.level, Scorecard.percent, Scorecard.coverage, Scorecard.next_step,
        Scorecard.evaluated_at)  # fmt: skip
_AXES = tuple(getattr(Scorecard, f"{axis}_{part}") for axis in Axis for part in AXIS_PARTS)


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
    if not refs:
        return []
    known = {service.ref: service for service in services(session, types, refs)}
    states = support.current(session, refs)
    engaged = engagements.open_among(session, refs)
    rows = session.execute(select(*_HOT, *_AXES).where(Scorecard.entity_ref.in_(refs)))
    scorecards = {row[0]: tuple(row[1:]) for row in rows}
    return [_item(known[ref], states[ref], scorecards.get(ref)) | engaged.get(ref, {}) for ref in refs if ref in known]


def links_of(ref: str) -> dict[str, str]:
    """Return where more stands about a service."""
    base = f"/api/services/{ref.replace(':', '/')}"
    return {
        "self": base,
        "scorecard": f"{base}/scorecard",
        "history": f"{base}/history",
        "incident_view": f"{base}/incident-view",
    }


def _item(service: Service, state: SupportState, scorecard: tuple[Any, ...] | None) -> dict[str, Any]:
    empty = (None,) * (len(_HOT) - 1 + len(_AXES))
    level, percent, coverage, next_step, evaluated_at, *axes = scorecard or empty
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
        "tier": state.tier.value,
        "engagement_model": state.engagement_model,
        "phase": state.phase,
        "level": level,
        "percent": percent,
        "coverage": coverage,
        "evaluated_at": evaluated_at,
        "axes": {
            axis.value: dict(zip(AXIS_PARTS, axes[3 * i : 3 * i + 3], strict=True)) for i, axis in enumerate(Axis)
        },
        "next_step": next_step,
        "links": links_of(service.ref),
    }
