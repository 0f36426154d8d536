"""All series of the simulated Prometheus, and when its alerts fire."""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime

from examples.simulated.promql.engine import Engine
from examples.simulated.promql.values import METRIC_NAME, Series
from examples.simulated.recurrence import DAY_SECONDS, MINUTE_SECONDS
from examples.simulated.rules import alert_expression, alert_labels
from examples.simulated.series import FUTURE_DAYS, Timeline, service_series
from examples.simulated.shapes import Grid, Intervals, Marks
from examples.simulated.telemetry import AlertRule, Incident, ServiceTelemetry, Telemetry, TelemetryFault

AFTERMATH_MINUTES = 120
"""An alert on a long window may outlast its incident by so much."""


class SimulatedStorage:
    """All series, by metric."""

    def __init__(self, telemetry: Telemetry, now: datetime) -> None:
        anchor = math.floor(now.timestamp() / DAY_SECONDS) * DAY_SECONDS
        self.grid = Grid(telemetry.scrape_interval_seconds, now.timestamp())
        self.timeline = Timeline(float(anchor), self.grid)
        self.telemetry = telemetry
        self.series = [one for service in telemetry.services for one in service_series(service, self.timeline)]
        self._by_metric: dict[str, list[Series]] = {}
        self._index(self.series)
        self.alerts = {
            (service.name, alert.name): firing(self, service, alert)
            for service in telemetry.services
            for alert in service.alerts
        }
        marks = list(self._alert_series())
        self.series.extend(marks)
        self._index(marks)

    def _index(self, series: Iterable[Series]) -> None:
        for one in series:
            self._by_metric.setdefault(one.labels[METRIC_NAME], []).append(one)

    def _alert_series(self) -> Iterator[Series]:
        for service in self.telemetry.services:
            for alert in service.alerts:
                stretches = self.alerts[service.name, alert.name]
                if stretches.starts:
                    labels = {METRIC_NAME: "ALERTS", "alertname": alert.name, "alertstate": "firing"}
                    yield Marks(labels | alert_labels(service, alert), self.grid, stretches)

    def advance(self, now: datetime) -> None:
        """Let samples exist until now."""
        self.grid.horizon = now.timestamp()

    def named(self, metric: str | None) -> Iterable[Series]:
        """Return the series of a metric, or all."""
        return self.series if metric is None else self._by_metric.get(metric, [])

    def settled(self, time: float) -> bool:
        """Say whether a moment is past."""
        return time <= self.grid.horizon

    def metrics(self) -> list[str]:
        """Return the names of all metrics."""
        return sorted(self._by_metric)


def firing(storage: SimulatedStorage, service: ServiceTelemetry, alert: AlertRule) -> Intervals:
    """Return when an alert fires: whenever an incident makes the rule's own expression true.

    The expression is evaluated minute by minute through each incident's latest occurrence; the others differ from it
    only by their date. Raises TelemetryFault when an incident is said to fire an alert and does not.
    """
    timeline = storage.timeline
    until = timeline.anchor + FUTURE_DAYS * DAY_SECONDS
    found: list[tuple[float, float]] = []
    for incident in service.incidents:
        if alert.name in incident.alerts:
            starts = [at for _, at in incident.recurrence.between(timeline.since(service.launched_days_ago), until)]
            first, last = _firing_minutes(storage, service, alert, incident, starts)
            found.extend((at + first * MINUTE_SECONDS, at + (last + 1) * MINUTE_SECONDS) for at in starts)
    merged: list[list[float]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(end, merged[-1][1])
        else:
            merged.append([start, end])
    return Intervals([pair[0] for pair in merged], [pair[1] for pair in merged])


def _firing_minutes(
    storage: SimulatedStorage, service: ServiceTelemetry, alert: AlertRule, incident: Incident, starts: list[float]
) -> tuple[int, int]:
    """Return the first and last minute of an incident at which the alert's expression holds."""
    ended = storage.grid.horizon - (incident.minutes + AFTERMATH_MINUTES) * MINUTE_SECONDS
    latest = max((start for start in starts if start <= ended), default=None)
    if latest is None:
        raise TelemetryFault(f"{service.name}: an incident of {alert.name} has not happened yet")
    engine = Engine(storage)
    query = engine.parse(alert_expression(service, alert))
    minutes = [
        minute
        for minute in range(incident.minutes + AFTERMATH_MINUTES)
        if engine.instant(query, latest + minute * MINUTE_SECONDS)
    ]
    if not minutes:
        raise TelemetryFault(f"{service.name}: an incident is said to fire {alert.name}, but its rule stays quiet")
    return minutes[0], minutes[-1]
