"""What a provider found becomes registered locations; what it found no more goes, a few at a time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.discovery.models import DiscoveredLocation, DiscoveryRun
from catalog.ingestion.pacing import may_remove
from catalog.ingestion.reading import URL
from catalog.locations import register_location
from catalog.models import Location
from catalog.registering.removal import remove_location
from catalog.settings import Provider
from portal_backend.core.db import chunks, serialise

MAX_ERROR = 2_000
_OF_RUN: Mapping[str, Any] = {
    "due_at": None, "last_attempt_at": None, "last_success_at": None, "last_error": None, "found": 0, "withheld": 0,
}  # fmt: skip


@dataclass(frozen=True)
class DiscoveryReport:
    """What one run of a provider did."""

    provider: str
    found: int = 0
    """Catalog files that there are."""
    added: tuple[str, ...] = ()
    """Targets that were registered."""
    removed: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    """Targets that were found no more; so many at once wait for a person."""
    error: str | None = None
    """Why the provider could not be asked; nothing changed then."""


def due_providers(session: Session, providers: Sequence[Provider], now: datetime) -> list[Provider]:
    """Return the providers that are to be asked now."""
    waiting = set(session.scalars(select(DiscoveryRun.provider).where(DiscoveryRun.due_at > now)))
    return [provider for provider in providers if provider.name not in waiting]


def provider_states(session: Session, providers: Sequence[Provider]) -> list[dict[str, Any]]:
    """Return each provider and how its last run went."""
    runs = {run.provider: run for run in session.scalars(select(DiscoveryRun))}
    return [
        {
            "name": provider.name,
            "host": provider.integration.host,
            "owner": provider.owner,
            **{name: getattr(runs.get(provider.name), name, default) for name, default in _OF_RUN.items()},
        }
        for provider in providers
    ]


def keep_found(
    session: Session,
    provider: Provider,
    targets: Collection[str],
    share: float,
    now: datetime,
    *,
    allow_removals: bool = False,
) -> DiscoveryReport:
    """Register what was found and let go what was not; safe to repeat.

    At most the `share` of the provider's locations goes at once, or one. Nothing goes where nothing at all was found.
    What somebody else registered stays theirs.
    """
    serialise(session, f"catalog discovery {provider.name}")
    actor = f"provider:{provider.name}"
    own = _own(session, provider.name)
    added = sorted(set(targets) - own.keys() - _registered(session, targets))
    for target in added:
        location = register_location(session, URL, target, now, registered_by=actor)
        session.add(DiscoveredLocation(location_id=location.id, provider=provider.name))
    missing = sorted(own.keys() - set(targets))
    may_go = allow_removals or (bool(targets) and may_remove(share, len(missing), len(own)))
    removed, withheld = (missing, []) if may_go else ([], missing)
    session.flush()
    for target in removed:
        remove_location(session, own[target], actor, now)
    _note(session, provider, now, found=len(targets), withheld=len(withheld))
    return DiscoveryReport(provider.name, len(targets), tuple(added), tuple(removed), tuple(withheld))


def keep_failure(session: Session, provider: Provider, error: str, now: datetime) -> DiscoveryReport:
    """Remember that a provider could not be asked."""
    _note(session, provider, now, error=error[:MAX_ERROR])
    return DiscoveryReport(provider.name, error=error)


def _own(session: Session, provider: str) -> dict[str, str]:
    """Return the ids of a provider's locations by target."""
    statement = select(Location.target, Location.id).join(
        DiscoveredLocation, DiscoveredLocation.location_id == Location.id
    )
    rows = session.execute(statement.where(DiscoveredLocation.provider == provider))
    return {row.target: row.id for row in rows}


def _registered(session: Session, targets: Collection[str]) -> set[str]:
    return {
        target
        for some in chunks(sorted(targets))
        for target in session.scalars(select(Location.target).where(Location.type == URL, Location.target.in_(some)))
    }


def _note(
    session: Session,
    provider: Provider,
    now: datetime,
    *,
    found: int | None = None,
    withheld: int = 0,
    error: str | None = None,
) -> None:
    run = session.get(DiscoveryRun, provider.name)
    if run is None:
        run = DiscoveryRun(provider=provider.name, last_success_at=None, found=0, withheld=0)
        session.add(run)
    run.last_attempt_at, run.due_at, run.last_error = now, now + provider.every, error
    if found is not None:
        run.last_success_at, run.found, run.withheld = now, found, withheld
    session.flush()
