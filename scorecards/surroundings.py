"""Gathers what the checks ask of the entities that services are related to, in a constant number of queries."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Entity, EntityBody, RelationRow
from portal_backend.core.arrays import among
from portal_backend.core.db import chunks
from scorecards.checks.definitions import Axis, CheckCatalogue, Subject
from scorecards.checks.fields import entity_values
from scorecards.checks.member_fields import FIELDS, STANDINGS, TOLD_BY_REF, is_field, is_path
from scorecards.evidence.observations import Observations, timed
from scorecards.evidence.related import Member
from scorecards.models import EntityFacts, Scorecard

Targets = Mapping[str, tuple[str, ...]]
"""By service: the entities that a relation leads to, in order."""
LEVELS = {"level": Scorecard.level, **{f"level.{axis}": getattr(Scorecard, f"{axis}_level") for axis in Axis}}


def with_related(session: Session, catalogue: CheckCatalogue, subjects: Mapping[str, Subject]) -> dict[str, Subject]:
    """Return services together with the entities that some check asks of, and what it asks of them."""
    questions = catalogue.related.values()
    if not questions or not subjects:
        return dict(subjects)
    targets = {relation: _followed(session, subjects, relation) for relation in {one.relation for one in questions}}
    refs = {ref for of_services in targets.values() for found in of_services.values() for ref in found}
    members = _members(session, sorted(refs), {key for one in questions for key in one.looks_at})
    around = {relation: _shared(of_services, members) for relation, of_services in targets.items()}
    return {
        ref: replace(subject, related={relation: of_services.get(ref, ()) for relation, of_services in around.items()})
        for ref, subject in subjects.items()
    }


def _shared(targets: Targets, members: Mapping[str, Member]) -> dict[str, tuple[Member, ...]]:
    """Return the related entities themselves; services of one system share one list of them."""
    lists = {found: tuple(members[ref] for ref in found) for found in set(targets.values())}
    return {ref: lists[found] for ref, found in targets.items()}


def _followed(session: Session, subjects: Mapping[str, Subject], relation: str) -> Targets:
    """Follow a relation, or several one after the other."""
    first, *rest = relation.split(".")
    named = NAMED.get(first)
    found: dict[str, tuple[str, ...]] = (
        {ref: tuple(sorted(named(subject))) for ref, subject in subjects.items()}
        if named
        else _led_to(session, subjects.keys(), first)
    )
    for hop in rest:
        further = _led_to(session, {target for of_one in found.values() for target in of_one}, hop)
        found = {
            ref: tuple(sorted({target for via in of_one for target in further.get(via, ())}))
            for ref, of_one in found.items()
        }
    return found


NAMED: Mapping[str, Callable[[Subject], Collection[str]]] = {
    "dependencies": lambda subject: subject.service_dependencies,
    "owner": lambda subject: [subject.owner] if subject.owner else [],
    "system": lambda subject: [subject.system] if subject.system else [],
}
"""What is known of a service already, by the name that a rule has for it."""


def _led_to(session: Session, refs: Collection[str], type_: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    query = select(RelationRow.source_ref, RelationRow.target_ref).where(RelationRow.type == type_)
    for few in chunks(sorted(refs)):
        for source, target in session.execute(query.where(among(session, RelationRow.source_ref, few))):
            found.setdefault(source, set()).add(target)
    return {ref: tuple(sorted(targets)) for ref, targets in found.items()}


def _members(session: Session, refs: Sequence[str], looked_at: Collection[str]) -> dict[str, Member]:
    fields = {key for key in looked_at if is_field(key) and key not in TOLD_BY_REF}
    facts = sorted(key for key in looked_at if key not in FIELDS and not is_path(key))
    told = _fields(session, refs, fields)
    observed = _observed(session, refs, facts) if facts else {}
    standing = _standings(session, refs) if any(key in STANDINGS for key in looked_at) else {}
    nothing = Observations()
    return {ref: Member(ref, told.get(ref), observed.get(ref, nothing), standing.get(ref, {})) for ref in refs}


def _fields(session: Session, refs: Sequence[str], wanted: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what stands in the entities that the catalog has; where nothing is looked at, only which it has."""
    found: dict[str, dict[str, Any]] = {}
    within = select(Entity.ref, EntityBody.body).join(EntityBody, EntityBody.id == Entity.id)
    there = select(Entity.ref)
    for few in chunks(refs):
        if wanted:
            for ref, body in session.execute(within.where(among(session, Entity.ref, few))):
                found[ref] = _fields_of(orjson.loads(body), wanted)
        else:
            found |= {ref: {} for ref in session.scalars(there.where(among(session, Entity.ref, few)))}
    return found


def _fields_of(entity: Mapping[str, Any], wanted: Collection[str]) -> dict[str, Any]:
    spec, metadata = entity.get("spec") or {}, entity["metadata"]
    led_to = entity_values(entity, ("relations.ownedBy", "relations.partOf"))
    plain = {
        "type": _lower(spec.get("type")),
        "lifecycle": _lower(spec.get("lifecycle")),
        "owner": next(iter(led_to["relations.ownedBy"]), None),
        "system": next((one for one in led_to["relations.partOf"] if one.startswith("system:")), None),
        "tags": tuple(sorted(metadata.get("tags") or ())),
    }
    paths = [key for key in wanted if key not in plain]
    return {key: plain[key] for key in wanted if key in plain} | entity_values(entity, paths)


def _lower(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) else None


def _observed(session: Session, refs: Sequence[str], keys: Sequence[str]) -> dict[str, Observations]:
    columns = [EntityFacts.document[key] for key in keys]
    query = select(
        EntityFacts.entity_ref,
        EntityFacts.source,
        EntityFacts.batch_observed_at,
        EntityFacts.batch_collected_at,
        *columns,
    )
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for few in chunks(refs):
        for ref, source, observed_at, collected_at, *entries in session.execute(
            query.where(among(session, EntityFacts.entity_ref, few))
        ):
            document = {key: entry for key, entry in zip(keys, entries, strict=True) if entry}
            found.setdefault(ref, []).append((source, timed(document, observed_at, collected_at)))
    return {ref: Observations(documents, {source for source, _ in documents}) for ref, documents in found.items()}


def _standings(session: Session, refs: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return levels as numbers, as they were judged last."""
    query = select(Scorecard.entity_ref, Scorecard.evaluated_at, Scorecard.percent, *LEVELS.values())
    found: dict[str, dict[str, Any]] = {}
    for few in chunks(refs):
        for ref, at, percent, *levels in session.execute(query.where(among(session, Scorecard.entity_ref, few))):
            named = zip(LEVELS, levels, strict=True)
            found[ref] = {"evaluated_at": at, "percent": percent} | {name: _number(level) for name, level in named}
    return found


def _number(level: str | None) -> int | None:
    return None if level is None else int(level[1:])
