"""Registered locations: made, found, listed."""

import hashlib
import os
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.format.refs import DEFAULT_NAMESPACE, location_ref
from catalog.format.urls import is_absolute_url
from catalog.ingestion.reading import FILE, MAX_TARGET_CHARACTERS, URL
from catalog.models import Location
from portal_backend.core.db import serialise
from portal_backend.core.errors import Fault, InvalidInput

REGISTRATION = "catalog registration"
"""One registration after the other: two at once could make the same location."""


def register_location(
    session: Session, type_: str, target: str, now: datetime, *, registered_by: str | None = None
) -> Location:
    """Return the location of this type and target, newly registered if it was not; nothing is read yet.

    Raises InvalidInput for a type or a target that can never be read.
    """
    check_target(type_, target)
    serialise(session, REGISTRATION)
    known = find_location(session, type_, target)
    if known is not None:
        return known
    location_id = str(uuid.uuid4())
    location = Location(
        id=location_id,
        type=type_,
        target=target,
        entity_ref=_free_ref(session, location_ref(type_, target), location_id),
        created_at=now,
        last_attempt_at=None,
        last_read_at=None,
        last_error=None,
        registered_by=registered_by,
    )
    session.add(location)
    session.flush()
    return location


def find_location(session: Session, type_: str, target: str) -> Location | None:
    """Return the registered location of this type and target."""
    if "\0" in type_ + target:
        return None
    return session.scalar(select(Location).where(Location.type == type_, Location.target == target))


def generated_ref(location: str) -> str:
    """Return the reference of the Location entity that stands for a registered location such as `url:https://…`."""
    return f"location:default/generated-{hashlib.sha1(location.encode(), usedforsecurity=False).hexdigest()}"


def location_entity(ref: str, type_: str, target: str) -> dict[str, Any]:
    """Return the Location entity that stands for a registered location, as a document would hold it."""
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Location",
        "metadata": {"name": ref.rpartition("/")[2], "namespace": DEFAULT_NAMESPACE},
        "spec": {"type": type_, "target": target},
    }


def _free_ref(session: Session, location: str, location_id: str) -> str:
    """Return the location's reference; another one where a location that has moved since still bears it."""
    ref = generated_ref(location)
    taken = session.scalar(select(Location.id).where(Location.entity_ref == ref))
    return ref if taken is None else generated_ref(f"{location} {location_id}")


def check_target(type_: str, target: str) -> None:
    """Raise InvalidInput for a type or a target that can never be read."""
    faults = []
    if type_ not in {FILE, URL}:
        faults.append(Fault("type", "must be file or url"))
    if "\0" in target or not 0 < len(target) <= MAX_TARGET_CHARACTERS:
        faults.append(Fault("target", f"must have 1 to {MAX_TARGET_CHARACTERS} characters, none of them NUL"))
    elif type_ == URL and not (target.lower().startswith(("http://", "https://")) and is_absolute_url(target)):
        faults.append(Fault("target", "must be an http or https URL"))
    elif type_ == FILE and not os.path.isabs(target):
        faults.append(Fault("target", "must be an absolute path"))
    if faults:
        raise InvalidInput("The location cannot be registered: " + "; ".join(map(str, faults)), faults)


def list_locations(session: Session) -> Sequence[Location]:
    """Return all registered locations, in the order of their registration."""
    return session.scalars(select(Location).order_by(Location.created_at, Location.id)).all()
