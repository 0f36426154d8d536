"""Repositories that went from one provider to another: what they hold stays, with its uid and its history."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from catalog.discovery.models import DiscoveredLocation
from catalog.discovery.renames import Kept, move_location, registered
from catalog.models import Location
from catalog.places.faults import Unreadable
from catalog.places.scm import Integration, Page, find_page
from catalog.settings import Provider
from portal_backend.core.db import chunks


def take_transferred(
    session: Session, provider: Provider, own: Mapping[str, Kept], found: Mapping[str, str], now: datetime
) -> dict[str, str]:
    """Take over locations of other providers whose repositories this one finds elsewhere; return old targets by new.

    A repository has one address at a time: what another provider once found at another is no more there, whether or
    not that provider has noticed. It has to be the same file of it; two providers may find two files of one repository.
    """
    known = {kept.repository for kept in own.values()}
    fresh = {repository: target for target, repository in found.items() if repository not in known}
    if not fresh:
        return {}
    taken = registered(session, fresh.values())
    moved: dict[str, str] = {}
    for old, kept in sorted(_of_others(session, provider.name, fresh).items()):
        new = fresh[kept.repository] if kept.repository else old
        if new in taken or new in moved or not _stands_elsewhere(old, new, provider.integration):
            continue
        if move_location(session, kept.location_id, new, f"provider:{provider.name}", now):
            _give(session, [kept.location_id], provider.name)
            moved[new] = old
    return moved


def hand_over(session: Session, own: Mapping[str, Kept], elsewhere: Mapping[str, str]) -> set[str]:
    """Give the locations that other providers find now to these; return their targets.

    `elsewhere` are the names of providers by the targets that they found: of repositories that stand where they did,
    and fit another provider's rule now.
    """
    given = own.keys() & elsewhere.keys()
    for name in {elsewhere[target] for target in given}:
        _give(session, [own[target].location_id for target in given if elsewhere[target] == name], name)
    return given


def _of_others(session: Session, provider: str, repositories: Collection[str]) -> dict[str, Kept]:
    statement = select(Location.target, Location.id, DiscoveredLocation.repository).join(
        DiscoveredLocation, DiscoveredLocation.location_id == Location.id
    )
    return {
        target: Kept(location_id, repository)
        for some in chunks(sorted(repositories))
        for target, location_id, repository in session.execute(
            statement.where(DiscoveredLocation.provider != provider, DiscoveredLocation.repository.in_(some))
        )
    }


def _stands_elsewhere(old: str, new: str, integration: Integration) -> bool:
    """Say whether two targets are the same file of a repository, in two places where it cannot be at once."""
    before, after = _page(old, integration), _page(new, integration)
    return before is not None and after is not None and before.path == after.path and before.project != after.project


def _page(target: str, integration: Integration) -> Page | None:
    try:
        return find_page(target, (integration,))
    except Unreadable:
        return None


def _give(session: Session, location_ids: Collection[str], provider: str) -> None:
    for some in chunks(sorted(location_ids)):
        mine = update(DiscoveredLocation).where(DiscoveredLocation.location_id.in_(some))
        session.execute(mine.values(provider=provider))
