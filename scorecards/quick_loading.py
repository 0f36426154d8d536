"""Gathers what judging one service takes by a few prepared statements: what somebody waits for is read this way."""

from collections import defaultdict, namedtuple
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy.orm import Session

from catalog.models import Entity, EntityBody
from catalog.services import Service, described
from plugins.health import SourceHealth, health_of
from plugins.models import Source
from portal_backend.core.arrays import text_array
from portal_backend.core.quick_reading import Column, Reader
from scorecards.assessment.portions import Loaded, Portion, Stored, opened
from scorecards.checks.definitions import Check
from scorecards.checks.fields import annotation_of, entity_values
from scorecards.evidence.derivations import MIN_SLO_TARGET, SLO_TARGET
from scorecards.evidence.observations import Observations, timed
from scorecards.exceptions.in_force import InForce
from scorecards.exceptions.loading import load_in_force
from scorecards.judging import Judging
from scorecards.loading import subject_of, tiers_of, told_apart
from scorecards.models import EntityFacts, Scorecard
from scorecards.surroundings import with_related

SERVICE = """
SELECT body.body, entity.type,
  EXISTS (SELECT 1 FROM attestation WHERE attestation.entity_ref = entity.ref)
  OR EXISTS (SELECT 1 FROM waiver WHERE waiver.entity_ref = entity.ref)
  OR EXISTS (SELECT 1 FROM framework_module_adoption adoption WHERE adoption.entity_ref = entity.ref),
  card.evaluated_at, card.valid_until, card.catalogue_version, card.sources_version
FROM catalog_entity entity
JOIN catalog_entity_body body ON body.id = entity.id
JOIN catalog_location ON catalog_location.id = entity.location_id
LEFT JOIN scorecard card ON card.entity_ref = entity.ref
WHERE entity.ref = %s AND entity.kind = 'component'
"""
SERVICE_COLUMNS: tuple[Column, ...] = (
    EntityBody.body,
    Entity.type,
    Entity.type,
    Scorecard.evaluated_at,
    Scorecard.valid_until,
    Scorecard.catalogue_version,
    Scorecard.sources_version,
)
FACTS = """
SELECT source, CAST(document AS TEXT), batch_observed_at, batch_collected_at FROM entity_facts WHERE entity_ref = %s
"""
FACT_COLUMNS: tuple[Column, ...] = (
    EntityFacts.source,
    EntityFacts.source,
    EntityFacts.batch_observed_at,
    EntityFacts.batch_collected_at,
)
NEIGHBOURS = """
SELECT entity.ref, entity.kind, entity.type, told.source, {entry}, told.batch_observed_at, told.batch_collected_at
FROM catalog_entity entity LEFT JOIN entity_facts told ON told.entity_ref = entity.ref WHERE entity.ref {among}
"""
NEIGHBOUR_COLUMNS: tuple[Column, ...] = (Entity.ref, Entity.kind, Entity.type, *FACT_COLUMNS)
CALLERS = """
SELECT source_ref, type, target_ref FROM catalog_relation
WHERE type IN ('apiProvidedBy', 'apiConsumedBy') AND source_ref {among}
"""
DEPENDS = "has_service_dependencies"
"""The plain field of a service that is told from the services around it."""
NAMES_API = (b'"consumesApi"', b'"providesApi"')

SOURCE_NAMES: list[str] = Source.__table__.columns.keys()
SourceRow = namedtuple("SourceRow", SOURCE_NAMES)  # type: ignore[misc]
SOURCE_COLUMNS: tuple[Column, ...] = tuple(getattr(Source, name) for name in SOURCE_NAMES)
SOURCES = f"SELECT {', '.join(SOURCE_NAMES)} FROM plugin_source WHERE configured ORDER BY position, name"  # noqa: S608 - names of columns


class Kept(NamedTuple):
    """What of a stored scorecard tells whether it still holds."""

    evaluated_at: datetime
    valid_until: datetime | None
    catalogue_version: str
    sources_version: str


@dataclass(frozen=True)
class One:
    """A service with all evidence on it, and what is stored of its scorecard."""

    loaded: Loaded
    kept: Kept | None


