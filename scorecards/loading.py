"""Gathers what a judgement needs, in a constant number of queries for any number of services."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Entity, EntityBody
from catalog.services import Service, services
from plugins.health import SourceHealth, health
from portal_backend.core.db import chunks
from scorecards.assessment.assess import Given
from scorecards.assessment.evidence import Reader
from scorecards.bulk import among
from scorecards.checks.definitions import Subject
from scorecards.checks.fields import annotation_of, entity_values, service_fields
from scorecards.evidence.causes import Supply
from scorecards.evidence.derivations import derivations, entity_facts
from scorecards.evidence.observations import Observations
from scorecards.evidence.view import View
from scorecards.exceptions.in_force import InForce
from scorecards.exceptions.loading import load_in_force
from scorecards.facts import readings
from scorecards.holding import Hold
from scorecards.judging import Judging


class Subjects(Mapping[str, tuple[Subject, View]]):
    """Services, each with a view of the evidence on it, which is made when somebody looks."""

    def __init__(self, subjects: Mapping[str, Subject], view_of: Callable[[Subject], View]) -> None:
        self._subjects = subjects
        self._view_of = view_of
        self._views: dict[str, View] = {}

    def of(self, ref: str) -> Subject:
        """Return a service without the evidence on it."""
        return self._subjects[ref]

    def __getitem__(self, ref: str) -> tuple[Subject, View]:
        subject = self._subjects[ref]
        view = self._views.get(ref)
        if view is None:
            view = self._views[ref] = self._view_of(subject)
        return subject, view

    def __iter__(self) -> Iterator[str]:
        return iter(self._subjects)

    def __len__(self) -> int:
        return len(self._subjects)


@dataclass(frozen=True)
class Loaded:
    """Services with all evidence on them."""

    subjects: Subjects
    health: Mapping[str, SourceHealth]
    supply: Supply
    observations: Mapping[str, Observations]
    """What was observed of each, as the store holds it."""
    in_force: Mapping[str, InForce]
    """What is attested, waived and inherited, of those of which anything is."""


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
    fields = _entity_fields(session, judging, wanted)
    tiers = _tiers(session, judging, wanted)
    subjects = {
        ref: _subject(service, known_services, dangling, fields[ref], tiers.get(ref)) for ref, service in wanted.items()
    }
    in_force = load_in_force(session, None if refs is None else wanted.keys(), now)
    known = Subjects(subjects, _views(judging, supply, found, now))
    return Loaded(known, states, supply, found, in_force)


def as_of(
    loaded: Loaded,
    judging: Judging,
    observations: Mapping[str, Observations],
    in_force: Mapping[str, InForce],
    moment: datetime,
) -> Loaded:
    """Return the same services with what was observed of them, and what was in force, at another moment."""
    subjects = {ref: loaded.subjects.of(ref) for ref in loaded.subjects}
    known = Subjects(subjects, _views(judging, loaded.supply, observations, moment))
    return Loaded(known, loaded.health, loaded.supply, observations, in_force)


def _views(
    judging: Judging, supply: Supply, observations: Mapping[str, Observations], now: datetime
) -> Callable[[Subject], View]:
    bare = _Bare(observations, supply, now)

    def view_of(subject: Subject) -> View:
        derived = {**derivations(subject, bare), **entity_facts(subject, judging.catalogue.entity_fields, supply)}
        return View(observations[subject.ref], supply, now, derived)

    return view_of


class _Bare(Mapping[str, View]):
    """What sources report of services, without what is derived from others: a dependency is looked at when asked."""

    def __init__(self, observations: Mapping[str, Observations], supply: Supply, now: datetime) -> None:
        self._observations = observations
        self._supply = supply
        self._now = now
        self._views: dict[str, View] = {}

    def __getitem__(self, ref: str) -> View:
        view = self._views.get(ref)
        if view is None:
            view = self._views[ref] = View(self._observations[ref], self._supply, self._now)
        return view

    def __iter__(self) -> Iterator[str]:
        return iter(self._observations)

    def __len__(self) -> int:
        return len(self._observations)


def given_of(loaded: Loaded, reader: Reader, ref: str, in_force: InForce, hold: Hold | None = None) -> Given:
    """Return a loaded service as the assessor takes it."""
    plan, observations, view = reader.plan, loaded.observations[ref], None
    if plan.derived:
        view = loaded.subjects[ref][1]
    observed = observations.keys() if "observed_facts" in plan.fields else ()
    fields = service_fields(loaded.subjects.of(ref), observed) if plan.fields else {}
    return Given(fields, reader.read(observations, view, plan.derived), in_force, hold)


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


def _tiers(session: Session, judging: Judging, wanted: Mapping[str, Service]) -> Mapping[str, str]:
    """Return the support tiers, where somebody tells them and a check looks at them."""
    if judging.tiers is None or not judging.catalogue.looks_at("tier"):
        return {}
    return judging.tiers(session, wanted.keys())


def _services(session: Session, judging: Judging, refs: Collection[str] | None) -> dict[str, Service]:
    if refs is not None and not refs:
        return {}
    return {service.ref: service for service in services(session, judging.service_types, refs)}


def _absent(session: Session, refs: Collection[str]) -> set[str]:
    """Return those of the references that the catalog has no entity of."""
    present: set[str] = set()
    for chunk in chunks(sorted(refs)):
        present |= set(session.scalars(select(Entity.ref).where(among(session, Entity.ref, chunk))))
    return set(refs) - present


def _subject(
    service: Service,
    known_services: Collection[str],
    dangling: Collection[str],
    fields: Mapping[str, Any],
    tier: str | None,
) -> Subject:
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
