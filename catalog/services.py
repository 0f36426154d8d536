"""Services: the Components that count as such, in the terms of SRE, read with a fixed number of queries per batch."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from catalog.models import Entity, EntityBody, Location, RelationRow, SearchKey, SearchRow
from plugins.contract import Target
from portal_backend.core.arrays import among
from portal_backend.core.db import chunks

PREFIX = "sre.portal/"
"""Of our own annotations."""

CRITICALITY = f"{PREFIX}criticality"
CRITICALITIES = ("T0", "T1", "T2", "T3")
"""From existential to tolerable for a day."""

LIFECYCLES = ("design", "active_dev", "limited", "ga", "deprecation", "abandoned", "unsupported")
"""The phases of a service in the SRE workbook, chapter 18."""

FROM_BACKSTAGE = {"experimental": "active_dev", "production": "ga", "deprecated": "deprecation"}
"""The phase of a service that states none in our annotation, by its `spec.lifecycle`; other words have no phase."""


@dataclass(frozen=True)
class Service:
    """A service as the catalog describes it."""

    ref: str
    kind: str
    namespace: str
    name: str
    """As written; `ref` has it in lower case."""
    title: str | None
    description: str | None
    type: str
    """Lower case."""
    lifecycle: str | None
    """One of LIFECYCLES."""
    owner: str | None
    """Full reference of the owner, whether or not the catalog has it."""
    system: str | None
    """Full reference."""
    criticality: str | None
    """One of CRITICALITIES."""
    tags: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    """What it declares to depend on, and who provides the APIs that it consumes."""
    dependents: tuple[str, ...] = ()
    """Who declares to depend on it, or consumes an API that it provides."""
    observed_at: datetime | None = None
    """When its location could last be read."""


@dataclass(frozen=True)
class Directory:
    """What other entities say that bears on a service's facts."""

    owners: Mapping[str, str | None] = field(default_factory=dict)
    """Every Group and User that exists among the owners, and its address if it has one."""
    criticalities: Mapping[str, str] = field(default_factory=dict)
    """The tier of every entity that states one."""


def services(session: Session, types: Collection[str], refs: Collection[str] | None = None) -> list[Service]:
    """Return the services of these types (lower case), all or those of `refs`, sorted by reference."""
    bodies = list(_bodies(session, types, refs))
    related = [_related(entity) for _, entity, _ in bodies]
    callers = _callers(session, related)
    found = [_service(*body, targets, callers) for body, targets in zip(bodies, related, strict=True)]
    return sorted(found, key=lambda one: one.ref)


def described(
    ref: str, body: bytes, read_at: datetime | None, api_relations: Iterable[tuple[str, str, str]] = ()
) -> Service:
    """Return a service whose body was read otherwise.

    `api_relations` (API, `apiProvidedBy` or `apiConsumedBy`, who) tell who it depends on by way of an API.
    """
    callers: dict[tuple[str, str], set[str]] = {}
    for api, type_, other in api_relations:
        callers.setdefault((api, type_), set()).add(other)
    entity = orjson.loads(body)
    return _service(ref, entity, read_at, _related(entity), callers)


def targets(session: Session, types: Collection[str]) -> list[Target]:
    """Return the services as connectors get them."""
    return [
        Target(ref, entity["metadata"]["name"], entity["metadata"].get("annotations", {}))
        for ref, entity, _ in sorted(_bodies(session, types, None), key=lambda one: one[0])
    ]


def directory(session: Session, some: Iterable[Service]) -> Directory:
    """Return what the facts of these services need to know of other entities."""
    owners = {service.owner for service in some if service.owner}
    found: dict[str, str | None] = {}
    statement = select(Entity.ref, EntityBody.body).join(EntityBody, EntityBody.id == Entity.id)
    for few in chunks(sorted(owners)):
        for ref, body in session.execute(statement.where(Entity.ref.in_(few), Entity.kind.in_(("group", "user")))):
            profile = orjson.loads(body).get("spec", {}).get("profile") or {}
            found[ref] = profile.get("email")
    return Directory(found, _criticalities(session))


