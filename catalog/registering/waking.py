"""Having locations read as soon as possible; the reading itself is the worker's."""

import contextlib
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session

from catalog.format.refs import BadReference, normal_ref
from catalog.models import CatalogFault, Entity, Location
from plugins import sources
from portal_backend.core.db import chunks
from portal_backend.core.errors import Fault, NotFound

CATALOG_SOURCE = "catalog"
"""The source under whose name the worker reads locations."""


def make_due(session: Session, location_ids: Collection[str], now: datetime) -> None:
    """Have the locations read as soon as possible, and all that follows from entities that went or came."""
    for some in chunks(location_ids):
        session.execute(update(Location).where(Location.id.in_(some)).values(due_at=None))
    with contextlib.suppress(NotFound):  # before the first start nothing is configured, and everything is due
        sources.request_collection(session, CATALOG_SOURCE, now)


def request_refresh(session: Session, entity_ref: str, now: datetime) -> None:
    """Have an entity and all Location entities that led to it read again; raises NotFound.

    They all belong to one registered location, which is read as a whole: what is unchanged there costs a comparison.
    An entity that never passed is known by its faults, a location that could never be read by its own reference.
    """
    try:
        ref = normal_ref(entity_ref)
    except BadReference as error:
        raise NotFound(f"No entity has such a reference: {error}.", [Fault("entityRef", str(error))]) from error
    ids = set(session.scalars(_suppliers(ref))) if "\0" not in ref else set()
    if not ids:
        raise NotFound(f"No entity {ref} exists, so nothing can be read again for it.")
    make_due(session, ids, now)


def _suppliers(ref: str) -> Select[str]:
    supplies = select(Entity.location_id).where(Entity.ref == ref)
    fails = select(CatalogFault.location_id).where(CatalogFault.ref == ref)
    return select(Location.id).where(or_(Location.entity_ref == ref, Location.id.in_(supplies), Location.id.in_(fails)))
