"""What the simulated services do: `telemetry.yaml`, read into values. Every fault names the service and the field."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from examples.simulated.recurrence import Recurrence

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Traffic:
    """Requests per second on an average day: now, and 180 days ago."""

    now_rps: float
    half_year_ago_rps: float
    daily_swing: float = 0.3
    """The day's peak lies this share above the average, its low as far below."""


@dataclass(frozen=True)
class Objective:
    """A service level objective: the share of requests that must be good; for latency, answered within a time."""

    target: float
    within_seconds: float | None = None


@dataclass(frozen=True)
class AlertRule:
    """An alerting rule; with `slo` it is the pair of burn-rate windows that Sloth generates for that objective."""

    name: str
    severity: str
    slo: str = ""
    expression: str = ""
    team: str = ""
    """Empty: the alert carries no `team` label and so reaches nobody in particular."""
    runbook: bool = True


@dataclass(frozen=True)
class Incident:
    """A trouble that comes again and again: what its requests suffer, and which alerts fire."""

    recurrence: Recurrence
    minutes: int
    error_ratio: float = 0.0
    slow_ratio: float = 0.0
    """Share of requests that take longer than any bucket."""
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Runtime:
    """What Kubernetes runs: per replica, resources asked for and the average share of them used."""

    replicas: int
    zones: int
    """Three at most."""
    resources_set: bool = True
    autoscaler: bool = True
    process_metrics: bool = True
    """Whether the process exports `process_cpu_seconds_total`, by which its saturation is seen."""
    cpu_cores: float = 1.0
    cpu_used: float = 0.4
    memory_bytes: float = 1_073_741_824
    memory_used: float = 0.5


@dataclass(frozen=True)
class Storage:
    """A volume that fills at a steady rate."""

    capacity_bytes: float
    used: float
    days_to_full: float


@dataclass(frozen=True)
class ServiceTelemetry:
    """All that the simulated Prometheus knows of one service."""

    name: str
    namespace: str
    traffic: Traffic | None
    launched_days_ago: int
    error_ratio: float
    latency: Mapping[float, float]
    """Share of requests answered within so many seconds; empty when the service exports no histogram."""
    slos: Mapping[str, Objective]
    runtime: Runtime | None
    storage: Storage | None
    alerts: tuple[AlertRule, ...]
    incidents: tuple[Incident, ...]


@dataclass(frozen=True)
class Telemetry:
    """The whole file."""

    scrape_interval_seconds: int
    services: tuple[ServiceTelemetry, ...]


class TelemetryFault(ValueError):
    """The file says something that the simulation cannot understand."""


def load(path: Path) -> Telemetry:
    """Read `telemetry.yaml`; raises TelemetryFault naming service and field."""
    document = yaml.safe_load(path.read_text())
    services = tuple(_service(name, dict(spec)) for name, spec in document["services"].items())
    return Telemetry(int(document["scrape_interval_seconds"]), services)


def _service(name: str, spec: dict[str, Any]) -> ServiceTelemetry:
    try:
        service = ServiceTelemetry(
            name=name,
            namespace=spec.pop("namespace"),
            traffic=_optional(Traffic, spec.pop("traffic", None)),
            launched_days_ago=spec.pop("launched_days_ago", 1000),
            error_ratio=spec.pop("error_ratio", 0.0),
            latency={float(bound): share for bound, share in spec.pop("latency", {}).items()},
            slos={key: shape(Objective, value) for key, value in spec.pop("slos", {}).items()},
            runtime=_optional(Runtime, spec.pop("runtime", None)),
            storage=_optional(Storage, spec.pop("storage", None)),
            alerts=tuple(shape(AlertRule, alert) for alert in spec.pop("alerts", ())),
            incidents=tuple(_incident(incident) for incident in spec.pop("incidents", ())),
        )
        if spec:
            raise ValueError(f"unknown fields {sorted(spec)}")
        _check(service)
    except (ValueError, KeyError, TypeError) as error:
        raise TelemetryFault(f"telemetry of {name}: {error}") from error
    return service


def _check(service: ServiceTelemetry) -> None:
    names = {alert.name for alert in service.alerts}
    for incident in service.incidents:
        if not names.issuperset(incident.alerts):
            raise ValueError(f"an incident fires {incident.alerts}, but the alerts are {sorted(names)}")
    for alert in service.alerts:
        if bool(alert.slo) == bool(alert.expression) or (alert.slo and alert.slo not in service.slos):
            raise ValueError(f"alert {alert.name} needs an expression, or the name of an SLO")
    latency = service.slos.get("latency")
    if latency and latency.within_seconds not in service.latency:
        raise ValueError(f"the latency SLO asks for a bucket of {latency.within_seconds} s")


def _incident(spec: Mapping[str, Any]) -> Incident:
    rest = dict(spec)
    recurrence = Recurrence(rest.pop("every_days"), rest.pop("day"), rest.pop("at"))
    return shape(Incident, {**rest, "recurrence": recurrence})


def _optional(kind: type[Shape], spec: Mapping[str, Any] | None) -> Shape | None:
    return None if spec is None else shape(kind, spec)


def shape(kind: type[Shape], spec: Mapping[str, Any]) -> Shape:
    """Make a dataclass from a mapping (lists become tuples); raises ValueError naming unknown fields."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := set(spec) - known:
        raise ValueError(f"{kind.__name__} has no fields {sorted(unknown)}; it has {sorted(known)}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in spec.items()})
