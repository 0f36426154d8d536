"""How sources are treated beyond their own configuration: defaults, and their place in portal.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from flask import Flask, current_app, has_app_context
from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from portal_backend.core.config_schema import Duration


@dataclass(frozen=True)
class CollectingSettings:
    """What may be set."""

    failures_to_open: int = 5
    """Failed runs in a row after which a source is left alone."""
    open_for: timedelta = timedelta(minutes=5)
    """For how long, the first time; doubled each time that the probe after it fails too."""
    longest_open: timedelta = timedelta(minutes=15)
    reconcile_every: timedelta = timedelta(days=1)
    """How often a source that is read by what is new is read whole."""
    lease: timedelta = timedelta(seconds=30)
    """How soon a run that was killed is noticed, and its source pulled again."""


class CollectingSettingsSchema(Schema):
    """`collecting:` in portal.yaml."""

    failures_to_open = fields.Integer(
        load_default=CollectingSettings.failures_to_open, strict=True, validate=validate.Range(1, 1000)
    )
    open_for = Duration(load_default=CollectingSettings.open_for, validate=validate.Range(timedelta(seconds=1)))
    longest_open = Duration(
        load_default=CollectingSettings.longest_open, validate=validate.Range(max=timedelta(days=7))
    )
    lease = Duration(
        load_default=CollectingSettings.lease, validate=validate.Range(timedelta(seconds=3), timedelta(hours=1))
    )
    reconcile_every = Duration(
        load_default=CollectingSettings.reconcile_every, validate=validate.Range(timedelta(minutes=1))
    )

    @validates_schema
    def check_order(self, data: dict[str, timedelta], **_: object) -> None:
        """Refuse a longest time that is shorter than the first."""
        if data["longest_open"] < data["open_for"]:
            raise ValidationError("must be at least open_for", "longest_open")

    @post_load
    def make(self, data: dict[str, object], **_: object) -> CollectingSettings:
        """Return the settings."""
        return CollectingSettings(**data)  # type: ignore[arg-type]


def init_app(
    app: Flask, settings: CollectingSettings, declared: Mapping[str, frozenset[str]] = MappingProxyType({})
) -> None:
    """Let an application's sources be treated by these settings.

    `declared` holds the keys of the facts that sources declare under their options, by source.
    """
    app.extensions["collecting"] = settings
    app.extensions["declared_by_sources"] = declared


def current() -> CollectingSettings:
    """Return the settings of the application whose context is active."""
    settings: CollectingSettings = current_app.extensions.get("collecting") or CollectingSettings()
    return settings


def declared_by(source: str) -> frozenset[str]:
    """Return the keys of the facts that a source declares under its options; none outside an application."""
    declared = current_app.extensions.get("declared_by_sources", {}) if has_app_context() else {}
    found: frozenset[str] = declared.get(source, frozenset())
    return found
