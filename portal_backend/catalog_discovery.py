"""Asks the providers of `catalog.providers` for catalog files, each in its own time."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

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

    Before anything goes, the other providers of its host are asked too: a repository that went from one to another
    stays what it is. The locations of providers that portal.yaml names no more are let go. `allow_removals` lets all go
    that has to, however much it is.
    """
    settings = catalog.settings.current()
    providers = list(settings.providers)
    if only_due and providers:
        with reading() as session:
            providers = due_providers(session, providers, clock.now())
    run = _Run(settings, allow_removals)
    for provider in providers:
        run.ask(provider)
    run.let_go()
    with transaction() as session:
        return list(run.reports.values()) + let_go_unnamed(
            session, run.names, settings.removal_share, clock.now(), allow_removals=allow_removals
        )


class _Run:
    """The providers that were asked in one run, and what came of it."""

    def __init__(self, settings: CatalogSettings, allow_removals: bool) -> None:
        self.settings, self.allow_removals = settings, allow_removals
        self.names = [provider.name for provider in settings.providers]
        self.reports: dict[str, DiscoveryReport] = {}
        self._found: dict[str, Mapping[str, str]] = {}
        """Of the providers that could be asked."""

    def ask(self, provider: Provider) -> None:
        """Ask a provider and keep what it finds; what is found no more waits for the other providers of its host."""
        try:
            found = find_targets(provider, self.settings.urls)
            alone = not self._others(provider)
            self.reports[provider.name] = self._keep(provider, found, {} if alone else None)
            self._found[provider.name] = found
        except (Unreadable, PortalError) as error:
            told = {"provider": provider.name, "error": str(error)}
            log.warning("catalog files not discovered", extra={"portal": told})
            with transaction() as session:
                self.reports[provider.name] = keep_failure(session, provider, str(error), clock.now())

    def let_go(self) -> None:
        """Let go what no provider of its host finds any more, as far as they can all be asked or a person consents."""
        waiting = [one for one in self.settings.providers if self._waits(one)]
        for provider in waiting:
            for other in self._others(provider):
                if other.name not in self.reports:
                    self.ask(other)
        for provider in self.settings.providers:
            others = self._others(provider)
            if self._waits(provider) and (self.allow_removals or all(other.name in self._found for other in others)):
                self._let_go(provider, others)

    def _let_go(self, provider: Provider, others: Sequence[Provider]) -> None:
        elsewhere = {target: other.name for other in others for target in self._found.get(other.name, ())}
        before = self.reports[provider.name]
        after = self._keep(provider, self._found[provider.name], elsewhere)
        self.reports[provider.name] = replace(after, added=before.added, moved=before.moved)

    def _keep(
        self, provider: Provider, found: Mapping[str, str], elsewhere: Mapping[str, str] | None
    ) -> DiscoveryReport:
        with transaction() as session:
            return keep_found(
                session,
                provider,
                found,
                self.settings.removal_share,
                clock.now(),
                allow_removals=self.allow_removals,
                named=self.names,
                elsewhere=elsewhere,
            )

    def _waits(self, provider: Provider) -> bool:
        report = self.reports.get(provider.name)
        return report is not None and report.waits_for_others

    def _others(self, provider: Provider) -> list[Provider]:
        """Return the other providers that repositories of this one may go to."""
        host = provider.integration.host
        return [one for one in self.settings.providers if one is not provider and one.integration.host == host]
