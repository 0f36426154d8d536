"""What an entity's status says: the faults of the last read that concern it, in Backstage's shape."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.format.refs import location_ref
from catalog.ingestion.finishing import StatusItem
from catalog.models import CatalogFault, Entity, Location
from portal_backend.core.db import chunks

PROCESSING = "backstage.io/catalog-processing"
MAX_ITEMS = 10
MAX_MESSAGE = 500

ANY_SHOWN = select(CatalogFault.id).where(CatalogFault.shown_at.is_not(None)).limit(1)


def status_items(
    session: Session, refs: Iterable[str], *, but_faults_of: str | None = None
) -> dict[str, list[StatusItem]]:
    """Return the status items of those of the entities that have any.

    A fault of the location that supplies an entity is an error. A conflict is an error nowhere: the document that came
    too late is not used, and the entity that is used shows a warning. `but_faults_of` leaves out what the last read of
    one location found, because a new one is being written.
    """
    found: dict[str, list[StatusItem]] = {}
    statement = (
        select(CatalogFault, Location.type, Location.target, Entity.location_id)
        .join(Location, Location.id == CatalogFault.location_id)
        .join(Entity, Entity.ref == CatalogFault.shown_at)
        .order_by(CatalogFault.id)
    )
    if but_faults_of is not None:
        statement = statement.where(CatalogFault.location_id != but_faults_of)
    if session.execute(ANY_SHOWN).first() is None:
        return {}  # most catalogs are without fault: then nobody is asked about by name
    for some in chunks(refs):
        for fault, type_, target, supplier in session.execute(statement.where(CatalogFault.shown_at.in_(some))):
            items = found.setdefault(fault.shown_at or "", [])
            if len(items) >= MAX_ITEMS:
                continue
            if fault.supplied_by is not None:
                items.append(_conflict(fault, location_ref(type_, target)))
            elif fault.location_id == supplier:
                items.append(_item("error", error_of(fault)))
    return {ref: items for ref, items in found.items() if items}


def error_of(fault: CatalogFault) -> dict[str, str]:
    """Return what went wrong as name and message, the names being those of Backstage."""
    place = fault.file if fault.document is None else f"{fault.file}, document {fault.document}"
    name = "NotFoundError" if fault.document is None else "InputError"
    if fault.ref and fault.shown_at not in {None, fault.ref}:
        name = "NotAllowedError"  # of a kind that may not come from there: it is shown at the Location instead
    said = " ".join(part for part in (fault.path, fault.message) if part)
    return {"name": name, "message": (said if said.startswith(f"{place} ") else f"{place}: {said}")[:MAX_MESSAGE]}


def _item(level: str, error: dict[str, str]) -> StatusItem:
    message = f"{error['name']}: {error['message']}"
    return {"type": PROCESSING, "level": level, "message": message, "error": error}


def _conflict(fault: CatalogFault, location: str) -> StatusItem:
    place = f"{fault.file}, document {fault.document}"
    message = f"{location} supplies this entity too ({place}); that document is not used, rename it or take it away"
    return _item("warning", {"name": "ConflictError", "message": message[:MAX_MESSAGE]})
