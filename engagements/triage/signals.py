"""What triage looks at: signals with where they come from, how they changed, and how ready a service is. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engagements.tiers import Tier

CATALOG = "catalog"
SCORECARDS = "scorecards"
HISTORY = "history"


@dataclass(frozen=True)
class Known:
    """A value, who observed it, and when."""

    value: Any
    source: str
    observed_at: datetime | None = None
    simulated: bool = False
    """The source is not a real system."""


@dataclass(frozen=True)
class Unknown:
    """There is no value that may be trusted, and this is why."""

    cause: str


Signal = Known | Unknown


@dataclass(frozen=True)
class Record:
    """What the history of a fact says."""

    source: str
    begins_at: datetime
    """When the record begins: nothing is known of the time before."""
    lowest: Any = None
    """The lowest value that held at any time in the last two quarters, as far as it is recorded."""
    highest: Any = None
    earlier: Mapping[datetime, Any] = field(default_factory=dict)
    """The value that held at each moment that triage asks for; a moment before the record is left out."""
    simulated: bool = False


@dataclass(frozen=True)
class AxisReadiness:
    """A scorecard's verdict on one axis; percent and coverage run from 0 to 100."""

    level: str | None
    percent: float | None
    coverage: float | None


@dataclass(frozen=True)
class Readiness:
    """How ready a service is, as its scorecard says."""

    level: str | None
    axes: Mapping[str, AxisReadiness]
    failing_blockers: tuple[str, ...]
    """Checks that bar a level up to L3 and fail."""
    unknown_blockers: tuple[str, ...]
    """Checks that bar a level up to L3 and of which nobody knows whether they pass."""
    evaluated_at: datetime


@dataclass(frozen=True)
class Evidence:
    """All that is known of one service when it is triaged."""

    ref: str
    name: str
    title: str = ""
    owner: str | None = None
    criticality: str | None = None
    lifecycle: str | None = None
    framework: str | None = None
    sre_team: str | None = None
    """The SRE team that its catalog entry names."""
    stated_at: datetime | None = None
    """When what the catalog states was last read."""
    business_value: Signal = Unknown("The catalog states no business value (annotation sre.portal/business-value).")
    dependents: tuple[str | None, ...] = ()
    """The criticality of each service that depends on this one; None where it states none."""
    tier: Tier = Tier.DOCUMENTATION
    engagement_model: str | None = None
    phase: str | None = None
    under_way: str | None = None
    """Model and state of an engagement that is not closed: `simple_prr, in analysis`."""
    engagement_id: str | None = None
    """Of that engagement."""
    supported_since: datetime | None = None
    usage_forecast_rps: float | None = None
    signals: Mapping[str, Signal] = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)
    """The history of those facts whose history counts."""
    readiness: Readiness | None = None
    last_events: Mapping[str, datetime] = field(default_factory=dict)
    """When an event of each kind last occurred."""

    def signal(self, key: str) -> Signal:
        """Return what is known of a fact."""
        return self.signals.get(key) or Unknown(f"No installed connector supplies {key}.")
