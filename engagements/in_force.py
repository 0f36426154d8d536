"""The numbers in force: those of the configuration where the roof installed them, else the defaults."""

from dataclasses import replace
from typing import Any

from flask import Flask, current_app

from engagements.capacity.settings import CapacitySettings
from engagements.incident_view.settings import IncidentSettings
from engagements.lifecycle.settings import LifecycleSettings
from engagements.numbers import DEFAULTS, Numbers
from engagements.reviews.settings import ReviewSettings
from engagements.triage.settings import TriageSettings

EXTENSION = "engagements"


def init_app(app: Flask, **parts: Any) -> None:
    """Let views and commands of an application use these numbers; what is left out stays as it is."""
    app.extensions[EXTENSION] = replace(app.extensions.get(EXTENSION, DEFAULTS), **parts)


def numbers() -> Numbers:
    """Return the numbers of all parts."""
    found: Numbers = current_app.extensions.get(EXTENSION, DEFAULTS)
    return found


def triage_settings() -> TriageSettings:
    """Return the numbers of triage."""
    return numbers().triage


def capacity_settings() -> CapacitySettings:
    """Return the numbers of capacity and of the plan."""
    return numbers().capacity


def lifecycle_settings() -> LifecycleSettings:
    """Return the numbers of the guards and the signals of engagements."""
    return numbers().lifecycle


def review_settings() -> ReviewSettings:
    """Return the numbers of reviews and of what is learned from them."""
    return numbers().reviews


def incident_settings() -> IncidentSettings:
    """Return the numbers of the incident view."""
    return numbers().incident_view
