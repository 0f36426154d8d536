"""Taking away by hand: a registered location with all that only it supplied, or one entity."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from catalog.ingestion.candidates import find_stored
from catalog.ingestion.findings import let_others_try
from catalog.ingestion.planning import own_entities
from catalog.ingestion.storing import INGESTION, remove_entities, restate
from catalog.models import CatalogFault, Entity, LocationFile
from catalog.registering.registrations import get_location, require_free
from catalog.registering.waking import make_due
from portal_backend.core.db import serialise


def remove_location(session: Session, location_id: str, actor: str, now: datetime) -> None:
    """Take a location away, with its Location entity and everything that only it supplied.

    Raises NotFound, and Conflict when portal.yaml names the location.
    """
    serialise(session, INGESTION)
    location = get_location(session, location_id)
    require_free(location, "taken away")
    gone = list(own_entities(session, location_id).values())
    remove_entities(session, gone, now, actor=actor)
    let_others_try(session, [stored.ref for stored in gone], location_id)
    warned = _shown_at(session, location_id)
    session.delete(location)
    session.flush()
    restate(session, warned, actor, now)
    make_due(session, [], now)


def _shown_at(session: Session, location_id: str) -> set[str]:
    """Return the entities whose status shows a fault of the location: others that it supplied too, for instance."""
    shown = select(CatalogFault.shown_at).where(CatalogFault.location_id == location_id)
    return {ref for ref in session.scalars(shown.distinct()) if ref is not None}


def remove_entity(session: Session, uid: str, actor: str, now: datetime) -> None:
    """Take one entity away, if it exists; if its file still holds it, the next read brings it back with a new uid."""
    if "\0" in uid:
        return
    serialise(session, INGESTION)
    ref = session.scalar(select(Entity.ref).where(Entity.uid == uid))
    if ref is None:
        return
    gone = find_stored(session, [ref])[ref]
    remove_entities(session, [gone], now, actor=actor)
    let_others_try(session, [gone.ref], gone.location_id)
    judged = (LocationFile.location_id == gone.location_id, LocationFile.file == gone.file)
    session.execute(delete(LocationFile).where(*judged))  # so that the next read judges the file anew
    make_due(session, [], now)
