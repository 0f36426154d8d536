"""What a provider found becomes registered locations; what it found no more goes, a few at a time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from catalog.discovery.models import DiscoveredLocation, DiscoveryRun
from catalog.discovery.renames import Kept, follow_repositories, registered, remember_repositories
from catalog.discovery.transfers import hand_over, take_transferred
from catalog.ingestion.pacing import may_remove
from catalog.ingestion.reading import URL
from catalog.locations import register_location
from catalog.models import Location
from catalog.registering.removal import remove_location
from catalog.settings import Provider
from portal_backend.core.db import chunks, serialise
from portal_backend.core.errors import InvalidInput

DISCOVERY = "catalog discovery"
"""One run at a time keeps what it found: locations may go from one provider to another."""
MAX_ERROR = 2_000
MAX_SHOWN = 200
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
    moved: tuple[str, ...] = ()
    """Targets of repositories that stood elsewhere before: their locations have followed them."""
    removed: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    """Targets that were found no more; so many at once wait for a person."""
    waits_for_others: bool = False
    """What is withheld may go as soon as the other providers of its host were asked whether they find it."""
    skipped: tuple[str, ...] = ()
    """Targets that are not the provider's to add or remove, each with the reason."""
    configured: bool = True
    """Whether portal.yaml still names the provider."""
    error: str | None = None
    """Why the provider could not be asked; nothing changed then."""


def due_providers(session: Session, providers: Sequence[Provider], now: datetime) -> list[Provider]:
    """Return the providers that are to be asked now."""
    waiting = set(session.scalars(select(DiscoveryRun.provider).where(DiscoveryRun.due_at > now)))
    return [provider for provider in providers if provider.name not in waiting]


def provider_states(session: Session, providers: Sequence[Provider]) -> list[dict[str, Any]]:
    """Return each provider and how its last run went; then those that portal.yaml names no more, but have locations."""
    runs = {run.provider: run for run in session.scalars(select(DiscoveryRun))}
    named = {provider.name: (provider.integration.host, provider.owner) for provider in providers}
    left = dict.fromkeys(unnamed_providers(session, named), (None, None))
    return [
        {
            "name": name,
            "host": host,
            "owner": owner,
            "configured": name in named,
            **{field: getattr(runs.get(name), field, default) for field, default in _OF_RUN.items()},
        }
        for name, (host, owner) in {**left, **named}.items()
    ]


def unnamed_providers(session: Session, named: Collection[str]) -> list[str]:
    """Return the providers, sorted, that have locations, though portal.yaml names them no more."""
    known = session.scalars(select(DiscoveredLocation.provider).distinct())
    return sorted(set(known) - set(named))


def let_go_unnamed(
    session: Session, named: Collection[str], share: float, now: datetime, *, allow_removals: bool = False
) -> list[DiscoveryReport]:
    """Let go the locations of providers that portal.yaml names no more, under the cap of `keep_found`."""
    reports = []
    for name in unnamed_providers(session, named):
        serialise(session, DISCOVERY)
        own = _own(session, name)
        removed, withheld, skipped = _let_go(
            session, name, own, sorted(own), now, may_go=allow_removals or may_remove(share, len(own), len(own))
        )
        run = session.get(DiscoveryRun, name)
        if run is not None:
            run.found, run.withheld, run.last_error = 0, len(withheld), "portal.yaml names this provider no more"
            if not withheld:
                session.delete(run)
        session.flush()
        reports.append(
            DiscoveryReport(
                name, removed=tuple(removed), withheld=tuple(withheld), skipped=tuple(skipped), configured=False
            )
        )
    return reports


