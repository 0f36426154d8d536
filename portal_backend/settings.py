"""What is fixed once the process has started: configuration, connectors, and the facts and checks that they allow."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from flask import Flask, current_app
from marshmallow import Schema, ValidationError
from sqlalchemy.orm import Session

import catalog.settings
from catalog.facts import FACTS as CATALOG_FACTS
from catalog.settings_loading import load_settings
from engagements import in_force, support
from engagements.capacity.schemas import CapacitySettingsSchema
from engagements.own_facts import FACTS as OWN_FACTS
from engagements.settings_schemas import IncidentSettingsSchema, LifecycleSettingsSchema, ReviewSettingsSchema
from engagements.triage_schemas import TriageSettingsSchema
from plugins import registry
from plugins import settings as collecting
from plugins.contract import Connector, FactSpec
from portal_backend.core.config import Config
from portal_backend.core.errors import Fault, InvalidInput, flatten_messages
from scorecards import judging
from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.vocabulary import VOCABULARY
from scorecards.evidence.derivations import FACTS as DERIVED_FACTS
from scorecards.exceptions import settings as exception_settings
from scorecards.exceptions.settings import ExceptionSettingsSchema
from scorecards.retention import RetentionSettings, RetentionSettingsSchema
from scorecards.webhooks import settings as webhook_settings


@dataclass(frozen=True)
class Settings:
    """The fixed part of the application."""

    config: Config
    specs: Mapping[str, FactSpec]
    """Every declared fact by key, whoever supplies it."""
    retention: RetentionSettings = RetentionSettings()


@cache
def option_schemas() -> dict[str, type[Schema]]:
    """Return the options schema of each installed connector by the connector's name."""
    return {name: connector.options_schema for name, connector in registry.connectors().items()}


def declared_facts(config: Config) -> dict[str, FactSpec]:
    """Return every declared fact by key; raises InvalidInput when a source's declaration contradicts another."""
    connectors = registry.connectors()
    supplied = [spec for connector in connectors.values() for spec in connector.facts]
    specs = {spec.key: spec for spec in (*CATALOG_FACTS, *DERIVED_FACTS, *OWN_FACTS, *supplied)}
    return specs | _of_sources(config, connectors, {**VOCABULARY, **specs})


def init_app(app: Flask, config: Config) -> None:
    """Load the checks against the declared facts; raises InvalidInput that names every fault of a check file."""
    connectors = registry.connectors()
    specs = declared_facts(config)
    catalogue = load_catalogue(config.check_paths, specs)
    served = catalogue.served_at(config.public_url)
    made = judging.make_judging(served, specs, connectors, config.service_types)
    judging.init_app(app, replace(made, tiers=_support_tiers, grace=config.outage_grace))
    catalog_settings = load_settings(config.catalog, config.locations, config.catalog_every, config.base_dir)
    catalog.settings.init_app(app, catalog_settings)
    webhooks = _load(webhook_settings.SettingsSchema(), config.webhooks, "scorecards.webhooks")
    webhook_settings.init_app(app, replace(webhooks, public_url=config.public_url))
    exceptions = _load(ExceptionSettingsSchema(), config.exceptions, "scorecards.exceptions")
    exception_settings.init_app(app, exceptions)
    in_force.init_app(app, **_engagement_numbers(config))
    retention = _load(RetentionSettingsSchema(), config.retention, "retention")
    patience = _load(collecting.CollectingSettingsSchema(), config.collecting, "collecting")
    collecting.init_app(app, patience, registry.declared_keys(config.sources))
    app.extensions["portal"] = Settings(config, specs, retention)


def _engagement_numbers(config: Config) -> dict[str, Any]:
    """Return the settings of each part of engagements; raises InvalidInput that names each fault."""
    reviews = _load(ReviewSettingsSchema(), config.reviews, "engagements.reviews")
    folders = {
        name: config.base_dir / folder
        for name in ("template_folder", "guide_folder")
        if (folder := getattr(reviews, name)) is not None
    }
    return {
        "triage": _load(TriageSettingsSchema(), config.triage, "engagements.triage"),
        "capacity": _load(CapacitySettingsSchema(), config.capacity, "engagements.capacity"),
        "lifecycle": _load(LifecycleSettingsSchema(), config.lifecycle, "engagements.lifecycle"),
        "reviews": replace(reviews, **folders),
        "incident_view": _load(IncidentSettingsSchema(), config.incident_view, "engagements.incident_view"),
    }


def _load(schema: Schema, written: Mapping[str, Any], path: str) -> Any:
    """Load the settings of a part; raises InvalidInput that names each fault below `path`."""
    try:
        return schema.load(written)
    except ValidationError as error:
        faults = [Fault(f"{path}.{fault.path}", fault.message) for fault in flatten_messages(error.messages)]
        raise InvalidInput(f"portal.yaml has faults below {path}.", faults) from error


def _support_tiers(session: Session, refs: Collection[str]) -> dict[str, str]:
    return {ref: state.tier.value for ref, state in support.current(session, refs).items()}


def _of_sources(
    config: Config, connectors: Mapping[str, Connector], known: Mapping[str, FactSpec]
) -> dict[str, FactSpec]:
    """Return the facts that sources declare for themselves; raises InvalidInput when one contradicts another."""
    found: dict[str, FactSpec] = {}
    faults = []
    for position, source in enumerate(config.sources):
        connector = connectors.get(source.plugin)
        if connector is None:
            continue
        for number, spec in enumerate(connector.declared(source.options)):
            other = found.get(spec.key) or known.get(spec.key)
            if other and (other.type, other.unit) != (spec.type, spec.unit):
                unit = f" in {other.unit}" if other.unit else ""
                message = f"{spec.key} is known as {other.type}{unit}; declare it so, or choose another key"
                faults.append(Fault(f"sources.{position}.options.{connector.declaring_option}.{number}", message))
            found[spec.key] = spec
    if faults:
        raise InvalidInput("The sources declare facts that contradict what is known.", faults)
    return found


def current() -> Settings:
    """Return the settings of the application whose context is active."""
    settings: Settings = current_app.extensions["portal"]
    return settings
