"""Registered locations: made, found, listed."""

import hashlib
import os
import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.format.refs import location_ref
from catalog.format.urls import is_absolute_url
from catalog.ingestion.reading import FILE, MAX_TARGET_CHARACTERS, URL
from catalog.models import Location
from portal_backend.core.errors import Fault, InvalidInput


def register_location(session: Session, type_: str, target: str, now: datetime) -> Location:
    """Return the location of this type and target, newly registered if it was not; nothing is read yet.

    Raises InvalidInput for a type or a target that can never be read.
    """
    check_target(type_, target)
    known = session.scalar(select(Location).where(Location.type == type_, Location.target == target))
    if known is not None:
        return known
    digest = hashlib.sha1(location_ref(type_, target).encode(), usedforsecurity=False).hexdigest()
    location = Location(
        id=str(uuid.uuid4()),
        type=type_,
        target=target,
        entity_ref=f"location:default/generated-{digest}",
        created_at=now,
        last_attempt_at=None,
        last_read_at=None,
        last_error=None,
    )
    session.add(location)
    session.flush()
    return location


def classify(target: str) -> tuple[str, str]:
    """Return type and target of what a person names on a command line: a URL, or a path made absolute."""
    if target.lower().startswith(("http://", "https://")):
        return URL, target
    return FILE, os.path.abspath(os.path.expanduser(target))


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
