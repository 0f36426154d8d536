"""The service list as one query: what stands in a row, what it can be filtered and sorted by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, case, exists, func, or_, select
from sqlalchemy.orm import aliased

from catalog.format.refs import BadReference, parse_ref
from catalog.models import Entity, RelationRow, SearchKey, SearchRow
from catalog.services import CRITICALITIES, FROM_BACKSTAGE, LIFECYCLES
from engagements.lifecycle.models import Engagement
from engagements.models import Support
from engagements.tiers import Tier
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.pagination import bad_cursor, decode_cursor, encode_cursor
from scorecards.checks.definitions import Axis
from scorecards.models import Scorecard

NONE = "none"
"""As a filter's value: services that have no value."""

TIER_RANKS = {Tier.DOCUMENTATION: 0, Tier.CONSULTATION: 1, Tier.PLATFORM: 2, Tier.FULL_SRE: 3}
"""How much SRE is involved; the order in which tiers are sorted."""

AXIS_PARTS = ("level", "percent", "coverage")


def _annotation(name: str) -> Any:
    """Return the value (lower case) that each entity gives an annotation, as a table to join."""
    return (
        select(SearchRow.entity_id, func.min(SearchRow.value).label("value"))
        .join(SearchKey, SearchKey.id == SearchRow.key_id)
        .where(SearchKey.name == f"metadata.annotations.sre.portal/{name}")
        .group_by(SearchRow.entity_id)
        .subquery(f"{name}_annotation")
    )


def _related(relation: str, kind: str = "") -> ColumnElement[str | None]:
    """Return the entity that a service has a relation to; of several the first by name."""
    return (
        select(func.min(RelationRow.target_ref))
        .where(
            RelationRow.source_ref == Entity.ref, RelationRow.type == relation, RelationRow.target_ref.startswith(kind)
        )
        .scalar_subquery()
    )


_criticality_stated, _lifecycle_stated = _annotation("criticality"), _annotation("lifecycle")

CRITICALITY = case(*((_criticality_stated.c.value == tier.lower(), tier) for tier in CRITICALITIES), else_=None)
LIFECYCLE = case(
    (_lifecycle_stated.c.value.in_(LIFECYCLES), _lifecycle_stated.c.value),
    *((Entity.lifecycle == spelled, word) for spelled, word in FROM_BACKSTAGE.items()),
    else_=None,
)
TIER = func.coalesce(Support.tier, Tier.DOCUMENTATION.value)
TIER_RANK = case({tier.value: rank for tier, rank in TIER_RANKS.items()}, value=TIER, else_=0)
AXIS_COLUMNS: dict[str, SQLColumnExpression[Any]] = {
    f"{axis}.{part}": getattr(Scorecard, f"{axis}_{part}") for axis in Axis for part in AXIS_PARTS
}

FILTERS: dict[str, SQLColumnExpression[Any]] = {
    "criticality": CRITICALITY,
    "lifecycle": LIFECYCLE,
    "owner": _related("ownedBy"),
    "system": _related("partOf", "system:"),
    "type": Entity.type,
    "tier": TIER,
    "model": func.coalesce(Engagement.model, Support.engagement_model),
    "phase": func.coalesce(Engagement.state, Support.phase),
    "level": Scorecard.level,
    **{name: column for name, column in AXIS_COLUMNS.items() if name.endswith(".level")},
}
"""What the list can be filtered by, besides `tag` and `q`. Each takes several values, of which one must fit."""

REFERENCES = {"owner": "group", "system": "system"}
"""The filters that take entity references, and the kind of a reference that names none."""

SORTS: dict[str, SQLColumnExpression[Any]] = {
    "ref": Entity.ref,
    "kind": Entity.kind,
    "namespace": Entity.namespace,
    "name": Entity.name,
    "title": func.coalesce(Entity.title, Entity.name),
    **{name: column for name, column in FILTERS.items() if not name.endswith(".level")},
    "tier": TIER_RANK,
    "percent": Scorecard.percent,
    "coverage": Scorecard.coverage,
    **AXIS_COLUMNS,
}
"""What the list can be sorted by. Services without a value come last in either direction."""


@dataclass(frozen=True)
class ServiceFilter:
    """Which services to list. An empty field lets every service pass."""

    values: Mapping[str, Sequence[str]]
    """Values by the names of FILTERS."""
    tags: Sequence[str] = ()
    """Each must be among the service's tags."""
    text: str = ""
    """Words that must all occur in name, title or description."""


@dataclass(frozen=True)
class Sort:
    """The order of a list: a name of SORTS, and its direction. Ties are ordered by reference."""

    key: str = "name"
    descending: bool = False


