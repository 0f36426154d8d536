"""What the incident view goes by; all of it may be set."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class IncidentSettings:
    """Limits and thresholds of the incident view."""

    changes_shown: int = 10
    """Of the service, and as many of its dependencies together."""
    dependencies_shown: int = 30
    dependents_shown: int = 20
    similar_shown: int = 10
    ended_shown: int = 5
    """Alerts and incidents that ended last."""
    events_of_service: int = 40
    """Newest events of each kind that are looked at; what fires for longer than so many episodes is not seen."""
    events_of_dependency: int = 8
    similar_looked_at: int = 60
    """Newest events of each pattern."""
    patterns_compared: int = 20
    """Alert names, causes and patterns of what fires that similar troubles are looked for by."""
    suspect_before: timedelta = timedelta(hours=2)
    """A change counts as recent when it happened at most so long before the first alert that fires, or before now."""
    late_after_periods: int = 3
    """A source is late when it has missed so many of its periods, and has not succeeded for `late_after` either."""
    late_after: timedelta = timedelta(minutes=10)
    runbook_old_after: timedelta = timedelta(days=180)
    """After the check `er.runbook`."""
