"""The series of the simulated Prometheus, made from what `telemetry.yaml` declares."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from examples.simulated.promql.values import METRIC_NAME, Labels, Series
from examples.simulated.recurrence import DAY_SECONDS, MINUTE_SECONDS
from examples.simulated.rules import sloth_labels
from examples.simulated.shapes import OMEGA, Counter, Gauge, Grid, Intervals, Load, Share
from examples.simulated.telemetry import Objective, Runtime, ServiceTelemetry, Storage

RETENTION_DAYS = 400
"""How far back the simulated series go."""
FUTURE_DAYS = 400
"""Incidents are laid out this far ahead of the start, for a simulation that runs on and on."""
ZONES = ("bankside-a", "bankside-b", "bankside-c")
SLO_PERIOD_DAYS = 30
"""Sloth's default period, over which its period error budget is counted."""
SLI_WINDOWS = {
    "5m": 300,
    "30m": 1800,
    "1h": 3600,
    "2h": 7200,
    "6h": 21_600,
    "1d": DAY_SECONDS,
    "3d": 3 * DAY_SECONDS,
    "30d": 30 * DAY_SECONDS,
}


@dataclass(frozen=True)
class Timeline:
    """When a simulation begins: series are anchored here, so that their past does not move while it runs."""

    anchor: float
    """Unix seconds of the start's day."""
    grid: Grid

    def since(self, launched_days_ago: int) -> float:
        """Return the first moment for which a service has samples."""
        return self.anchor - min(launched_days_ago, RETENTION_DAYS) * DAY_SECONDS


def service_series(service: ServiceTelemetry, timeline: Timeline) -> Iterator[Series]:
    """Yield every series of one service."""
    maker = _Maker(service, timeline)
    yield from maker.requests()
    yield from maker.slos()
    if service.runtime:
        yield from maker.runtime(service.runtime)
    if service.storage:
        yield from maker.storage(service.storage)


def troubles(
    service: ServiceTelemetry, timeline: Timeline, part: Callable[..., float]
) -> tuple[Intervals, list[float]]:
    """Return when a service's incidents hurt (none overlaps the next) and `part` of each of those incidents."""
    until = timeline.anchor + FUTURE_DAYS * DAY_SECONDS
    found = sorted(
        (start, start + incident.minutes * MINUTE_SECONDS, part(incident))
        for incident in service.incidents
        if part(incident) > 0
        for _, start in incident.recurrence.between(timeline.since(service.launched_days_ago), until)
    )
    apart: list[tuple[float, float, float]] = []
    for start, end, value in found:
        if apart and start < apart[-1][1]:
            continue
        apart.append((start, end, value))
    return Intervals([a[0] for a in apart], [a[1] for a in apart]), [a[2] for a in apart]


