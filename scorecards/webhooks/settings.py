"""How webhooks are sent: defaults, and their place in the configuration."""

from dataclasses import dataclass
from datetime import timedelta

from flask import Flask, current_app
from marshmallow import Schema, fields, post_load, validate


@dataclass(frozen=True)
class WebhookSettings:
    """What may be set."""

    allow_private_addresses: bool = False
    """Whether receivers may be on this machine or in a private network: whoever may subscribe could then make the
    server send requests to what only it can reach."""
    attempts: int = 8
    timeout_seconds: float = 10.0
    """For one attempt, everything included."""
    max_waiting: int = 1_000
    """Messages that may wait for one subscription; more are dropped and counted."""
    max_subscriptions: int = 200
    keep_days: int = 30
    """For how long the log holds what was delivered or given up."""
    public_url: str = ""
    """`server.public_url`: what the addresses of pages in messages begin with; empty: they are paths."""


WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
)
"""Between attempts, each lengthened by up to JITTER of itself (Standard Webhooks, "retry schedule")."""
JITTER = 0.2
LONGEST_WAIT = timedelta(days=1)
"""The most that a receiver's Retry-After is heeded."""


class SettingsSchema(Schema):
    """`scorecards.webhooks:` in portal.yaml."""

    allow_private_addresses = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    attempts = fields.Integer(load_default=8, strict=True, validate=validate.Range(1, 20))
    timeout_seconds = fields.Float(load_default=10.0, validate=validate.Range(1, 60))
    max_waiting = fields.Integer(load_default=1_000, strict=True, validate=validate.Range(1, 100_000))
    max_subscriptions = fields.Integer(load_default=200, strict=True, validate=validate.Range(0, 10_000))
    keep_days = fields.Integer(load_default=30, strict=True, validate=validate.Range(1, 365))

    @post_load
    def make(self, data: dict[str, object], **_: object) -> WebhookSettings:
        """Return the settings."""
        return WebhookSettings(**data)  # type: ignore[arg-type]


def init_app(app: Flask, settings: WebhookSettings) -> None:
    """Let an application's webhooks be sent by these settings."""
    app.extensions["webhooks"] = settings


def current() -> WebhookSettings:
    """Return the settings of the application whose context is active."""
    settings: WebhookSettings = current_app.extensions.get("webhooks") or WebhookSettings()
    return settings