def load_one(
    session: Session,
    reader: Reader,
    judging: Judging,
    ref: str,
    now: datetime,
    around: bool = False,
    checks: Sequence[Check] | None = None,
) -> One | None:
    """Load one service as `loading.load` does; None for what is no service.

    The session is for what few services have: waivers and the like. Where only some checks are to be judged and none of
    them looks at other services, those are not read.
    """
    rows = reader.rows(SERVICE, (ref,), SERVICE_COLUMNS)
    if not rows or rows[0][1] not in {type_.lower() for type_ in judging.service_types}:
        return None
    body, _, has_exceptions, *of_card = rows[0]
    beyond = around or checks is None or any(looks_around(check) for check in checks)
    service = described(ref, body, None, _callers(reader, body) if beyond else ())
    looked_at = beyond and (around or MIN_SLO_TARGET.key in judging.plan.derived)
    told, neighbours = _neighbours(reader, service.dependencies if beyond else (), looked_at)
    known, dangling = told_apart(judging, service.dependencies, told)
    in_force: Mapping[str, InForce] = load_in_force(session, [ref], now) if has_exceptions else {}
    tier = tiers_of(session, judging, [ref]).get(ref)
    subjects = {ref: subject_of(service, known, dangling, _fields(judging, service, body), tier)}
    portion = Portion(
        with_related(session, judging.catalogue, subjects) if beyond else subjects,
        {ref: [Stored(*row) for row in reader.rows(FACTS, (ref,), FACT_COLUMNS)]},
        {one: neighbours[one] for one in known} if looked_at else {},
        in_force,
    )
    states = source_states(reader, now)
    kept = Kept._make(of_card) if of_card[0] else None
    return One(opened(portion, judging.kit, states, judging.kit.supply(states), now), kept)


def looks_around(check: Check) -> bool:
    """Say whether a check looks at what is around a service: at what it depends on, or at other related entities."""
    asked = check.applies_to.rule.facts if check.applies_to else ()
    return MIN_SLO_TARGET.key in check.facts or DEPENDS in asked or bool(check.related)


def source_states(reader: Reader, now: datetime) -> dict[str, SourceHealth]:
    """Return the health of every configured source by name, in the order of the configuration."""
    return health_of((SourceRow._make(row) for row in reader.rows(SOURCES, (), SOURCE_COLUMNS)), now)


def _callers(reader: Reader, body: bytes) -> list[tuple[Any, ...]]:
    """Return who provides and who consumes the APIs of a service."""
    if not any(name in body for name in NAMES_API):
        return []
    relations = orjson.loads(body)["relations"]
    apis = {one["targetRef"] for one in relations if one["type"] in ("consumesApi", "providesApi")}
    return reader.rows(CALLERS.format(among=among(reader)), (listed(reader, apis),))


def _neighbours(
    reader: Reader, refs: Collection[str], looked_at: bool
) -> tuple[list[tuple[str, str, str]], dict[str, Observations]]:
    """Return reference, kind and type of those entities that there are, and what their SLOs promise."""
    if not refs:
        return [], {}
    sql = NEIGHBOURS.format(entry=_entry(reader, SLO_TARGET) if looked_at else "NULL", among=among(reader))
    present: dict[str, tuple[str, str, str]] = {}
    documents: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for ref, kind, type_, source, entry, *times in reader.rows(sql, (listed(reader, refs),), NEIGHBOUR_COLUMNS):
        present[ref] = (ref, kind, type_)
        if source is not None:
            document = timed({SLO_TARGET: orjson.loads(entry)}, *times) if entry else {}
            documents[ref].append((source, document))
    observed = {ref: Observations(documents[ref], {source for source, _ in documents[ref]}) for ref in present}
    return list(present.values()), observed


def among(reader: Reader) -> str:
    """Return the condition, after a column of texts, that it has one of the values that `listed` writes."""
    return "= ANY(CAST(%s AS TEXT[]))" if reader.is_postgresql else "IN (SELECT value FROM json_each(%s))"


def listed(reader: Reader, refs: Collection[str]) -> str:
    """Return texts as the one parameter of `among`: a list would cost the driver five times as much."""
    return text_array(sorted(refs)) if reader.is_postgresql else orjson.dumps(sorted(refs)).decode()


def _entry(reader: Reader, key: str) -> str:
    """Return one fact of a document, as text."""
    if reader.is_postgresql:
        return f"CAST(told.document -> '{key}' AS TEXT)"
    return f"json_extract(told.document, '$.\"{key}\"')"


def _fields(judging: Judging, service: Service, body: bytes) -> dict[str, Any]:
    """Return the values at the paths into the entity that the checks look at."""
    paths = judging.catalogue.entity_fields
    named = {path: name for path in paths if (name := annotation_of(path))}
    found = {path: service.annotations[name] for path, name in named.items() if name in service.annotations}
    if rest := paths - named.keys():
        values = entity_values(orjson.loads(body), rest)
        found |= {path: value for path, value in values.items() if value is not None}
    return found
