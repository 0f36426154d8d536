"""The facts that the default catalogue asks for, whoever supplies them.

A connector that wants to be judged by declares these keys with these types and units. They are declared here as well so
that a check stays loadable, and says which evidence it lacks, while no connector that supplies it is installed.
"""

from collections.abc import Mapping
from datetime import timedelta

from plugins.contract import FactSpec, FactType

MAX_AGE = timedelta(hours=72)
"""Of facts that no installed connector declares; a connector's own declaration goes before."""

_FACTS = (
    ("slo.count", FactType.INTEGER, "count", "SLOs that are declared for the service"),
    ("slo.availability.target", FactType.NUMBER, "ratio", "Share of good requests that is promised"),
    ("slo.availability.actual_28d", FactType.NUMBER, "ratio", "Share of good requests, last 28 days"),
    ("slo.latency.target", FactType.NUMBER, "ratio", "Share of fast enough requests that is promised"),
    ("slo.latency.actual_28d", FactType.NUMBER, "ratio", "Share of fast enough requests, last 28 days"),
    ("slo.window_days", FactType.NUMBER, "days", "The window over which the SLO counts"),
    ("slo.owner", FactType.STRING, "", "The team that keeps the SLO"),
    ("slo.metrics", FactType.SET, "", "Metrics that the SLOs are computed from"),
    ("dashboard.metrics", FactType.SET, "", "Metrics that the service's dashboards show"),
    ("metrics.signals.present", FactType.INTEGER, "count", "How many of the four golden signals are exported"),
    ("metrics.signals.missing", FactType.SET, "", "Golden signals that are not exported"),
    ("alerts.slo_burn.count", FactType.INTEGER, "count", "Paging alerts on the burn rate of an SLO"),
    ("alerts.sli_coverage_ratio", FactType.NUMBER, "ratio", "Share of the SLOs that have a burn-rate alert"),
    ("alerts.paging.count_30d", FactType.INTEGER, "count", "Pages of the last 30 days"),
    ("alerts.paging.without_runbook", FactType.INTEGER, "count", "Paging alert rules without a runbook"),
    ("alerts.paging.unrouted", FactType.INTEGER, "count", "Paging alert rules that name no team"),
    ("runtime.replicas", FactType.INTEGER, "count", "Replicas that run"),
    ("runtime.zones", FactType.INTEGER, "count", "Failure domains that they are spread over"),
    ("runtime.resources.set", FactType.BOOLEAN, "", "CPU and memory requests and limits are set"),
    ("runtime.autoscaler.enabled", FactType.BOOLEAN, "", "An autoscaler looks after it"),
    ("runtime.cpu.p95_30d", FactType.NUMBER, "ratio", "CPU in use, 95th percentile of 30 days"),
    ("runtime.mem.p95_30d", FactType.NUMBER, "ratio", "Memory in use, 95th percentile of 30 days"),
    ("storage.days_to_full", FactType.NUMBER, "days", "Until the fullest volume is full at the present growth"),
    ("deploys.count_30d", FactType.INTEGER, "count", "Deploys of the last 30 days"),
    ("deploys.automated_ratio_30d", FactType.NUMBER, "ratio", "Share of them that no person started"),
    ("deploys.change_failure_rate_30d", FactType.NUMBER, "ratio", "Share of them that failed or were taken back"),
    ("deploys.auto_sync", FactType.BOOLEAN, "", "What is merged is deployed without a hand"),
    ("deploys.rollback.last_at", FactType.DATETIME, "", "When a deploy was last rolled back"),
    ("iac.coverage_ratio", FactType.NUMBER, "ratio", "Share of the resources that are as the repository has them"),
)

VOCABULARY: Mapping[str, FactSpec] = {
    key: FactSpec(key, kind, unit, description, MAX_AGE) for key, kind, unit, description in _FACTS
}