def keep_found(
    session: Session,
    provider: Provider,
    found: Mapping[str, str],
    share: float,
    now: datetime,
    *,
    allow_removals: bool = False,
    named: Collection[str] | None = None,
    elsewhere: Mapping[str, str] | None = MappingProxyType({}),
) -> DiscoveryReport:
    """Register what was found and let go what was not; safe to repeat.

    `found` are the repositories by the targets that there are now (`find_targets`). The location of a repository that
    stands elsewhere now follows it. At most the `share` of the provider's locations goes at once, or one; nothing goes
    where nothing at all was found. What somebody else registered stays theirs; of a provider that is not among the
    `named` any more, it is taken over, as is that of a repository which has come here from another provider.

    `elsewhere` are the names of the other providers by the targets that they found; what is found there is theirs
    now. None: they have to be asked before anything goes.
    """
    serialise(session, DISCOVERY)
    if named is not None:
        _take_over(session, provider.name, found, unnamed_providers(session, named))
    own = _own(session, provider.name)
    moved = follow_repositories(session, own, found, f"provider:{provider.name}", now)
    came = take_transferred(session, provider, own, found, now)
    own = _own(session, provider.name) if moved or came else own
    remember_repositories(session, own, found)
    added, skipped = _register(session, provider.name, found, now)
    gone = {target: own[target] for target in own.keys() - found.keys()}
    missing = sorted(gone.keys() - hand_over(session, gone, elsewhere or {}))
    may_go = allow_removals or (bool(found) and may_remove(share, len(missing), len(own)))
    waits = may_go and bool(missing) and elsewhere is None
    removed, withheld, stay = _let_go(session, provider.name, own, missing, now, may_go=may_go and not waits)
    _note(session, provider, now, found=len(found), withheld=len(withheld))
    return DiscoveryReport(
        provider.name,
        len(found),
        added=tuple(added),
        moved=tuple(sorted([*moved.values(), *came])),
        removed=tuple(removed),
        withheld=tuple(withheld),
        waits_for_others=waits and bool(withheld),
        skipped=(*skipped, *stay),
    )


def _register(session: Session, provider: str, found: Mapping[str, str], now: datetime) -> tuple[list[str], list[str]]:
    """Register what nobody has registered yet; return the targets, and those that cannot be, each with the reason."""
    added, skipped = [], []
    for target in sorted(found.keys() - registered(session, found)):
        try:
            location = register_location(session, URL, target, now, registered_by=f"provider:{provider}")
        except InvalidInput as error:
            skipped.append(f"{target[:MAX_SHOWN]}: {error.message}")
            continue
        session.add(DiscoveredLocation(location_id=location.id, provider=provider, repository=found[target]))
        added.append(target)
    session.flush()
    return added, skipped


def _let_go(
    session: Session,
    provider: str,
    own: Mapping[str, Kept],
    missing: Sequence[str],
    now: datetime,
    *,
    may_go: bool,
) -> tuple[list[str], list[str], list[str]]:
    """Return which targets went, which wait for a person, and which are portal.yaml's now and stay with it."""
    ids = {target: own[target].location_id for target in missing}
    configured = _configured(session, list(ids.values()))
    for some in chunks(sorted(configured)):
        session.execute(delete(DiscoveredLocation).where(DiscoveredLocation.location_id.in_(some)))
    skipped = [f"{target}: portal.yaml names it, so it stays" for target in missing if ids[target] in configured]
    free = [target for target in missing if ids[target] not in configured]
    if not may_go:
        return [], free, skipped
    for target in free:
        remove_location(session, ids[target], f"provider:{provider}", now)
    return free, [], skipped


def _take_over(session: Session, provider: str, targets: Collection[str], unnamed: Sequence[str]) -> None:
    """Make locations of providers that are named no more this provider's, which found the same: a change of name."""
    for some in chunks(sorted(targets)) if unnamed else ():
        ids = select(Location.id).where(Location.type == URL, Location.target.in_(some))
        of_others = (DiscoveredLocation.provider.in_(unnamed), DiscoveredLocation.location_id.in_(ids))
        session.execute(update(DiscoveredLocation).where(*of_others).values(provider=provider))


def _configured(session: Session, ids: Sequence[str]) -> set[str]:
    """Return those of the locations that portal.yaml names."""
    return {
        found
        for some in chunks(ids)
        for found in session.scalars(select(Location.id).where(Location.id.in_(some), Location.configured.is_(True)))
    }


def keep_failure(session: Session, provider: Provider, error: str, now: datetime) -> DiscoveryReport:
    """Remember that a provider could not be asked."""
    _note(session, provider, now, error=error[:MAX_ERROR])
    return DiscoveryReport(provider.name, error=error)


def _own(session: Session, provider: str) -> dict[str, Kept]:
    """Return a provider's locations by target."""
    statement = select(Location.target, Location.id, DiscoveredLocation.repository).join(
        DiscoveredLocation, DiscoveredLocation.location_id == Location.id
    )
    rows = session.execute(statement.where(DiscoveredLocation.provider == provider))
    return {target: Kept(location_id, repository) for target, location_id, repository in rows}


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
