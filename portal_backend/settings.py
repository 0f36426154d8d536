"""What is fixed once the process has started: configuration, connectors, and the facts and checks that they allow."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from flask import Flask, current_app
from marshmallow import Schema

from catalog.facts import FACTS as CATALOG_FACTS
from plugins import registry
from plugins.contract import FactSpec
from portal_backend.core.config import Config
from scorecards import judging
from scorecards.checks.catalogue import load_catalogue
from scorecards.evidence.derivations import FACTS as DERIVED_FACTS


@dataclass(frozen=True)
class Settings:
    """The fixed part of the application."""

    config: Config
    specs: Mapping[str, FactSpec]
    """Every declared fact by key, whoever supplies it."""


@cache
def option_schemas() -> dict[str, type[Schema]]:
    """Return the options schema of each installed connector by the connector's name."""
    return {name: connector.options_schema for name, connector in registry.connectors().items()}


def init_app(app: Flask, config: Config) -> None:
    """Load the checks against the declared facts; raises InvalidInput that names every fault of a check file."""
    connectors = registry.connectors()
    supplied = [spec for connector in connectors.values() for spec in connector.facts]
    declared = [*CATALOG_FACTS, *DERIVED_FACTS, *supplied]
    specs = {spec.key: spec for spec in declared}
    catalogue = load_catalogue(config.check_paths, specs)
    judging.init_app(app, judging.make_judging(catalogue, specs, connectors, config.service_types))
    app.extensions["portal"] = Settings(config, specs)


def current() -> Settings:
    """Return the settings of the application whose context is active."""
    settings: Settings = current_app.extensions["portal"]
    return settings
