"""Entities that never passed, with the cause: nothing of them can be read anywhere else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.format.refs import location_ref
from catalog.ingestion.status import error_of
from catalog.models import CatalogFault, Entity, Location
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor

MAX_ERRORS = 20
"""Errors told of one entity."""
CONCERNED = func.coalesce(func.nullif(CatalogFault.ref, ""), CatalogFault.shown_at)
"""The entity that a fault is about; the Location entity that led to it where that cannot be told."""


@dataclass(frozen=True)
class Unprocessed:
    """An entity that is not in the catalog although a location names it."""

    ref: str
    location: str
    """The registered location, `file:/srv/catalog`."""
    due_at: datetime | None
    """When it is read next; None: as soon as possible."""
    seen_at: datetime
    """When it was first found, or registered."""
    errors: list[dict[str, str]]
    """Name and message of each; empty while it was never read."""


def list_failed(session: Session, limit: int, cursor: str | None = None) -> Page[Unprocessed]:
    """Return a page of the entities that never passed, by reference; raises InvalidInput for a strange cursor.

    A registered location whose target could never be read is one of them.
    """
    exists = select(Entity.id).where(Entity.ref == CONCERNED).exists()
    is_failure = (CatalogFault.shown_at.is_not(None), CatalogFault.supplied_by.is_(None))
    failed = select(CONCERNED).where(*is_failure, ~exists).distinct().order_by(CONCERNED).limit(limit + 1)
    if cursor is not None:
        failed = failed.where(_position(cursor) < CONCERNED)
    refs = list(session.scalars(failed))
    found: dict[str, Unprocessed] = {}
    rows = session.execute(
        select(CatalogFault, Location)
        .join(Location, Location.id == CatalogFault.location_id)
        .where(CONCERNED.in_(refs[:limit]), *is_failure)
        .order_by(CONCERNED, CatalogFault.id)
    )
    for fault, location in rows:
        ref = fault.ref or fault.shown_at or ""
        name = location_ref(location.type, location.target)
        entry = found.setdefault(ref, Unprocessed(ref, name, location.due_at, fault.seen_at, []))
        if len(entry.errors) < MAX_ERRORS:
            entry.errors.append(error_of(fault))
    return Page(list(found.values()), encode_cursor(refs[limit - 1]) if len(refs) > limit else None)


def list_pending(session: Session, limit: int, cursor: str | None = None) -> Page[Unprocessed]:
    """Return a page of the registered locations that were never read yet, by reference."""
    statement = select(Location).where(Location.last_attempt_at.is_(None)).order_by(Location.entity_ref)
    if cursor is not None:
        statement = statement.where(Location.entity_ref > _position(cursor))
    rows = session.scalars(statement.limit(limit + 1)).all()
    items = [
        Unprocessed(one.entity_ref, location_ref(one.type, one.target), one.due_at, one.created_at, [])
        for one in rows[:limit]
    ]
    return Page(items, encode_cursor(rows[limit - 1].entity_ref) if len(rows) > limit else None)


def as_backstage(one: Unprocessed) -> dict[str, Any]:
    """Return the entry in the shape of Backstage's plugin for unprocessed entities."""
    kind, _, rest = one.ref.partition(":")
    namespace, _, name = rest.partition("/")
    return {
        "entity_id": one.ref,
        "entity_ref": one.ref,
        "unprocessed_entity": {"kind": kind, "metadata": {"namespace": namespace, "name": name}},
        "processed_entity": None,
        "errors": one.errors,
        "next_update_at": one.due_at or one.seen_at,  # the plugin's page cannot show a time that is none
        "last_discovery_at": one.seen_at,
        "location_key": one.location,
    }


def _position(cursor: str) -> str:
    position = decode_cursor(cursor)
    if not isinstance(position, str) or "\0" in position:
        raise bad_cursor()
    return position
