"""Reading entities and what is wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from catalog.format.refs import BadReference, normal_ref
from catalog.models import CatalogFault, Entity, EntityBody, Location
from portal_backend.core.errors import Fault, InvalidInput, NotFound
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor

BODY_BY_REF = select(EntityBody.body).join(Entity, Entity.id == EntityBody.id).where(Entity.ref == bindparam("ref"))


@dataclass(frozen=True)
class EntitySummary:
    """A line of a list of entities."""

    ref: str
    kind: str
    name: str
    title: str | None
    type: str | None
    owner: str | None
    """As written."""
    location: str
    """The file or URL that holds it."""


def full_ref(ref: str) -> str:
    """Return what a person names an entity by in its full lower-case form; raises InvalidInput when it is none."""
    try:
        return normal_ref(ref)
    except BadReference as error:
        raise InvalidInput(f"{error}.", [Fault("ref", str(error))]) from error


def get_entity(session: Session, ref: str) -> dict[str, Any]:
    """Return the final entity with this reference (any case); raises NotFound, InvalidInput when it is none."""
    full = full_ref(ref)
    body = session.scalar(BODY_BY_REF, {"ref": full}) if "\0" not in full else None
    if body is None:
        raise NotFound(f"No entity {full} exists; `portal catalog list` shows those that do.")
    entity: dict[str, Any] = orjson.loads(body)
    return entity


def list_entities(session: Session, kind: str | None, limit: int, after: str = "") -> list[EntitySummary]:
    """Return a page of the entities of one kind (any case) or of all, by reference, from the one after `after` on."""
    statement = select(Entity).where(Entity.ref > after).order_by(Entity.ref).limit(limit)
    if kind is not None:
        statement = statement.where(Entity.kind == kind.lower())
    return [
        EntitySummary(
            ref=entity.ref,
            kind=entity.kind_original or entity.kind,
            name=entity.name_original or entity.name,
            title=entity.title_original or entity.title,
            type=entity.type_original or entity.type,
            owner=entity.owner_original or entity.owner,
            location=entity.file,
        )
        for entity in session.scalars(statement)
    ]


@dataclass(frozen=True)
class FaultSummary:
    """A fault with the location that it belongs to."""

    location_id: str
    location: str
    """The registered target."""
    file: str
    document: int | None
    ref: str
    path: str
    message: str
    seen_at: Any


def list_faults(
    session: Session, limit: int, cursor: str | None = None, location_id: str | None = None, ref: str | None = None
) -> Page[FaultSummary]:
    """Return a page of the faults that the last reads found, oldest first; raises InvalidInput for a strange cursor."""
    statement = (
        select(CatalogFault, Location.target)
        .join(Location, Location.id == CatalogFault.location_id)
        .order_by(CatalogFault.id)
        .limit(limit + 1)
    )
    if cursor is not None:
        statement = statement.where(CatalogFault.id > _position(cursor))
    if location_id is not None:
        statement = statement.where(CatalogFault.location_id == location_id)
    if ref is not None:
        statement = statement.where(CatalogFault.ref == ref.lower())
    is_storable = "\0" not in f"{location_id}{ref}"
    rows: Sequence[Any] = session.execute(statement).all() if is_storable else []
    items = [
        FaultSummary(
            fault.location_id, target, fault.file, fault.document, fault.ref, fault.path, fault.message, fault.seen_at
        )
        for fault, target in rows[:limit]
    ]
    return Page(items, encode_cursor(rows[limit - 1][0].id) if len(rows) > limit else None)


def _position(cursor: str) -> int:
    position = decode_cursor(cursor)
    if type(position) is not int or not 0 <= position < 2**31:
        raise bad_cursor()
    return position
