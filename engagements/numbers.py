"""The settings of every part of engagements, together. Pure; `in_force` says which are in force."""

from dataclasses import dataclass, field

from engagements.capacity.settings import CapacitySettings
from engagements.incident_view.settings import IncidentSettings
from engagements.lifecycle.settings import LifecycleSettings
from engagements.reviews.settings import ReviewSettings
from engagements.triage.settings import TriageSettings


@dataclass(frozen=True)
class Numbers:
    """The settings of each part."""

    triage: TriageSettings = field(default_factory=TriageSettings)
    capacity: CapacitySettings = field(default_factory=CapacitySettings)
    lifecycle: LifecycleSettings = field(default_factory=LifecycleSettings)
    reviews: ReviewSettings = field(default_factory=ReviewSettings)
    incident_view: IncidentSettings = field(default_factory=IncidentSettings)


DEFAULTS = Numbers()
