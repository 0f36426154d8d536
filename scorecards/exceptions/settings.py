"""How long exceptions may last, and what counts as evidence in words: an organisation's choice."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask, current_app
from marshmallow import RAISE, Schema, fields, post_load, validate


@dataclass(frozen=True)
class ExceptionSettings:
    """The limits of attestations and waivers, and the sizes of answers."""

    longest_waiver: timedelta = timedelta(days=180)
    """From the approval on: half a year, so that an exception is looked at again."""
    words_of_substance: int | None = None
    """So many different words of a statement that a check holds do for a link to evidence; None: no words do."""
    gained_listed: int = 200
    """Of the adopters that gain by a release, so many are named; all are counted."""


class ExceptionSettingsSchema(Schema):
    """The settings as `portal.yaml` writes them."""

    class Meta:
        unknown = RAISE

    longest_waiver_days = fields.Integer(
        load_default=180, validate=validate.Range(1, 180), metadata={"description": "From the approval on."}
    )
    words_of_substance = fields.Integer(
        load_default=None,
        validate=validate.Range(1, 100),
        metadata={"description": "Different words that do for a link to evidence; without it no words do."},
    )

    @post_load
    def make(self, data: dict[str, Any], **_: Any) -> ExceptionSettings:
        """Return the settings."""
        return ExceptionSettings(timedelta(days=data["longest_waiver_days"]), data["words_of_substance"])


EXTENSION = "exceptions"


def init_app(app: Flask, settings: ExceptionSettings) -> None:
    """Let the views of an application use these settings."""
    app.extensions[EXTENSION] = settings


def current() -> ExceptionSettings:
    """Return the settings of the application whose context is active."""
    settings: ExceptionSettings = current_app.extensions.get(EXTENSION) or ExceptionSettings()
    return settings