class _Maker:
    """Makes the series of one service."""

    def __init__(self, service: ServiceTelemetry, timeline: Timeline) -> None:
        self.service = service
        self.grid = timeline.grid
        self.timeline = timeline
        self.since = timeline.since(service.launched_days_ago)
        self.common = {"namespace": service.namespace, "service": service.name}

    def _labels(self, metric: str, **extra: str) -> Labels:
        return {METRIC_NAME: metric, **self.common, **extra}

    def _counter(self, labels: Labels, total: Callable[[float], float], *, whole: bool = True) -> Counter:
        return Counter(labels, self.grid, self.since, total, whole)

    def _gauge(self, labels: Labels, value: Callable[[float], float]) -> Gauge:
        return Gauge(labels, self.grid, self.since, value)

    def _constant(self, labels: Labels, value: float) -> Gauge:
        return self._gauge(labels, lambda time: value)

    def _load(self) -> Load | None:
        traffic = self.service.traffic
        if traffic is None:
            return None
        return Load(traffic.now_rps, traffic.half_year_ago_rps, traffic.daily_swing, self.timeline.anchor)

    def _errors(self, load: Load) -> Share:
        when, parts = troubles(self.service, self.timeline, lambda incident: incident.error_ratio)
        return Share(load, self.since, self.service.error_ratio, when, parts)

    def _within(self, load: Load, share: float) -> Share:
        """Return the requests answered within a bucket's bound."""
        when, parts = troubles(self.service, self.timeline, lambda incident: incident.slow_ratio)
        return Share(load, self.since, share, when, [share * (1 - part) for part in parts])

    def requests(self) -> Iterator[Series]:
        """Yield request counters by code, and the latency histogram."""
        load = self._load()
        if load is None:
            return
        errors, everything = self._errors(load), Share(load, self.since, 1.0)
        job = {"job": self.service.name, "method": "GET"}
        yield self._counter(
            self._labels("http_requests_total", code="200", **job), lambda t: everything.total(t) - errors.total(t)
        )
        yield self._counter(self._labels("http_requests_total", code="503", **job), errors.total)
        if not self.service.latency:
            return
        for bound, share in self.service.latency.items():
            within = self._within(load, share)
            yield self._counter(
                self._labels("http_request_duration_seconds_bucket", le=f"{bound:g}", job=self.service.name),
                within.total,
            )
        infinite = self._labels("http_request_duration_seconds_bucket", le="+Inf", job=self.service.name)
        yield self._counter(infinite, everything.total)
        yield self._counter(
            self._labels("http_request_duration_seconds_count", job=self.service.name), everything.total
        )
        mean = _mean_seconds(self.service.latency)
        yield self._counter(
            self._labels("http_request_duration_seconds_sum", job=self.service.name),
            lambda t: mean * everything.total(t),
            whole=False,
        )

    def slos(self) -> Iterator[Series]:
        """Yield what Sloth's recording rules would have recorded for the declared objectives."""
        load = self._load()
        if load is None:
            return
        for name, objective in self.service.slos.items():
            yield from self._slo(name, objective, load)

    def _slo(self, name: str, objective: Objective, load: Load) -> Iterator[Series]:
        sloth = sloth_labels(self.service, name)
        budget = 1 - objective.target
        bad = self._bad_requests(objective, load)

        def labels(metric: str, **extra: str) -> Labels:
            return {METRIC_NAME: metric, **sloth, **extra}

        yield self._constant(labels("slo:objective:ratio"), objective.target)
        yield self._constant(labels("slo:error_budget:ratio"), budget)
        yield self._constant(labels("slo:time_period:days"), SLO_PERIOD_DAYS)
        for window, seconds in SLI_WINDOWS.items():
            ratio = _bad_ratio(bad, load, seconds, self.since)
            yield self._gauge(labels(f"slo:sli_error:ratio_rate{window}", sloth_window=window), ratio)
        current = _bad_ratio(bad, load, SLI_WINDOWS["5m"], self.since)
        period = _bad_ratio(bad, load, SLI_WINDOWS["30d"], self.since)
        yield self._gauge(labels("slo:current_burn_rate:ratio"), lambda t: current(t) / budget)
        yield self._gauge(labels("slo:period_burn_rate:ratio"), lambda t: period(t) / budget)
        yield self._gauge(labels("slo:period_error_budget_remaining:ratio"), lambda t: 1 - period(t) / budget)

    def _bad_requests(self, objective: Objective, load: Load) -> Share:
        if objective.within_seconds is None:
            return self._errors(load)
        within = self._within(load, self.service.latency[objective.within_seconds])
        return Share(load, self.since, 1 - within.usual, within.troubles, [1 - part for part in within.troubled])

    def runtime(self, runtime: Runtime) -> Iterator[Series]:
        """Yield what the scrape, kube-state-metrics and cAdvisor report of each replica, and the autoscaler."""
        name = self.service.name
        yield self._constant(
            self._cluster("kube_deployment_status_replicas_available", deployment=name), runtime.replicas
        )
        if runtime.autoscaler:
            labels = self._cluster(
                "kube_horizontalpodautoscaler_info",
                horizontalpodautoscaler=name,
                scaletargetref_kind="Deployment",
                scaletargetref_name=name,
            )
            yield self._constant(labels, 1)
        for number in range(runtime.replicas):
            yield from self._process(runtime, number)
            yield from self._pod(runtime, number)

    def _cluster(self, metric: str, **labels: str) -> Labels:
        """Return the labels of a series that comes from the cluster and does not know the service."""
        return {METRIC_NAME: metric, "namespace": self.service.namespace, **labels}

    def _cpu(self, runtime: Runtime) -> Callable[[float], float]:
        """Return the CPU seconds used by one replica until a time."""
        used = runtime.cpu_cores * runtime.cpu_used
        swing = self.service.traffic.daily_swing if self.service.traffic else 0.0
        load = Load(used, used, swing, self.timeline.anchor)
        return lambda time: load.total(self.since, time)

    def _process(self, runtime: Runtime, number: int) -> Iterator[Series]:
        """Yield what the service's own process exports."""
        name = self.service.name
        instance = {"job": name, "instance": f"{name}-{number}:8080", "zone": ZONES[number % runtime.zones]}
        yield self._constant(self._labels("up", **instance), 1)
        if runtime.process_metrics:
            yield self._counter(self._labels("process_cpu_seconds_total", **instance), self._cpu(runtime), whole=False)

    def _pod(self, runtime: Runtime, number: int) -> Iterator[Series]:
        name = self.service.name
        pod = {"pod": f"{name}-{number}"}
        container = {**pod, "container": name}
        yield self._constant(self._cluster("kube_pod_labels", label_app_kubernetes_io_name=name, **pod), 1)
        yield self._constant(self._cluster("kube_pod_container_info", **container), 1)
        if self.service.storage:
            claim = self._cluster(
                "kube_pod_spec_volumes_persistentvolumeclaims_info", persistentvolumeclaim=self._claim(), **pod
            )
            yield self._constant(claim, 1)
        if runtime.resources_set:
            for kind in ("requests", "limits"):
                metric = f"kube_pod_container_resource_{kind}"
                yield self._constant(self._cluster(metric, resource="cpu", unit="core", **container), runtime.cpu_cores)
                yield self._constant(
                    self._cluster(metric, resource="memory", unit="byte", **container), runtime.memory_bytes
                )
        yield self._counter(
            self._cluster("container_cpu_usage_seconds_total", **container), self._cpu(runtime), whole=False
        )
        memory = runtime.memory_bytes * runtime.memory_used
        yield self._gauge(
            self._cluster("container_memory_working_set_bytes", **container),
            lambda time: float(math.floor(memory * (1 + 0.05 * math.sin(OMEGA * (time % DAY_SECONDS))))),
        )

    def _claim(self) -> str:
        return f"{self.service.name}-data"

    def storage(self, storage: Storage) -> Iterator[Series]:
        """Yield a volume's size and free space, as the kubelet reports them."""
        capacity = storage.capacity_bytes
        free_now = capacity * (1 - storage.used)
        per_second = free_now / (storage.days_to_full * DAY_SECONDS)

        def free(time: float) -> float:
            return float(math.floor(min(capacity, max(0.0, free_now - per_second * (time - self.timeline.anchor)))))

        claim = {"persistentvolumeclaim": self._claim()}
        yield self._constant(self._cluster("kubelet_volume_stats_capacity_bytes", **claim), capacity)
        yield self._gauge(self._cluster("kubelet_volume_stats_available_bytes", **claim), free)


def _bad_ratio(bad: Share, load: Load, seconds: int, since: float) -> Callable[[float], float]:
    """Return the share of bad requests over the seconds before a time, as a recording rule has it."""

    def ratio(time: float) -> float:
        start = max(time - seconds, since)
        if start >= time or not bad.troubles.touching(start, time):
            return bad.usual
        return (bad.total(time) - bad.total(start)) / load.total(start, time)

    return ratio


def _mean_seconds(latency: Mapping[float, float]) -> float:
    """Return the mean time of a request when times lie evenly inside each bucket."""
    mean, below, share_below = 0.0, 0.0, 0.0
    for bound, share in sorted(latency.items()):
        mean += (share - share_below) * (below + bound) / 2
        below, share_below = bound, share
    return mean + (1 - share_below) * below
