"""What judging rests on besides the observations, fixed once the process has started: checks, fact specs, plugins."""

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import orjson
from flask import Flask, current_app
from sqlalchemy.orm import Session

from catalog.facts import FACTS as CATALOG_FACTS
from plugins.contract import Connector, FactSpec
from scorecards.assessment.kit import Kit
from scorecards.assessment.plan import Plan
from scorecards.checks.definitions import CheckCatalogue
from scorecards.checks.fields import RuleSpecs
from scorecards.checks.vocabulary import VOCABULARY
from scorecards.evidence.causes import CATALOG_SOURCE, Offer, SourceState, Spec, Supply
from scorecards.holding import GRACE

Tiers = Callable[[Session, Collection[str]], Mapping[str, str]]
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Judging:
    """The fixed part of every judgement."""

    catalogue: CheckCatalogue
    specs: Mapping[str, FactSpec]
    service_types: tuple[str, ...]
    offers: Mapping[str, Offer]
    """What each installed plugin could supply, the catalog among them."""
    grace: timedelta = GRACE
    """For how long a source's outage changes no level."""
    tiers: Tiers | None = None
    """Tells the support tiers of services; None where nobody does."""

    @cached_property
    def kit(self) -> Kit:
        """What of it another process needs."""
        return Kit(self.catalogue, self.specs, self.offers, self.grace)

    @cached_property
    def told_facts(self) -> Mapping[str, Spec]:
        """Every fact that is spoken of: the declared ones, and the fields of entities that checks look at."""
        specs = RuleSpecs(self.specs)
        used = {key: specs[key] for check in self.catalogue.checks.values() for key in check.facts}
        return {**self.specs, **used}

    @property
    def plan(self) -> Plan:
        """The catalogue made ready for judging many services."""
        return self.kit.plan

    def supply(self, health: Mapping[str, SourceState]) -> Supply:
        """Return who supplies what, given the configured sources in their order of precedence."""
        return self.kit.supply(health)


def make_judging(
    catalogue: CheckCatalogue,
    specs: Mapping[str, FactSpec],
    connectors: Mapping[str, Connector],
    service_types: Sequence[str],
) -> Judging:
    """Put together what judging rests on; `connectors` are the installed ones, whether or not a source uses them."""
    offers = {
        connector.name: Offer(
            connector.name,
            {spec.key: spec.max_age for spec in connector.facts},
            tuple((annotation.key, annotation.description) for annotation in connector.annotations),
        )
        for connector in connectors.values()
    }
    offers[CATALOG_SOURCE] = Offer(CATALOG_SOURCE, {spec.key: spec.max_age for spec in CATALOG_FACTS})
    return Judging(catalogue, {**VOCABULARY, **catalogue.declared, **specs}, tuple(service_types), offers)


def init_app(app: Flask, judging: Judging) -> None:
    """Let the views and commands of an application judge."""
    app.extensions["scorecards"] = judging


def current() -> Judging:
    """Return what the application whose context is active judges by."""
    judging: Judging = current_app.extensions["scorecards"]
    return judging


def _without_numbers(message: object) -> str:
    """A failure that only counts on (`timed out after 10.2 s`) is the same failure."""
    return NUMBER.sub("#", str(message))


def sources_version(health: Mapping[str, SourceState]) -> str:
    """Return a digest of all that a cause says of the sources: two equal ones lead to the same sentences."""
    parts = [
        [
            state.name,
            state.plugin,
            state.simulated,
            state.failure_kind,
            _without_numbers(state.failure_message),
            state.state == "interrupted",
            state.is_overdue,
            state.last_success_at is None,
            state.last_success_at if state.failure_kind or state.is_overdue else None,
            [
                [_without_numbers(fault.get("scope")), _without_numbers(fault.get("message"))]
                for fault in state.fault_sample
            ],
        ]
        for state in health.values()
    ]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]
