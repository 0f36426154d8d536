"""Repositories that stand elsewhere now: their locations follow, so that entities keep their uid and their history."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from catalog.discovery.models import DiscoveredLocation
from catalog.ingestion.reading import URL
from catalog.models import Location
from catalog.registering.registrations import move
from portal_backend.core.db import chunks
from portal_backend.core.errors import Conflict, InvalidInput


class Kept(NamedTuple):
    """A location that a provider found."""

    location_id: str
    repository: str | None
    """See `DiscoveredLocation.repository`."""


def follow_repositories(
    session: Session, own: Mapping[str, Kept], found: Mapping[str, str], actor: str, now: datetime
) -> dict[str, str]:
    """Give the locations of repositories with another name, place or branch their new targets; return them by the old.

    `own` are a provider's locations by target, `found` the repositories by the targets that there are now. A target
    that is registered already is left alone, as is a location that portal.yaml names: the old one is found no more.
    """
    targets = {repository: target for target, repository in found.items()}
    waiting = {
        old: new
        for old, kept in own.items()
        if kept.repository is not None and (new := targets.get(kept.repository, old)) != old
    }
    moved: dict[str, str] = {}
    while waiting:
        taken = registered(session, waiting.values())
        free = {old: new for old, new in waiting.items() if new not in taken}
        if not free:  # another's target, or names that were given round in a circle
            break
        for old, new in free.items():
            del waiting[old]
            if move_location(session, own[old].location_id, new, actor, now):
                moved[old] = new
    return moved


def remember_repositories(session: Session, own: Mapping[str, Kept], found: Mapping[str, str]) -> None:
    """Keep which repository each location belongs to, as far as that is not known."""
    rows = [
        {"location_id": kept.location_id, "repository": found[target]}
        for target, kept in own.items()
        if target in found and kept.repository != found[target]
    ]
    if rows:
        session.execute(update(DiscoveredLocation), rows)


def registered(session: Session, targets: Collection[str]) -> set[str]:
    """Return those of the URLs that are registered locations, whoever registered them."""
    return {
        target
        for some in chunks(sorted(targets))
        for target in session.scalars(select(Location.target).where(Location.type == URL, Location.target.in_(some)))
    }


def move_location(session: Session, location_id: str, target: str, actor: str, now: datetime) -> bool:
    """Give a location another target; say whether it may have it."""
    try:
        move(session, location_id, URL, target, actor, now)
    except (Conflict, InvalidInput):
        return False
    return True
