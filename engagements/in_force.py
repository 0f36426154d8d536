"""The numbers in force: those of the configuration where the roof installed them, else the defaults."""

from flask import Flask, current_app

from engagements.capacity.settings import CapacitySettings
from engagements.triage.settings import TriageSettings

TRIAGE, CAPACITY = "engagements_triage", "engagements_capacity"


def init_app(app: Flask, triage: TriageSettings, capacity: CapacitySettings) -> None:
    """Let views and commands of an application use these numbers."""
    app.extensions[TRIAGE], app.extensions[CAPACITY] = triage, capacity


def triage_settings() -> TriageSettings:
    """Return the numbers of triage."""
    found: TriageSettings = current_app.extensions.get(TRIAGE, TriageSettings())
    return found


def capacity_settings() -> CapacitySettings:
    """Return the numbers of capacity and of the plan."""
    found: CapacitySettings = current_app.extensions.get(CAPACITY, CapacitySettings())
    return found