def parse_sort(text: str) -> Sort:
    """Read `key` or `-key`; raises InvalidInput naming the keys there are."""
    sort = Sort(text.removeprefix("-"), text.startswith("-"))
    if sort.key not in SORTS:
        message = f"is no sort key; use one of {', '.join(SORTS)}, with - in front for descending order"
        raise InvalidInput(f"sort {message}", [Fault("sort", message)])
    return sort


def matching(types: Sequence[str], wanted: ServiceFilter) -> list[ColumnElement[bool]]:
    """Return the conditions that a listed service fulfils."""
    conditions: list[ColumnElement[bool]] = [Entity.kind == "component", Entity.type.in_(list(types))]
    for name, values in wanted.values.items():
        if values:
            conditions.append(_one_of(FILTERS[name], _comparable(name, values)))
    conditions += [_has(path="metadata.tags", value=tag.lower()) for tag in wanted.tags]
    conditions += [_contains(word) for word in wanted.text.lower().split()]
    return conditions


def joined(statement: Select[Any]) -> Select[Any]:
    """Return a query over entities together with their support, their scorecard and what they state of themselves."""
    return (
        statement.select_from(Entity)
        .outerjoin(Support, Support.entity_ref == Entity.ref)
        .outerjoin(Engagement, and_(Engagement.entity_ref == Entity.ref, Engagement.closed_at.is_(None)))
        .outerjoin(Scorecard, Scorecard.entity_ref == Entity.ref)
        .outerjoin(_criticality_stated, _criticality_stated.c.entity_id == Entity.id)
        .outerjoin(_lifecycle_stated, _lifecycle_stated.c.entity_id == Entity.id)
    )


def ordered(statement: Select[Any], sort: Sort, cursor: str | None) -> Select[Any]:
    """Return the query in the order wanted, from the cursor's place on; raises InvalidInput on a foreign cursor."""
    column = SORTS[sort.key]
    if cursor is not None:
        statement = statement.where(_after(column, sort, cursor))
    direction = column.desc() if sort.descending else column.asc()
    return statement.order_by(column.is_(None), direction, Entity.ref)


def cursor_at(sort: Sort, value: Any, ref: str) -> str:
    """Return the cursor of the page that follows a row."""
    return encode_cursor([sort.key, sort.descending, value, ref])


def _after(column: SQLColumnExpression[Any], sort: Sort, cursor: str) -> ColumnElement[bool]:
    match decode_cursor(cursor):
        case [_, _, _, str(ref)] if "\0" in ref:
            raise bad_cursor()
        case [sort.key, sort.descending, None, str(ref)]:
            return and_(column.is_(None), Entity.ref > ref)
        case [sort.key, sort.descending, str() | int() | float() as value, str(ref)] if _fits(sort, value):
            value = float(value) if _is_number(sort) else value
            further = column < value if sort.descending else column > value
            return or_(further, and_(column == value, Entity.ref > ref), column.is_(None))
    raise bad_cursor()


def _fits(sort: Sort, value: object) -> bool:
    """Say whether a cursor's value is of the sort key's kind, so that no database is asked to compare the two."""
    if isinstance(value, str):
        return not _is_number(sort) and "\0" not in value
    return not isinstance(value, bool) and _is_number(sort)


def _is_number(sort: Sort) -> bool:
    return sort.key == "tier" or sort.key.endswith(("percent", "coverage"))


def _comparable(name: str, values: Sequence[str]) -> list[str]:
    """Write a filter's values as the catalog stores them; raises InvalidInput when one is no entity reference."""
    kind = REFERENCES.get(name)
    try:
        if kind:
            return [value if value == NONE else str(parse_ref(value, kind)) for value in values]
    except BadReference as error:
        raise InvalidInput(f"{name}: {error}", [Fault(name, str(error))]) from error
    return [value.lower() if name == "type" else value for value in values]


def _one_of(column: SQLColumnExpression[Any], values: Sequence[str]) -> ColumnElement[bool]:
    present = [value for value in values if value != NONE]
    conditions = [column.in_(present)] if present else []
    if NONE in values:
        conditions.append(column.is_(None))
    return or_(*conditions)


def _has(path: str, value: str) -> ColumnElement[bool]:
    row = aliased(SearchRow)
    return exists(
        select(row.entity_id)
        .join(SearchKey, SearchKey.id == row.key_id)
        .where(SearchKey.name == path, row.value == value, row.entity_id == Entity.id)
    )


def _contains(word: str) -> ColumnElement[bool]:
    row = aliased(SearchRow)
    described = exists(
        select(row.entity_id)
        .join(SearchKey, SearchKey.id == row.key_id)
        .where(
            SearchKey.name == "metadata.description",
            row.entity_id == Entity.id,
            row.value.contains(word, autoescape=True),
        )
    )
    return or_(Entity.name.contains(word, autoescape=True), Entity.title.contains(word, autoescape=True), described)
