"""A history of which all is known, for a real Prometheus, and pulls from it."""

import time
from collections.abc import Iterator
from typing import Any

from plugins.connectors.prometheus import CONNECTOR
from plugins.connectors.prometheus.measurements import QUERIES
from plugins.contract import Batch, PullContext, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.clock import now
from tests.prometheus_server import DAY, HOUR, counter, series

STEP = 300
END = int(time.time()) // STEP * STEP
LAST = END + HOUR
"""The series go on into the future: a long run comes to these tests long after END was read."""
GRID = range(END - 31 * DAY, LAST + 1, STEP)
LATELY = range(END - HOUR, LAST + 1, STEP)
HALF_A_YEAR_AGO = range(END - 182 * DAY, END - 179 * DAY, STEP)
KUBE = "label_app_kubernetes_io_name"

EPISODE_1 = range(END - 10 * DAY, END - 10 * DAY + HOUR, STEP)
EPISODE_2 = [moment for moment in range(END - 5 * DAY, END - 5 * DAY + HOUR, STEP) if moment != END - 5 * DAY + 1500]
ONGOING = range(END - 2 * HOUR, LAST + 1, STEP)
SINCE_BEFORE = range(END - 31 * DAY, END - 29 * DAY, STEP)
ASKED = [name for name, query in QUERIES.items() if query]

RULES = """
groups:
- name: slo
  rules:
  - alert: CheckoutBudgetBurn
    expr: slo:sli_error:ratio_rate5m{sloth_service="checkout", sloth_slo="requests"} > 14.4 * 0.001
    labels: {severity: page, team: payments}
    annotations: {runbook_url: "https://runbooks.example/burn"}
  - alert: CheckoutTicket
    expr: slo:sli_error:ratio_rate6h{sloth_service="checkout", sloth_slo="writes"} > 0.01
    labels: {severity: warning, team: payments}
- name: other
  rules:
  - {record: "job:up:sum", expr: sum by (job) (up)}
  - alert: CheckoutDown
    expr: sum(up{service="checkout"}) == 0
    labels: {severity: critical}
  - alert: PaymentsBurn
    expr: error_budget_burn > 2
    labels: {sloth_severity: page, sloth_service: pay-svc}
    annotations: {runbook: "https://runbooks.example/pay"}
  - {alert: Watchdog, expr: vector(1), labels: {severity: none}}
  - alert: AnyDown
    expr: up == 0
    labels: {severity: page}
"""


def requests(service: str, code: str, per_second: float, times: range = GRID) -> Iterator[str]:
    labels = {"service": service, "code": code}
    return series("http_requests_total", labels, times, counter(per_second, times.start))


def history() -> Iterator[str]:
    yield from requests("checkout", "200", 5, HALF_A_YEAR_AGO)
    yield from requests("checkout", "200", 9.99)
    yield from requests("checkout", "503", 0.01)
    yield from requests("all-fail", "500", 1)
    yield from requests("idle", "200", 0)
    burst = (END - 12 * DAY) // HOUR * HOUR
    yield from series(
        "http_requests_total",
        {"service": "search", "code": "200"},
        GRID,
        lambda moment: 2 * (moment - GRID.start) + 98 * min(max(moment - burst, 0), 2 * HOUR),
    )
    duration = "http_request_duration_seconds"
    yield from series(f"{duration}_bucket", {"service": "checkout", "le": "0.5"}, GRID, counter(9.5, GRID.start))
    yield from series(f"{duration}_bucket", {"service": "checkout", "le": "1"}, GRID, counter(9.9, GRID.start))
    yield from series(f"{duration}_count", {"service": "checkout"}, GRID, counter(10, GRID.start))
    for zone, value in (("a", 1), ("b", 1), ("b", 1), ("c", 0)):
        labels = {"service": "checkout", "zone": zone, "instance": f"{zone}{value}"}
        yield from series("up", labels, LATELY, lambda _, value=value: value)
    for service, value in (("search", 0), ("quiet", 1), ("legacy", 1), ("pay-svc", 1), ("all-fail", 1), ("twin", 1)):
        yield from series("up", {"service": service, "instance": "1"}, LATELY, lambda _, value=value: value)
    yield from series("process_cpu_seconds_total", {"service": "checkout"}, LATELY, float)
    for path in ("/", "/pay"):
        yield from series("probe_success", {"service": "checkout", "instance": path}, LATELY, lambda _: 1)
    yield from slos()
    yield from kubernetes()
    yield from alerts()


