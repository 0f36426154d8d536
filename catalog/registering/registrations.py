"""Registered locations: made, found, given another target, taken away."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.orm import Session

from catalog.format.refs import location_ref
from catalog.ingestion.changes import Change, ChangeKind, record_changes
from catalog.ingestion.differences import Difference
from catalog.locations import REGISTRATION, check_target, find_location, register_location
from catalog.models import Entity, Location, LocationFile
from catalog.registering.waking import make_due
from portal_backend.core.db import serialise
from portal_backend.core.errors import Conflict, Fault, NotFound

REFRESH, REJECT = "refresh", "reject"
"""What becomes of a registration of what is registered: it is read again, or the caller is told."""


def register(
    session: Session, type_: str, target: str, actor: str, now: datetime, *, on_conflict: str = REJECT
) -> Location:
    """Return the location, newly registered by `actor` or, with `on_conflict` "refresh", the one that there is.

    Either is read as soon as possible. Raises InvalidInput for a target that can never be read, Conflict.
    """
    serialise(session, REGISTRATION)
    known = find_location(session, type_, target)
    if known is None:
        made = register_location(session, type_, target, now, registered_by=actor)
        make_due(session, [made.id], now)
        return made
    if on_conflict != REFRESH:
        raise Conflict(
            f"Location {location_ref(type_, target)} already exists, as {known.id}; "
            "send onConflict=refresh to have it read again."
        )
    make_due(session, [known.id], now)
    return known


def get_location(session: Session, location_id: str) -> Location:
    """Return the location with this id; raises NotFound."""
    found = session.get(Location, location_id) if "\0" not in location_id else None
    if found is None:
        raise NotFound(f"No location with id {location_id} is registered; GET /locations lists those that are.")
    return found


def location_of(session: Session, entity_ref: str) -> Location:
    """Return the registered location that supplies an entity (lower-case reference); raises NotFound."""
    statement = select(Location).join(Entity, Entity.location_id == Location.id).where(Entity.ref == entity_ref)
    found = session.scalar(statement) if "\0" not in entity_ref else None
    if found is None:
        raise NotFound(f"No entity {entity_ref} exists, so no location supplies it.")
    return found


def move(session: Session, location_id: str, type_: str, target: str, actor: str, now: datetime) -> Location:
    """Give a location another type and target; it keeps its id and its reference, and is read as soon as possible.

    What only the old target held leaves with the first whole read of the new one. The same target again changes
    nothing. Raises NotFound, InvalidInput, Conflict.
    """
    check_target(type_, target)
    serialise(session, REGISTRATION)
    location = get_location(session, location_id)
    if (location.type, location.target) == (type_, target):
        return location
    require_free(location, "given another target")
    known = find_location(session, type_, target)
    if known is not None:
        raise Conflict(f"Location {location_ref(type_, target)} already exists, as {known.id}; delete one of the two.")
    differing = [
        Difference(f"spec.{name}", before, after)
        for name, before, after in (("type", location.type, type_), ("target", location.target, target))
        if before != after
    ]
    record_changes(session, [Change(location.entity_ref, ChangeKind.CHANGED, None, None, differing)], actor, now)
    location.type, location.target = type_, target
    location.moved_at = now
    location.last_error = None
    session.execute(delete(LocationFile).where(LocationFile.location_id == location_id))
    session.flush()
    make_due(session, [location_id], now)
    return location


def require_free(location: Location, done: str) -> None:
    """Raise Conflict when portal.yaml holds the location; `done` says what it cannot be."""
    if location.configured:
        message = "is named in portal.yaml and would come back at the next start; take it out there and start again"
        ref = location_ref(location.type, location.target)
        raise Conflict(f"Location {ref} cannot be {done}: it {message}.", [Fault("id", message)])


def keep_configured(session: Session, places: Iterable[tuple[str, str]], now: datetime) -> None:
    """Register what the configuration names (type and target), and free what it no longer names. Safe to repeat."""
    named: Collection[tuple[str, str]] = list(dict.fromkeys(places))
    serialise(session, REGISTRATION)
    for type_, target in named:
        register_location(session, type_, target, now)
    is_named = tuple_(Location.type, Location.target).in_(named)
    for holds, condition in ((True, is_named), (False, ~is_named)):
        differs = Location.configured.is_not(holds)
        session.execute(update(Location).where(condition, differs).values(configured=holds))
