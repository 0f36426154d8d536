"""What is measured: the facts, the default query of each, and how a sample becomes a value.

Every query is grouped by the service, so that one request answers for all services. `$service_label` and the other
`$names` are filled from the options. A query that joins Kubernetes' objects answers under `$kube_label` instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from plugins.contract import FactSpec, FactType, FactValue
from plugins.moments import rfc3339

Convert = Callable[[float], FactValue]

DAY = timedelta(days=1)
WINDOWED = 3 * DAY
"""How long a measurement over weeks is trusted: an outage of the source of a weekend changes no level."""
MOMENTARY = 1 * DAY

NEVER_FULL_DAYS = 3650
LATEST_SECOND = 4_102_444_800.0
"""The year 2100: what lies beyond is no time in seconds."""

PODS = 'max by (namespace, pod, $kube_label) (kube_pod_labels{$kube_label!=""})'
OF_POD = f"* on (namespace, pod) group_left ($kube_label) {PODS}"
REQUESTS = "http_requests_total"
ERRORS = 'http_requests_total{code=~"5.."}'
NOT_ASKED = ""
"""No query by default. Few servers keep half a year, and one that does may be too slow without recording rules. When
a service was launched, no series says. And what log pipelines count has no common name."""
FIRING = 'ALERTS{alertstate="firing",'


@dataclass(frozen=True)
class Measurement:
    """A fact that one query measures: one sample per service."""

    spec: FactSpec
    query: str
    convert: Convert

    @property
    def key(self) -> str:
        """The fact's key, which is the query's name as well."""
        return self.spec.key


def ratio(value: float) -> FactValue:
    """A share of 0 to 1; what the extrapolation of `increase` adds beyond is cut off."""
    return min(max(value, 0.0), 1.0)


def moment_of(value: float) -> FactValue:
    """A time in seconds since 1970, as PromQL's `timestamp` gives it."""
    return rfc3339(datetime.fromtimestamp(min(max(value, 0.0), LATEST_SECOND), UTC))


def flag(value: float) -> FactValue:
    """True from 1 on; less is a part, or none."""
    return value >= 1 - 1e-9


def _number(key: str, unit: str, description: str, max_age: timedelta = WINDOWED) -> FactSpec:
    return FactSpec(key, FactType.NUMBER, unit, description, max_age)


def _count(key: str, description: str, max_age: timedelta = WINDOWED) -> FactSpec:
    return FactSpec(key, FactType.INTEGER, "count", description, max_age)


