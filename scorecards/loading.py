"""Gathers what a judgement needs, in a constant number of queries for any number of services."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Entity, EntityBody
from catalog.services import Service, is_service, services
from plugins.health import health
from portal_backend.core.arrays import among
from portal_backend.core.db import chunks
from scorecards.assessment.portions import Loaded, Portion, Subjects, opened, views
from scorecards.checks.definitions import Subject
from scorecards.checks.fields import annotation_of, entity_values
from scorecards.evidence.derivations import MIN_SLO_TARGET, SLO_TARGET
from scorecards.evidence.observations import Observations
from scorecards.exceptions.in_force import InForce
from scorecards.exceptions.loading import load_in_force
from scorecards.glimpses import glimpses, stored_facts
from scorecards.judging import Judging
from scorecards.surroundings import with_related


def dependents_of(session: Session, judging: Judging, refs: Collection[str]) -> set[str]:
    """Return the services that depend on these, whose derived facts rest on theirs."""
    return {ref for service in _services(session, judging, refs).values() for ref in service.dependents}


def load(
    session: Session, judging: Judging, refs: Collection[str] | None, now: datetime, around: bool = False
) -> Loaded:
    """Load services (None: all of them); references that are no services are left out.

    What is known of the services that they depend on is loaded where a check looks at it, or `around` asks for it.
    """
    states = health(session, now)
    supply = judging.kit.supply(states)
    return opened(gather(session, judging, refs, now, around), judging.kit, states, supply, now)


def gather(
    session: Session, judging: Judging, refs: Collection[str] | None, now: datetime, around: bool = False
) -> Portion:
    """Return services (None: all of them) as the database has them; see `load`."""
    wanted = _services(session, judging, refs)
    named = {ref for service in wanted.values() for ref in service.dependencies}
    neighbours, dangling = _told_apart(session, judging, named - wanted.keys())
    known_services = wanted.keys() | neighbours
    looked_at = around or MIN_SLO_TARGET.key in judging.plan.derived
    fields = _entity_fields(session, judging, wanted)
    tiers = tiers_of(session, judging, wanted.keys())
    subjects = {
        ref: subject_of(one, known_services, dangling, fields[ref], tiers.get(ref)) for ref, one in wanted.items()
    }
    return Portion(
        with_related(session, judging.catalogue, subjects),
        stored_facts(session, wanted.keys()),
        glimpses(session, named & known_services, SLO_TARGET) if looked_at else {},
        load_in_force(session, None if refs is None else wanted.keys(), now),
    )


def as_of(
    loaded: Loaded,
    judging: Judging,
    observations: Mapping[str, Observations],
    in_force: Mapping[str, InForce],
    moment: datetime,
) -> Loaded:
    """Return the same services with what was observed of them, and what was in force, at another moment."""
    subjects = {ref: loaded.subjects.of(ref) for ref in loaded.subjects}
    known = Subjects(subjects, views(judging.kit, loaded.supply, observations, moment))
    return Loaded(known, loaded.health, loaded.supply, observations, in_force)


def _entity_fields(session: Session, judging: Judging, wanted: Mapping[str, Service]) -> dict[str, dict[str, Any]]:
    """Return the values at the paths into their entities that the checks look at; annotations are at hand already."""
    paths = judging.catalogue.entity_fields
    named = {path: name for path in paths if (name := annotation_of(path))}
    found: dict[str, dict[str, Any]] = {
        ref: {path: service.annotations[name] for path, name in named.items() if name in service.annotations}
        for ref, service in wanted.items()
    }
    rest = paths - named.keys()
    query = select(Entity.ref, EntityBody.body).join(EntityBody, EntityBody.id == Entity.id)
    for few in chunks(sorted(wanted)) if rest else ():
        for ref, body in session.execute(query.where(among(session, Entity.ref, few))):
            values = entity_values(orjson.loads(body), rest)
            found[ref] |= {path: value for path, value in values.items() if value is not None}
    return found


def tiers_of(session: Session, judging: Judging, refs: Collection[str]) -> Mapping[str, str]:
    """Return the support tiers of services, where somebody tells them and a check looks at them."""
    if judging.tiers is None or not judging.catalogue.looks_at("tier"):
        return {}
    return judging.tiers(session, refs)


def _services(session: Session, judging: Judging, refs: Collection[str] | None) -> dict[str, Service]:
    if refs is not None and not refs:
        return {}
    return {service.ref: service for service in services(session, judging.service_types, refs)}


def service_refs(session: Session, judging: Judging) -> set[str]:
    """Return the references of all services."""
    return set(session.scalars(select(Entity.ref).where(is_service(judging.service_types))))


def _told_apart(session: Session, judging: Judging, refs: Collection[str]) -> tuple[set[str], set[str]]:
    query = select(Entity.ref, Entity.kind, Entity.type)
    present = [
        (ref, kind, type_)
        for chunk in chunks(sorted(refs))
        for ref, kind, type_ in session.execute(query.where(among(session, Entity.ref, chunk)))
    ]
    return told_apart(judging, refs, present)


def told_apart(
    judging: Judging, refs: Collection[str], present: Collection[tuple[str, str, str | None]]
) -> tuple[set[str], set[str]]:
    """Return those of the references that are services, and the components that the catalog has no entity of.

    `present` are reference, kind and type of those that it has.
    """
    types = frozenset(type_.lower() for type_ in judging.service_types)
    found = {ref for ref, kind, type_ in present if kind == "component" and type_ in types}
    there = {ref for ref, *_ in present}
    return found, {ref for ref in refs if ref not in there and ref.startswith("component:")}


def subject_of(
    service: Service,
    known_services: Collection[str],
    dangling: Collection[str],
    fields: Mapping[str, Any],
    tier: str | None,
) -> Subject:
    """Return a service as checks see it."""
    return Subject(
        ref=service.ref,
        name=service.name,
        title=service.title or service.name,
        kind=service.kind,
        namespace=service.namespace,
        type=service.type,
        lifecycle=service.lifecycle,
        criticality=service.criticality,
        owner=service.owner,
        system=service.system,
        tags=tuple(service.tags),
        service_dependencies=tuple(
            ref for ref in service.dependencies if ref != service.ref and (ref in known_services or ref in dangling)
        ),
        unknown_dependencies=tuple(ref for ref in service.dependencies if ref in dangling),
        tier=tier,
        fields=fields,
    )
