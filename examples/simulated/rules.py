"""The rules of the simulated Prometheus: Sloth's recordings and alerts, and alerts of their own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from examples.simulated.promql.values import Labels
from examples.simulated.telemetry import AlertRule, Objective, ServiceTelemetry

PAGING_SEVERITIES = frozenset({"page", "critical"})
PAGE_WINDOWS = (("5m", "1h", 14.4), ("30m", "6h", 6))
TICKET_WINDOWS = (("2h", "1d", 3), ("6h", "3d", 1))
"""Short window, long window and burn rate of Sloth's default 30-day alerts."""
RECORDED_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
RUNBOOKS = "https://runbooks.shakespeare.example"


@dataclass(frozen=True)
class Rule:
    """One rule as Prometheus's API knows it; `alert` is None for a recording."""

    name: str
    query: str
    labels: Labels
    alert: AlertRule | None = None


@dataclass(frozen=True)
class RuleGroup:
    """A named group of rules of one service."""

    name: str
    service: ServiceTelemetry
    rules: tuple[Rule, ...]


def rule_groups(service: ServiceTelemetry) -> Iterator[RuleGroup]:
    """Yield a service's rule groups, as Sloth names them."""
    for name, objective in service.slos.items():
        rules = tuple(_recordings(service, name, objective))
        yield RuleGroup(f"sloth-slo-sli-recordings-{service.name}-{name}", service, rules)
    if service.alerts:
        alerts = tuple(
            Rule(alert.name, alert_expression(service, alert), alert_labels(service, alert), alert)
            for alert in service.alerts
        )
        yield RuleGroup(f"alerts-{service.name}", service, alerts)


def sloth_labels(service: ServiceTelemetry, slo: str) -> Labels:
    """Return the labels that Sloth puts on what it records."""
    return {"sloth_service": service.name, "sloth_slo": slo, "sloth_id": f"{service.name}-{slo}"}


def alert_labels(service: ServiceTelemetry, alert: AlertRule) -> Labels:
    """Return the labels that an alert carries when it fires."""
    labels = {"service": service.name, "namespace": service.namespace, "severity": alert.severity}
    if alert.slo:
        labels |= sloth_labels(service, alert.slo)
        labels["sloth_severity"] = "page" if alert.severity in PAGING_SEVERITIES else "ticket"
    if alert.team:
        labels["team"] = alert.team
    return labels


def alert_annotations(service: ServiceTelemetry, alert: AlertRule) -> Labels:
    """Return an alert's annotations, with its runbook where it has one."""
    what = f"spends its {alert.slo} error budget too fast" if alert.slo else "needs a look"
    annotations = {"summary": f"{service.name} {what} (simulated)"}
    if alert.runbook:
        annotations["runbook_url"] = f"{RUNBOOKS}/{service.name}/{alert.name}"
    return annotations


def alert_expression(service: ServiceTelemetry, alert: AlertRule) -> str:
    """Return the expression of an alert: its own, or Sloth's two pairs of windows."""
    if not alert.slo:
        return alert.expression
    budget = f"{1 - service.slos[alert.slo].target:.6g}"
    matcher = f'{{sloth_id="{service.name}-{alert.slo}"}}'

    def over(window: str, factor: float) -> str:
        return f"max(slo:sli_error:ratio_rate{window}{matcher} > ({factor:g} * {budget})) without (sloth_window)"

    windows = PAGE_WINDOWS if alert.severity in PAGING_SEVERITIES else TICKET_WINDOWS
    return " or ".join(f"({over(short, factor)} and {over(long, factor)})" for short, long, factor in windows)


def _recordings(service: ServiceTelemetry, name: str, objective: Objective) -> Iterator[Rule]:
    labels = sloth_labels(service, name)
    for window in RECORDED_WINDOWS:
        query = sli_expression(service, objective, window)
        yield Rule(f"slo:sli_error:ratio_rate{window}", query, {**labels, "sloth_window": window})
    matcher = f'{{sloth_id="{service.name}-{name}"}}'
    budget = f"on (sloth_id) group_left () slo:error_budget:ratio{matcher}"
    yield Rule("slo:objective:ratio", f"vector({objective.target:.6g})", labels)
    yield Rule("slo:error_budget:ratio", f"vector(1-{objective.target:.6g})", labels)
    yield Rule("slo:time_period:days", "vector(30)", labels)
    yield Rule("slo:current_burn_rate:ratio", f"slo:sli_error:ratio_rate5m{matcher} / {budget}", labels)
    yield Rule("slo:period_burn_rate:ratio", f"slo:sli_error:ratio_rate30d{matcher} / {budget}", labels)
    remaining = f"1 - slo:period_burn_rate:ratio{matcher}"
    yield Rule("slo:period_error_budget_remaining:ratio", remaining, labels)


def sli_expression(service: ServiceTelemetry, objective: Objective, window: str) -> str:
    """Return the share of bad requests over a window, as the recording rule has it."""
    only = f'service="{service.name}"'
    if objective.within_seconds is None:
        bad = f'sum(rate(http_requests_total{{{only},code=~"5.."}}[{window}]))'
        return f"({bad}) / (sum(rate(http_requests_total{{{only}}}[{window}])))"
    histogram = "http_request_duration_seconds"
    good = f'sum(rate({histogram}_bucket{{{only},le="{objective.within_seconds:g}"}}[{window}]))'
    return f"1 - (({good}) / (sum(rate({histogram}_count{{{only}}}[{window}]))))"


def group_document(group: RuleGroup, evaluated_at: str, interval: int, alerts: Callable[..., Any]) -> dict[str, Any]:
    """Return a group as `/api/v1/rules` has it; `alerts(service, alert)` gives the alerts that are active."""
    rules = [
        {
            "name": rule.name,
            "query": rule.query,
            "labels": rule.labels,
            "health": "ok",
            "evaluationTime": 0.0005,
            "lastEvaluation": evaluated_at,
            **(_alerting(group.service, rule.alert, alerts) if rule.alert else {"type": "recording"}),
        }
        for rule in group.rules
    ]
    return {
        "name": group.name,
        "file": f"/etc/simulated/rules/{group.service.name}.yaml",
        "interval": interval,
        "limit": 0,
        "evaluationTime": 0.001,
        "lastEvaluation": evaluated_at,
        "rules": rules,
    }


def _alerting(service: ServiceTelemetry, alert: AlertRule, alerts: Callable[..., Any]) -> dict[str, Any]:
    active = alerts(service, alert)
    return {
        "type": "alerting",
        "duration": 0,
        "keepFiringFor": 0,
        "annotations": alert_annotations(service, alert),
        "alerts": active,
        "state": "firing" if active else "inactive",
    }
