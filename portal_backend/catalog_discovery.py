"""Asks the providers of `catalog.providers` for catalog files, each in its own time."""

import logging

import catalog.settings
from catalog.discovery.finding import find_targets
from catalog.discovery.keeping import DiscoveryReport, due_providers, keep_failure, keep_found, let_go_unnamed
from catalog.places.faults import Unreadable
from catalog.settings import CatalogSettings, Provider
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.core.errors import PortalError

log = logging.getLogger(__name__)


def discover(*, only_due: bool = False, allow_removals: bool = False) -> list[DiscoveryReport]:
    """Ask every provider, or those that are due; one that cannot be asked keeps what it found before.

    The locations of providers that portal.yaml names no more are let go. `allow_removals` lets all go that has to,
    however much it is.
    """
    settings = catalog.settings.current()
    providers = list(settings.providers)
    if only_due and providers:
        with reading() as session:
            providers = due_providers(session, providers, clock.now())
    reports = [_discover(provider, settings, allow_removals=allow_removals) for provider in providers]
    with transaction() as session:
        return reports + let_go_unnamed(
            session, _names(settings), settings.removal_share, clock.now(), allow_removals=allow_removals
        )


def _names(settings: CatalogSettings) -> list[str]:
    return [provider.name for provider in settings.providers]


def _discover(provider: Provider, settings: CatalogSettings, *, allow_removals: bool) -> DiscoveryReport:
    try:
        found = find_targets(provider, settings.urls)
        with transaction() as session:
            return keep_found(
                session,
                provider,
                found,
                settings.removal_share,
                clock.now(),
                allow_removals=allow_removals,
                named=_names(settings),
            )
    except (Unreadable, PortalError) as error:
        log.warning("catalog files not discovered", extra={"portal": {"provider": provider.name, "error": str(error)}})
        with transaction() as session:
            return keep_failure(session, provider, str(error), clock.now())