MEASUREMENTS: Sequence[Measurement] = (
    Measurement(
        _number(
            "slo.availability.actual_28d",
            "ratio",
            "Share of the requests of the last 28 days that did not fail (weighted by requests).",
        ),
        f"1 - (sum by ($service_label) (increase({ERRORS}[$window]))"
        f" or 0 * sum by ($service_label) (increase({REQUESTS}[$window])))"
        f" / sum by ($service_label) (increase({REQUESTS}[$window]))",
        ratio,
    ),
    Measurement(
        _number(
            "slo.latency.actual_28d",
            "ratio",
            "Share of the requests of the last 28 days that were answered within the latency threshold.",
        ),
        'sum by ($service_label) (increase(http_request_duration_seconds_bucket{le=~"$latency_bucket"}[$window]))'
        " / sum by ($service_label) (increase(http_request_duration_seconds_count[$window]))",
        ratio,
    ),
    Measurement(
        _number("traffic.rps_now", "requests_per_second", "Requests per second, mean of the last 24 hours.", MOMENTARY),
        f"sum by ($service_label) (rate({REQUESTS}[1d]))",
        float,
    ),
    Measurement(
        _number("traffic.rps_180d_ago", "requests_per_second", "The same as traffic.rps_now, 180 days ago."),
        f"sum by ($service_label) (rate({REQUESTS}[1d] offset 180d))",
        float,
    ),
    Measurement(
        _number("traffic.rps_at_launch", "requests_per_second", "The same as traffic.rps_now, when it was launched."),
        NOT_ASKED,
        float,
    ),
    Measurement(
        _number("traffic.peak_rps_30d", "requests_per_second", "Requests per second in the busiest hour of 30 days."),
        f"max_over_time(sum by ($service_label) (rate({REQUESTS}[1h]))[30d:1h])",
        float,
    ),
    Measurement(
        _number(
            "slo.availability.actual_180d",
            "ratio",
            "Share of the requests of the last 180 days that did not fail (weighted by requests).",
        ),
        NOT_ASKED,
        ratio,
    ),
    Measurement(
        FactSpec("logs.central.last_event_at", FactType.DATETIME, "", "When its last log line came in.", MOMENTARY),
        NOT_ASKED,
        moment_of,
    ),
    Measurement(
        _number("logs.conformant_ratio", "ratio", "Share of its request logs in the standard format.", MOMENTARY),
        NOT_ASKED,
        ratio,
    ),
    Measurement(
        _number("traffic.peak_rps_180d", "requests_per_second", "Requests per second in the busiest hour of 180 days."),
        NOT_ASKED,
        float,
    ),
    Measurement(
        _count("runtime.replicas", "Instances that can be scraped now.", MOMENTARY),
        "sum by ($service_label) (up)",
        round,
    ),
    Measurement(
        _number("targets.up_ratio", "ratio", "Scrape targets of the service that are up, of all it has.", MOMENTARY),
        "avg by ($service_label) (up)",
        ratio,
    ),
    Measurement(
        _count("runtime.zones", "Failure domains with an instance that can be scraped now.", MOMENTARY),
        'count by ($service_label) (count by ($service_label, $zone_label) (up{$zone_label!=""} == 1))',
        round,
    ),
    Measurement(
        FactSpec(
            "runtime.resources.set",
            FactType.BOOLEAN,
            "",
            "Whether every container has requests and limits for CPU and memory.",
            WINDOWED,
        ),
        "("
        f'(count by ($kube_label) ((kube_pod_container_resource_requests{{resource=~"cpu|memory"}} > 0) {OF_POD})'
        f" or 0 * count by ($kube_label) (kube_pod_container_info {OF_POD}))"
        f' + (count by ($kube_label) ((kube_pod_container_resource_limits{{resource=~"cpu|memory"}} > 0) {OF_POD})'
        f" or 0 * count by ($kube_label) (kube_pod_container_info {OF_POD}))"
        f") / (4 * count by ($kube_label) (kube_pod_container_info {OF_POD}))",
        flag,
    ),
    Measurement(
        FactSpec(
            "runtime.autoscaler.enabled",
            FactType.BOOLEAN,
            "",
            "Whether a horizontal autoscaler scales the service.",
            WINDOWED,
        ),
        'count by ($kube_label) (label_replace(kube_horizontalpodautoscaler_info, "$kube_label", "$1",'
        ' "scaletargetref_name", "(.+)")) or 0 * count by ($kube_label) (kube_pod_labels{$kube_label!=""})',
        flag,
    ),
    Measurement(
        _number("runtime.cpu.p95_30d", "ratio", "CPU used of the limit, 95th percentile of the hours of 30 days."),
        "quantile_over_time(0.95, ("
        f'sum by ($kube_label) (rate(container_cpu_usage_seconds_total{{container!=""}}[1h]) {OF_POD})'
        f' / sum by ($kube_label) (kube_pod_container_resource_limits{{resource="cpu"}} {OF_POD})'
        ")[30d:1h])",
        float,
    ),
    Measurement(
        _number("runtime.mem.p95_30d", "ratio", "Memory used of the limit, 95th percentile of the hours of 30 days."),
        "quantile_over_time(0.95, ("
        f'sum by ($kube_label) (container_memory_working_set_bytes{{container!=""}} {OF_POD})'
        f' / sum by ($kube_label) (kube_pod_container_resource_limits{{resource="memory"}} {OF_POD})'
        ")[30d:1h])",
        float,
    ),
    Measurement(
        _number(
            "storage.days_to_full",
            "days",
            f"Days until the fullest volume is full if it goes on as in the last 7 days; {NEVER_FULL_DAYS} stands for "
            "that or longer, or never.",
        ),
        "min by ($kube_label) (clamp_max("
        "kubelet_volume_stats_available_bytes"
        f" / clamp_min(-deriv(kubelet_volume_stats_available_bytes[7d]), 0.000001) / 86400, {NEVER_FULL_DAYS})"
        " * on (namespace, persistentvolumeclaim) group_left ($kube_label)"
        " max by (namespace, persistentvolumeclaim, $kube_label)"
        f" (kube_pod_spec_volumes_persistentvolumeclaims_info {OF_POD}))",
        float,
    ),
)

SIGNALS = ("latency", "traffic", "errors", "saturation")
"""The four golden signals (SRE book, chapter 6)."""

PRESENCE = "services"
"""The cheap query that comes first: which services this Prometheus knows."""
OBJECTIVE = "slo.objective"
PERIOD_ERROR = "slo.period_error_ratio"
BUDGET_LEFT = "slo.budget_left"
RECORDED = "slo.recorded"
"""Series that carry their metric's name: Sloth's burn rate and period, Pyrra's generic rules."""
PROBES = "probes.count"
PAGES, BREACHES = "alerts.firing", "slo.breaches"
"""Those that are asked over 30 days rather than for now."""
OVER_TIME = frozenset({PAGES, BREACHES})