def slos() -> Iterator[str]:
    for service, slo, target, error, left in (
        ("checkout", "requests", 0.999, 0.0006, 0.4),
        ("checkout", "writes", 0.99, 0.009, 0.1),
        ("checkout", "latency-p95", 0.95, 0.02, 0.6),
        ("pay-svc", "requests", 0.9995, float("nan"), float("nan")),
    ):
        labels = {"sloth_service": service, "sloth_slo": slo, "sloth_id": f"{service}-{slo}"}
        yield from series("slo:objective:ratio", labels, LATELY, lambda _, v=target: v)
        yield from series("slo:sli_error:ratio_rate30d", labels, LATELY, lambda _, v=error: v)
        yield from series("slo:period_error_budget_remaining:ratio", labels, LATELY, lambda _, v=left: v)


def kubernetes() -> Iterator[str]:
    for service, pod, limits in (("checkout", "c-1", ("cpu", "memory")), ("search", "s-1", ("memory",))):
        of_pod = {"namespace": "shop", "pod": pod}
        container = {**of_pod, "container": "main"}
        yield from series("kube_pod_labels", {**of_pod, KUBE: service}, GRID, lambda _: 1)
        yield from series("kube_pod_container_info", container, LATELY, lambda _: 1)
        for resource in ("cpu", "memory"):
            labels = {**container, "resource": resource}
            yield from series("kube_pod_container_resource_requests", labels, LATELY, lambda _: 0.5)
        for resource in limits:
            value = 2.0 if resource == "cpu" else 1e9
            labels = {**container, "resource": resource}
            yield from series("kube_pod_container_resource_limits", labels, GRID, lambda _, v=value: v)
    cpu = {"namespace": "shop", "pod": "c-1", "container": "main"}
    yield from series("container_cpu_usage_seconds_total", cpu, GRID, counter(1.2, GRID.start))
    yield from series("container_memory_working_set_bytes", cpu, GRID, lambda _: 7e8)
    hpa = {"namespace": "shop", "horizontalpodautoscaler": "c", "scaletargetref_name": "checkout"}
    yield from series("kube_horizontalpodautoscaler_info", hpa, LATELY, lambda _: 1)
    claim = {"namespace": "shop", "persistentvolumeclaim": "data"}
    info = {**claim, "pod": "c-1"}
    yield from series("kube_pod_spec_volumes_persistentvolumeclaims_info", info, LATELY, lambda _: 1)
    yield from series(
        "kubelet_volume_stats_available_bytes", claim, GRID, lambda moment: 3e10 + 1e9 * (END - moment) / DAY
    )


def alerts() -> Iterator[str]:
    def firing(alert: str, times: Any, severity: str = "page", instance: str = "1", service: str = "checkout"):
        labels = {
            "alertname": alert, "alertstate": "firing", "severity": severity, "service": service, "instance": instance,
        }  # fmt: skip
        return series("ALERTS", labels, times, lambda _: 1)

    yield from firing("HighErrors", EPISODE_1)
    yield from firing("HighErrors", EPISODE_1, instance="2")
    yield from firing("Slow", EPISODE_2)
    yield from firing("Full", ONGOING)
    yield from firing("Old", SINCE_BEFORE)
    yield from firing("Noise", EPISODE_1, severity="warning")
    yield from firing("Lost", EPISODE_1, service="legacy")


TARGETS = [
    *(
        Target(f"component:default/{name}", name)
        for name in ("checkout", "search", "quiet", "idle", "all-fail", "ghost")
    ),
    Target("component:default/payments", "payments", {"sre.portal/prometheus-service": "pay-svc"}),
    Target("component:a/twin", "twin"),
    Target("component:b/twin", "twin"),
]


def pull(
    url: str, options: dict[str, Any] | None = None, targets: Any = TARGETS, **limits: Any
) -> tuple[list[Batch], SourceClient]:
    with SourceClient(url, limits=Limits(**limits)) as client:
        context = PullContext("prometheus", client, CONNECTOR.options_schema().load(options or {}), targets, now())
        return list(CONNECTOR.pull(context)), client


def by_service(batches: list[Batch]) -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = {}
    for batch in batches:
        for fact in batch.facts:
            assert fact.key not in facts.get(fact.ref, {}), "a fact came twice"
            facts.setdefault(fact.ref, {})[fact.key] = fact.value
    return {ref.removeprefix("component:default/"): values for ref, values in facts.items()}


def faults_of(batches: list[Batch]) -> dict[str, str]:
    return {fault.scope: fault.message for batch in batches for fault in batch.faults}
