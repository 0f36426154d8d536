"""What the incident view asks the database: statements that need nothing of each other, answered in one round.

Each works out by itself what the service depends on, or what fires there. However long a history is, each reads only
its newest events along an index.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    Engine,
    Integer,
    Select,
    String,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.orm import aliased

from catalog.models import Entity, EntityBody, Location, RelationRow, SearchKey, SearchRow
from catalog.services import CRITICALITIES, CRITICALITY
from engagements.incident_view.settings import IncidentSettings
from engagements.lifecycle.models import Engagement
from engagements.models import HistoryEvent, Support
from plugins.models import Source
from portal_backend.core.one_round import prepare
from scorecards.facts import DOCUMENT_COLUMNS
from scorecards.models import EntityFacts, Scorecard

REF: ColumnElement[str] = bindparam("ref", "", String)
BEGINS = {"alert.fired": "alert", "incident.opened": "incident"}
ENDS = {"alert.resolved": "alert", "incident.resolved": "incident"}
EPISODE_KINDS = (*BEGINS, *ENDS, "incident.severity_changed")
CHANGES = ("deploy.finished", "deploy.failed", "deploy.rolled_back", "flag.changed")
MENDING = ("deploy.finished", "deploy.rolled_back", "flag.changed")
POSTMORTEM = "postmortem.published"
AFTERWARDS = (POSTMORTEM, "lesson.recorded", "lesson.published")
OF_DEPENDENCIES = (*EPISODE_KINDS, *CHANGES, "event.corrected")
SUPPORT_CHANGES = (
    *("tier.changed", "engagement.requested", "engagement.accepted", "engagement.phase_entered", "engagement.adopted"),
    *("disengagement.started", "service.owner_changed", "service.revision_changed", "pager.returned", "pager.resumed"),
)
"""What changed, or is about to change, who looks after the service."""
OF_SERVICE = (
    *OF_DEPENDENCIES,
    *("slo.breached", "slo.recovered", "budget.exhausted", "oncall.split_changed"),
    *SUPPORT_CHANGES,
)
IDENTITIES = ("fingerprint", "incident", "id", "number")
"""What an end has in common with its beginning, besides the pattern."""


class Seen(NamedTuple):
    """An event as the incident view reads it."""

    entity_ref: str
    sequence: int
    kind: str
    occurred_at: datetime
    actor: str
    source: str
    source_event_id: str
    simulated: bool
    summary: str
    link: str
    details: Mapping[str, Any]
    pattern: str | None

    def text(self, *names: str) -> str:
        """Return the first of these details that is a text, else an empty one."""
        for name in names:
            value = self.details.get(name)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return ""


class Round(NamedTuple):
    """The statements, or the rows that they answer with."""

    entities: Any
    owners: Any
    callers: Any
    facts: Any
    sources: Any
    own: Any
    theirs: Any
    past: Any
    mending: Any
    postmortems: Any


SOURCE_COLUMNS = tuple(column.key for column in Source.__mapper__.columns)


@cache
def statements(on: Engine, types: tuple[str, ...], settings: IncidentSettings) -> Round:
    """Return the statements, made once: that takes longer than running them."""
    is_postgresql = on.dialect.name == "postgresql"
    found = selects(is_postgresql, types, settings)
    return Round(*(prepare(on, one) for one in found))


def selects(is_postgresql: bool, types: Sequence[str], settings: IncidentSettings) -> Round:
    """Return the statements as they are written here."""
    near = _neighbours(types, settings.dependencies_shown)
    of_ref = select(REF.label("ref")).subquery("self")
    everyone = union_all(
        select(REF.label("ref"), literal(-1, Integer).label("rank")), select(near.c.ref, near.c.rank)
    ).subquery("everyone")
    past = _past(is_postgresql, settings)
    return Round(
        entities=_entities(everyone),
        owners=_owner(),
        callers=_callers(),
        facts=select(*DOCUMENT_COLUMNS).join(everyone, EntityFacts.entity_ref == everyone.c.ref),
        sources=select(*(getattr(Source, name) for name in SOURCE_COLUMNS))
        .where(Source.configured)
        .order_by(Source.position, Source.name),
        own=_newest(is_postgresql, of_ref, OF_SERVICE, settings.events_of_service),
        theirs=_newest(is_postgresql, near.alias("place"), OF_DEPENDENCIES, settings.events_of_dependency),
        past=past,
        mending=_around(is_postgresql, settings, MENDING, before=True),
        postmortems=_around(is_postgresql, settings, (POSTMORTEM,), before=False),
    )


def _neighbours(types: Sequence[str], at_most: int) -> CTE:
    """Return what the service depends on, directly or by an API, the most critical first."""
    api, provider = aliased(RelationRow), aliased(RelationRow)
    direct = select(RelationRow.target_ref).where(RelationRow.source_ref == REF, RelationRow.type == "dependsOn")
    by_api = (
        select(provider.target_ref)
        .select_from(api)
        .join(provider, provider.source_ref == api.target_ref)
        .where(api.source_ref == REF, api.type == "consumesApi", provider.type == "apiProvidedBy")
    )
    found = union(direct, by_api).subquery("found")
    stated = (
        select(func.upper(SearchRow.value))
        .join(SearchKey, SearchKey.id == SearchRow.key_id)
        .where(SearchKey.name == f"metadata.annotations.{CRITICALITY}", SearchRow.entity_id == Entity.id)
        .limit(1)
        .correlate(Entity)
        .scalar_subquery()
    )
    is_service = and_(Entity.ref == found.c.target_ref, Entity.kind == "component", Entity.type.in_(types))
    ranks = {tier: rank for rank, tier in enumerate(CRITICALITIES)}
    rank = case(ranks, value=stated, else_=len(ranks))
    return (
        select(found.c.target_ref.label("ref"), rank.label("rank"))
        .select_from(found)
        .join(Entity, is_service, isouter=True)
        .where(found.c.target_ref != REF)
        .order_by(rank, found.c.target_ref)
        .limit(at_most)
        .cte("near")
    )


def _entities(everyone: Subquery) -> Select[Any]:
    """Every entity as the catalog has it, or does not; how ready it is, and which support it has."""
    running = and_(Engagement.entity_ref == everyone.c.ref, Engagement.closed_at.is_(None))
    return (
        select(
            *(everyone.c.ref, everyone.c.rank, Entity.kind, Entity.type, EntityBody.body, Location.last_read_at),
            *(Scorecard.level, Scorecard.percent, Scorecard.next_step),
            *(Support.tier, Support.engagement_model, Support.phase, Engagement.model, Engagement.state),
        )
        .select_from(everyone)
        .join(Entity, Entity.ref == everyone.c.ref, isouter=True)
        .join(EntityBody, EntityBody.id == Entity.id, isouter=True)
        .join(Location, Location.id == Entity.location_id, isouter=True)
        .join(Scorecard, Scorecard.entity_ref == everyone.c.ref, isouter=True)
        .join(Support, Support.entity_ref == everyone.c.ref, isouter=True)
        .join(Engagement, running, isouter=True)
    )


def _owner() -> Select[str, bytes]:
    return (
        select(Entity.ref, EntityBody.body)
        .select_from(RelationRow)
        .join(Entity, Entity.ref == RelationRow.target_ref)
        .join(EntityBody, EntityBody.id == Entity.id)
        .where(RelationRow.source_ref == REF, RelationRow.type == "ownedBy")
    )


def _callers() -> Select[str, str, str]:
    """The other ends of the APIs that the service consumes or provides."""
    api, other = aliased(RelationRow), aliased(RelationRow)
    return (
        select(other.source_ref, other.type, other.target_ref)
        .select_from(api)
        .join(other, other.source_ref == api.target_ref)
        .where(
            api.source_ref == REF,
            api.type.in_(("consumesApi", "providesApi")),
            other.type.in_(("apiProvidedBy", "apiConsumedBy")),
        )
    )


def _columns(event: Any) -> list[Any]:
    return [getattr(event, name) for name in Seen._fields]


def _kinds(kinds: Collection[str]) -> Subquery:
    return union_all(*(select(literal(kind, String).label("kind")) for kind in kinds)).subquery("kinds")


def _newest(is_postgresql: bool, refs: Any, kinds: Collection[str], limit: int) -> Select[Any]:
    """Return the newest `limit` events of each kind of each service."""
    wanted, event = _kinds(kinds), aliased(HistoryEvent)
    inner = (
        select(*_columns(event), event.id)
        .where(event.entity_ref == refs.c.ref, event.kind == wanted.c.kind)
        .order_by(event.occurred_at.desc(), event.sequence.desc())
        .limit(limit)
        .correlate(refs, wanted)
    )
    columns, joined, on = _for_each(inner, event, is_postgresql)
    return select(*columns).select_from(refs).join(wanted, true()).join(joined, on)


def _for_each(inner: Select[Any], event: Any, is_postgresql: bool) -> tuple[list[Any], Any, Any]:
    """Return the columns, the table and the condition that join the events of a correlated query."""
    if is_postgresql:
        each = inner.lateral("event")
        return [each.c[name] for name in Seen._fields], each, true()
    # SQLite looks a correlated list of row ids up instead.
    ids = inner.with_only_columns(event.id).scalar_subquery()
    return _columns(HistoryEvent), HistoryEvent, HistoryEvent.id.in_(ids)


def _patterns(settings: IncidentSettings) -> Subquery:
    """Return what past troubles are found by: the patterns of what may be running, and of what began last.

    What ended for certain is left out; what is running in the end is told from the events themselves.
    """
    begun = union_all(*(select(_begins(kind, settings.events_of_service)) for kind in BEGINS)).subquery("begun")
    ended, event = aliased(HistoryEvent), aliased(HistoryEvent)
    has_ended = (
        select(ended.id)
        .where(
            ended.entity_ref == REF,
            ended.kind == case({begin: _end_of(begin) for begin in BEGINS}, value=event.kind),
            ended.occurred_at >= event.occurred_at,
            ended.source == event.source,
            ended.pattern == event.pattern,
            *(func.coalesce(_said(ended, name), "") == func.coalesce(_said(event, name), "") for name in IDENTITIES),
            ~_is_corrected(ended),
        )
        .correlate(event)
        .exists()
    )
    last = select(func.max(begun.c.occurred_at)).scalar_subquery()
    running = (
        select(event.pattern, _said(event, "cause").label("cause"), _said(event, "pattern").label("named"))
        .join(begun, begun.c.id == event.id)
        .where(or_(~has_ended, event.occurred_at == last))
        .cte("running")
    )
    each = union(select(running.c.pattern), select(running.c.cause), select(running.c.named)).subquery("patterns")
    return (
        select(each.c.pattern).where(each.c.pattern.is_not(None)).limit(settings.patterns_compared).subquery("wanted")
    )


def _begins(kind: str, limit: int) -> Subquery:
    event = aliased(HistoryEvent)
    return (
        select(event.id, event.occurred_at)
        .where(event.entity_ref == REF, event.kind == kind)
        .order_by(event.occurred_at.desc(), event.sequence.desc())
        .limit(limit)
        .subquery()
    )


def _end_of(begin: str) -> str:
    return next(end for end, what in ENDS.items() if what == BEGINS[begin])


def _said(event: Any, name: str) -> ColumnElement[str | None]:
    found: ColumnElement[str | None] = event.details[name].as_string()
    return found


def _is_corrected(event: Any) -> ColumnElement[bool]:
    correction = aliased(HistoryEvent)
    return (
        select(correction.id)
        .where(
            correction.entity_ref == event.entity_ref,
            correction.kind == "event.corrected",
            correction.details["corrects"].as_integer() == event.sequence,
        )
        .correlate(event)
        .exists()
    )


def _of_patterns(is_postgresql: bool, kinds: Collection[str], wanted: Subquery, limit: int) -> Select[Any]:
    """Return the newest `limit` events of each pattern, of any service."""
    event = aliased(HistoryEvent)
    inner = (
        select(*_columns(event), event.id)
        .where(event.pattern == wanted.c.pattern, event.kind.in_(kinds))
        .order_by(event.occurred_at.desc())
        .limit(limit)
        .correlate(wanted)
    )
    columns, joined, on = _for_each(inner, event, is_postgresql)
    return select(*columns).select_from(wanted).join(joined, on)


def _past(is_postgresql: bool, settings: IncidentSettings) -> Select[Any]:
    kinds = (*EPISODE_KINDS, *AFTERWARDS)
    return _of_patterns(is_postgresql, kinds, _patterns(settings), settings.similar_looked_at)


def _around(is_postgresql: bool, settings: IncidentSettings, kinds: Collection[str], before: bool) -> Select[Any]:
    """Return the nearest event of each kind before, or after, the ends of past troubles, the service's own first."""
    ends = _of_patterns(is_postgresql, tuple(ENDS), _patterns(settings), settings.similar_looked_at).subquery("ends")
    shown = (
        select(ends.c.entity_ref, ends.c.occurred_at)
        .order_by((ends.c.entity_ref == REF).desc(), ends.c.occurred_at.desc())
        .limit(settings.similar_shown)
        .subquery("shown")
    )
    wanted, event = _kinds(kinds), aliased(HistoryEvent)
    place = (event.occurred_at, event.sequence)
    near = event.occurred_at <= shown.c.occurred_at if before else event.occurred_at >= shown.c.occurred_at
    inner = (
        select(*_columns(event), event.id)
        .where(event.entity_ref == shown.c.entity_ref, event.kind == wanted.c.kind, near)
        .order_by(*(column.desc() if before else column for column in place))
        .limit(1)
        .correlate(shown, wanted)
    )
    columns, joined, on = _for_each(inner, event, is_postgresql)
    return select(*columns).select_from(shown).join(wanted, true()).join(joined, on)