QUERIES: dict[str, str] = {
    PRESENCE: "count by ($service_label) (up)",
    **{measurement.key: measurement.query for measurement in MEASUREMENTS},
    OBJECTIVE: "max by ($slo_service_label, $slo_name_label) (slo:objective:ratio)",
    PERIOD_ERROR: "max by ($slo_service_label, $slo_name_label) (slo:sli_error:ratio_rate30d)",
    BUDGET_LEFT: "min by ($slo_service_label, $slo_name_label) (slo:period_error_budget_remaining:ratio)",
    RECORDED: '{__name__=~"slo:current_burn_rate:ratio|slo:time_period:days|pyrra_objective|pyrra_availability'
    '|pyrra_window"}',
    BREACHES: "min by ($slo_service_label, $slo_name_label) (slo:period_error_budget_remaining:ratio) < 0"
    " or min by ($service_label, slo) (pyrra_availability - pyrra_objective) < 0",
    PROBES: "count by ($service_label) (probe_success)",
    "signals.latency": "count by ($service_label) (http_request_duration_seconds_count)",
    "signals.traffic": f"count by ($service_label) ({REQUESTS})",
    "signals.errors": f'count by ($service_label) ({REQUESTS}{{code!=""}})',
    "signals.saturation": "count by ($service_label) (process_cpu_seconds_total)",
    PAGES: "max by ($service_label, $slo_service_label, $slo_name_label, slo, alertname)"
    f' ({FIRING}severity=~"$paging"}} or {FIRING}sloth_severity=~"$paging"}})',
}
"""Every query by name; a name that is a fact's key measures that fact."""

OTHER_FACTS: Sequence[FactSpec] = (
    _number("slo.availability.target", "ratio", "Objective of the availability SLO with the least budget left."),
    _number(
        "slo.availability.period_sli_30d",
        "ratio",
        "The same SLO over 30 days as Sloth computes it: the mean of its 5-minute windows, not weighted by requests.",
    ),
    _number(
        "slo.availability.budget_left",
        "ratio",
        "Share of this SLO's 30-day error budget that is left; below 0 when it is overspent.",
    ),
    _number(
        "slo.availability.burn_rate",
        "",
        "How fast this SLO's budget burns now: 1 uses it up in just its period (Sloth: error ratio / budget).",
        MOMENTARY,
    ),
    _number("slo.latency.target", "ratio", "Objective of the latency SLO with the least budget left."),
    _number("slo.latency.period_sli_30d", "ratio", "That SLO over 30 days, as slo.availability.period_sli_30d."),
    _number("slo.latency.budget_left", "ratio", "Share of that SLO's error budget that is left."),
    _number("slo.latency.burn_rate", "", "How fast that SLO's budget burns now.", MOMENTARY),
    _number("slo.latency.threshold_seconds", "seconds", "The threshold that slo.latency.actual_28d was measured with."),
    _count("slo.count", "SLOs that recording rules of Sloth or Pyrra compute."),
    FactSpec("slo.names", FactType.SET, "", "Their names.", WINDOWED),
    FactSpec("slo.owner", FactType.STRING, "", "Their owner: the label owner, or else the team label.", WINDOWED),
    _number("slo.window_days", "days", "Period of the availability SLO with the least budget left, else latency SLO."),
    FactSpec("slo.metrics", FactType.SET, "", "Metrics that the recording rules of these SLOs read.", WINDOWED),
    _number(
        "traffic.growth_180d", "ratio", "traffic.rps_now / traffic.rps_180d_ago: 2 is twice the traffic.", MOMENTARY
    ),
    _count("probes.count", "Probes of the service from outside (probe_success of the blackbox exporter).", MOMENTARY),
    FactSpec(
        "monitoring.deadman",
        FactType.BOOLEAN,
        "",
        "An alert always fires, so that its absence is noticed elsewhere when this Prometheus is down.",
        WINDOWED,
    ),
    FactSpec(
        "metrics.labels.missing",
        FactType.SET,
        "",
        "Labels of the option standard_labels that the service's request metric lacks.",
        WINDOWED,
    ),
    _count("metrics.signals.present", "How many of the four golden signals the service exports."),
    FactSpec("metrics.signals.missing", FactType.SET, "", "The golden signals that it does not export.", WINDOWED),
    _count("alerts.slo_burn.count", "Paging alert rules on the burn of an SLO's error budget."),
    _number(
        "alerts.slo_burn.multiwindow_ratio",
        "ratio",
        "SLOs that page on a fast and on a slow burn, each by two windows (SRE workbook, chapter 5), of all its SLOs.",
    ),
    FactSpec(
        "alerts.slo_burn.lacking",
        FactType.SET,
        "",
        "What SLOs lack of such alerts: `requests: slow page`; the kinds are fast page, slow page and ticket.",
        WINDOWED,
    ),
    _number("alerts.sli_coverage_ratio", "ratio", "SLOs with a paging alert on their burn, of all its SLOs."),
    _count("alerts.paging.count_30d", "Times that a paging alert began to fire within 30 days.", MOMENTARY),
    _count("alerts.paging.without_runbook", "Paging alert rules without a runbook."),
    FactSpec("alerts.paging.runbook_missing", FactType.SET, "", "The names of these rules.", WINDOWED),
    _count("alerts.paging.unrouted", "Paging alert rules that name no team."),
)

FACTS: Sequence[FactSpec] = (*(measurement.spec for measurement in MEASUREMENTS), *OTHER_FACTS)