def _criticalities(session: Session) -> dict[str, str]:
    rows = session.execute(
        select(Entity.ref, SearchRow.value)
        .join(SearchRow, SearchRow.entity_id == Entity.id)
        .join(SearchKey, SearchKey.id == SearchRow.key_id)
        .where(SearchKey.name == f"metadata.annotations.{CRITICALITY}")
    )
    stated = ((ref, criticality_of({CRITICALITY: value or ""})) for ref, value in rows)
    return {ref: tier for ref, tier in stated if tier}


def criticality_of(annotations: Mapping[str, str]) -> str | None:
    """Return the tier that annotations state; None when they state none, or something else."""
    tier = annotations.get(CRITICALITY, "").upper()
    return tier if tier in CRITICALITIES else None


def lifecycle_of(annotations: Mapping[str, str], spec_lifecycle: object) -> str | None:
    """Return the SRE workbook's phase: our annotation's, else the one that `spec.lifecycle` stands for."""
    stated = annotations.get(f"{PREFIX}lifecycle", "").lower()
    if stated in LIFECYCLES:
        return stated
    return FROM_BACKSTAGE.get(spec_lifecycle.lower()) if isinstance(spec_lifecycle, str) else None


def is_service(types: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that an entity of the catalog counts as a service."""
    return and_(Entity.kind == "component", Entity.type.in_([type_.lower() for type_ in types]))


def _bodies(
    session: Session, types: Collection[str], refs: Collection[str] | None
) -> Iterator[tuple[str, dict[str, Any], datetime | None]]:
    statement = (
        select(Entity.ref, EntityBody.body, Location.last_read_at)
        .join(EntityBody, EntityBody.id == Entity.id)
        .join(Location, Location.id == Entity.location_id)
        .where(is_service(types))
    )
    parts = [statement]
    if refs is not None:
        parts = [statement.where(among(session, Entity.ref, some)) for some in chunks(sorted(refs))]
    for part in parts:
        for ref, body, read_at in session.execute(part):
            yield ref, orjson.loads(body), read_at


_Related = Mapping[str, Sequence[str]]
"""By relation: who stands at the other end."""


def _related(entity: Mapping[str, Any]) -> _Related:
    found: dict[str, list[str]] = {}
    for relation in entity["relations"]:
        found.setdefault(relation["type"], []).append(relation["targetRef"])
    return found


_Callers = Mapping[tuple[str, str], set[str]]
"""By API and relation: who provides it, who consumes it."""


def _callers(session: Session, related: Sequence[_Related]) -> _Callers:
    apis = {ref for targets in related for type_ in ("consumesApi", "providesApi") for ref in targets.get(type_, ())}
    found: dict[tuple[str, str], set[str]] = {}
    statement = select(RelationRow.source_ref, RelationRow.type, RelationRow.target_ref).where(
        RelationRow.type.in_(("apiProvidedBy", "apiConsumedBy"))
    )
    for some in chunks(sorted(apis)):
        for api, type_, ref in session.execute(statement.where(among(session, RelationRow.source_ref, some))):
            found.setdefault((api, type_), set()).add(ref)
    return found


def _service(
    ref: str, entity: Mapping[str, Any], read_at: datetime | None, related: _Related, callers: _Callers
) -> Service:
    metadata, spec = entity["metadata"], entity["spec"]
    annotations = metadata.get("annotations", {})
    return Service(
        ref=ref,
        kind=entity["kind"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        title=metadata.get("title"),
        description=metadata.get("description"),
        type=spec["type"].lower(),
        lifecycle=lifecycle_of(annotations, spec["lifecycle"]),
        owner=next(iter(related.get("ownedBy", ())), None),
        system=next((other for other in related.get("partOf", ()) if other.startswith("system:")), None),
        criticality=criticality_of(annotations),
        tags=tuple(metadata.get("tags", ())),
        annotations=annotations,
        dependencies=_neighbours(ref, related, callers, "dependsOn", "consumesApi", "apiProvidedBy"),
        dependents=_neighbours(ref, related, callers, "dependencyOf", "providesApi", "apiConsumedBy"),
        observed_at=read_at,
    )


def _neighbours(
    ref: str, related: _Related, callers: _Callers, direct: str, to_api: str, from_api: str
) -> tuple[str, ...]:
    """Return the entities at the other end of a relation, directly or by way of an API, without the service itself."""
    found = set(related.get(direct, ()))
    for api in related.get(to_api, ()):
        found |= callers.get((api, from_api), set())
    return tuple(sorted(found - {ref}))
