"""Gathers what a judgement needs, in a constant number of queries for any number of services."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Entity
from catalog.services import Service, services
from plugins.health import SourceHealth, health
from portal_backend.core.db import chunks
from scorecards.checks.definitions import Subject
from scorecards.evidence.derivations import derivations
from scorecards.evidence.view import View
from scorecards.facts import readings
from scorecards.judging import Judging


@dataclass(frozen=True)
class Loaded:
    """Services with all evidence on them."""

    subjects: Mapping[str, tuple[Subject, View]]
    health: Mapping[str, SourceHealth]


def dependents_of(session: Session, judging: Judging, refs: Collection[str]) -> set[str]:
    """Return the services that depend on these, whose derived facts rest on theirs."""
    return {ref for service in _services(session, judging, refs).values() for ref in service.dependents}


def load(session: Session, judging: Judging, refs: Collection[str] | None, now: datetime) -> Loaded:
    """Load services (None: all of them); references that are no services are left out."""
    wanted = _services(session, judging, refs)
    named = {ref for service in wanted.values() for ref in service.dependencies}
    neighbours = _services(session, judging, named - wanted.keys()) if refs is not None else {}
    known_services = wanted.keys() | neighbours.keys()
    dangling = _absent(session, {ref for ref in named - known_services if ref.startswith("component:")})
    states = health(session, now)
    supply = judging.supply(states)
    found = readings(session, wanted.keys() | (named & neighbours.keys()))
    bare = {ref: View(of_ref, supply, now) for ref, of_ref in found.items()}
    subjects = {}
    for ref, service in wanted.items():
        subject = _subject(service, known_services, dangling)
        subjects[ref] = (subject, View(found[ref], supply, now, derivations(subject, bare)))
    return Loaded(subjects, states)


def _services(session: Session, judging: Judging, refs: Collection[str] | None) -> dict[str, Service]:
    if refs is not None and not refs:
        return {}
    return {service.ref: service for service in services(session, judging.service_types, refs)}


def _absent(session: Session, refs: Collection[str]) -> set[str]:
    """Return those of the references that the catalog has no entity of."""
    present: set[str] = set()
    for chunk in chunks(sorted(refs)):
        present |= set(session.scalars(select(Entity.ref).where(Entity.ref.in_(chunk))))
    return set(refs) - present


def _subject(service: Service, known_services: Collection[str], dangling: Collection[str]) -> Subject:
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
    )
