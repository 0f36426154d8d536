"""What is fixed once the process has started: configuration, connectors, and the facts and checks that they allow."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from flask import Flask, current_app
from marshmallow import Schema

from catalog.facts import FACTS as CATALOG_FACTS
from plugins import registry
from plugins.contract import Connector, FactSpec
from portal_backend.core.config import Config
from portal_backend.core.errors import Fault, InvalidInput
from scorecards import judging
from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.vocabulary import VOCABULARY
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
    specs = {spec.key: spec for spec in (*CATALOG_FACTS, *DERIVED_FACTS, *supplied)}
    specs |= _of_sources(config, connectors, {**VOCABULARY, **specs})
    catalogue = load_catalogue(config.check_paths, specs)
    judging.init_app(app, judging.make_judging(catalogue, specs, connectors, config.service_types))
    app.extensions["portal"] = Settings(config, specs)


def _of_sources(
    config: Config, connectors: Mapping[str, Connector], known: Mapping[str, FactSpec]
) -> dict[str, FactSpec]:
    """Return the facts that sources declare for themselves; raises InvalidInput when one contradicts another."""
    found: dict[str, FactSpec] = {}
    faults = []
    for position, source in enumerate(config.sources):
        connector = connectors.get(source.plugin)
        for number, spec in enumerate(connector.declared(source.options) if connector else ()):
            other = found.get(spec.key) or known.get(spec.key)
            if other and (other.type, other.unit) != (spec.type, spec.unit):
                unit = f" in {other.unit}" if other.unit else ""
                message = f"{spec.key} is known as {other.type}{unit}; declare it so, or choose another key"
                faults.append(Fault(f"sources.{position}.options.facts.{number}", message))
            found[spec.key] = spec
    if faults:
        raise InvalidInput("The sources declare facts that contradict what is known.", faults)
    return found


def current() -> Settings:
    """Return the settings of the application whose context is active."""
    settings: Settings = current_app.extensions["portal"]
    return settings
