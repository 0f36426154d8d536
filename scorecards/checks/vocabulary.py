"""The facts that the default catalogue and triage ask for, whoever supplies them.

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

_GRAPH = "a tracing system or a service mesh (calls that are observed)"
_FRAMEWORK = "the registry of the framework (modules, versions, conformance runs)"
_INCIDENTS = "an incident tracker (severities, postmortems, follow-ups)"
_ONCALL = "an on-call system (schedules, escalation, pages)"
_LOGS = "a log store (its latest events and their format)"
_CI = "a continuous integration system"
_LOAD = "a load test tool (its runs and what they reached)"
_PLANNING = "a capacity planning tool, or the planning sheet pushed as facts"
_METRICS = "a metrics system such as Prometheus"
_ROLLOUTS = "a progressive delivery controller (canaries and their steps)"
_BACKUPS = "a backup system (runs and restores)"
PORTAL_RECORDS = "this portal's own records"

_WANTED = (
    (_GRAPH, "deps.undeclared_ratio", FactType.NUMBER, "ratio", "Share of observed calls to undeclared services"),
    (_GRAPH, "deps.batch_class_edges", FactType.INTEGER, "count", "Backends of batch class that user requests reach"),
    (_FRAMEWORK, "fw.module.traffic", FactType.BOOLEAN, "", "It uses the framework's traffic and load control module"),
    (_FRAMEWORK, "fw.components.registered", FactType.BOOLEAN, "", "Its components are registered by standard names"),
    (_FRAMEWORK, "fw.conformance.pass", FactType.BOOLEAN, "", "The framework's conformance tests pass"),
    (_FRAMEWORK, "fw.version.supported", FactType.BOOLEAN, "", "Its version of the framework is supported"),
    (
        "a chaos testing tool",
        "chaos.dep_failure.last_pass_at",
        FactType.DATETIME,
        "",
        "When it last passed a test with a failing dependency",
    ),
    (_BACKUPS, "data.backup.last_success_at", FactType.DATETIME, "", "When a backup of its data last succeeded"),
    (_BACKUPS, "data.restore.last_drill_at", FactType.DATETIME, "", "When a restore was last drilled"),
    (_METRICS, "metrics.labels.missing", FactType.SET, "", "Standard labels that its metrics lack"),
    (_LOGS, "logs.central.last_event_at", FactType.DATETIME, "", "When the central logs last heard of it"),
    (_LOGS, "logs.conformant_ratio", FactType.NUMBER, "ratio", "Share of request logs in the standard format"),
    ("a scanner of logs", "dlp.findings_30d", FactType.INTEGER, "count", "Secrets or personal data found in 30 days"),
    (_METRICS, "probes.count", FactType.INTEGER, "count", "End-to-end probes of it from outside"),
    (_METRICS, "monitoring.deadman", FactType.BOOLEAN, "", "Something notices when its monitoring is down"),
    (_ONCALL, "oncall.schedule.id", FactType.STRING, "", "The schedule that says who is on call for it"),
    (_ONCALL, "oncall.escalation.levels", FactType.INTEGER, "count", "Levels of its escalation policy"),
    (_ONCALL, "oncall.members", FactType.INTEGER, "count", "People in the rotation"),
    (_ONCALL, "oncall.sites", FactType.INTEGER, "count", "Sites that the rotation is spread over"),
    (_ONCALL, "alerts.paging.actionable_ratio_30d", FactType.NUMBER, "ratio", "Share of pages that asked for action"),
    (_INCIDENTS, "incidents.sev12_90d", FactType.INTEGER, "count", "Incidents of severity 1 or 2 in 90 days"),
    (
        _INCIDENTS,
        "incidents.max_budget_share_28d",
        FactType.NUMBER,
        "ratio",
        "Largest share of the error budget that one incident took",
    ),
    (_INCIDENTS, "postmortems.missing_90d", FactType.INTEGER, "count", "Incidents without postmortem after 14 days"),
    (_INCIDENTS, "postmortems.actions.p0p1_overdue", FactType.INTEGER, "count", "Overdue follow-ups of P0 or P1"),
    (_INCIDENTS, "postmortems.p0_linked", FactType.BOOLEAN, "", "Every large incident has a P0 action"),
    (PORTAL_RECORDS, "exercises.last_at", FactType.DATETIME, "", "When an emergency was last exercised"),
    (_PLANNING, "capacity.forecast.horizon_days", FactType.NUMBER, "days", "How far ahead demand is forecast"),
    (_PLANNING, "capacity.forecast.updated_at", FactType.DATETIME, "", "When the forecast was made"),
    (
        _PLANNING,
        "capacity.headroom_zone_loss",
        FactType.NUMBER,
        "ratio",
        "Headroom over the peak without the largest zone",
    ),
    (
        _LOAD,
        "capacity.per_instance_rps",
        FactType.NUMBER,
        "requests_per_second",
        "What one instance carries in its SLO",
    ),
    (_LOAD, "loadtest.last_at", FactType.DATETIME, "", "When load was last tested"),
    (_LOAD, "loadtest.max_rps", FactType.NUMBER, "requests_per_second", "The load that the last test reached"),
    (_METRICS, "traffic.peak_rps_30d", FactType.NUMBER, "requests_per_second", "Peak of 30 days"),
    (_FRAMEWORK, "traffic.loadshed.present", FactType.BOOLEAN, "", "Load shedding is configured"),
    (_CI, "ci.enabled", FactType.BOOLEAN, "", "Tests run on every change"),
    (_CI, "ci.tests_last_at", FactType.DATETIME, "", "When tests last ran in CI"),
    (_ROLLOUTS, "deploys.canary", FactType.BOOLEAN, "", "Releases go through a canary"),
    (_ROLLOUTS, "deploys.max_step_pct_30d", FactType.NUMBER, "", "The largest step of a release, in percent of users"),
    (
        "a vulnerability scanner",
        "deps.vuln.critical_over_30d",
        FactType.INTEGER,
        "count",
        "Critical vulnerabilities older than 30 days",
    ),
    (PORTAL_RECORDS, "ebp.approved_by", FactType.SET, "", "Roles that signed the error budget policy"),
    (PORTAL_RECORDS, "ebp.violations_90d", FactType.INTEGER, "count", "Times that the policy was broken in 90 days"),
    (
        PORTAL_RECORDS,
        "launches.open.checklist_pct",
        FactType.NUMBER,
        "",
        "Percent of the launch checklist that is done",
    ),
    (PORTAL_RECORDS, "launches.last.stages", FactType.SET, "", "Stages that the last launch went through"),
    ("a product analytics system", "users.active_30d", FactType.INTEGER, "count", "People who used it within 30 days"),
    (
        _METRICS,
        "traffic.rps_at_launch",
        FactType.NUMBER,
        "requests_per_second",
        "The same as traffic.rps_now, at its launch",
    ),
    (
        "a work tracker, or the time sheet of the SRE team",
        "sre.operations_share_90d",
        FactType.NUMBER,
        "ratio",
        "Share of the time that SRE spent on it within 90 days that was operations",
    ),
    (
        PORTAL_RECORDS,
        "improvements.overdue_30d",
        FactType.INTEGER,
        "count",
        "Agreed improvements that are overdue by more than 30 days",
    ),
    (
        PORTAL_RECORDS,
        "incidents.repeated_causes_90d",
        FactType.INTEGER,
        "count",
        "Causes that two or more incidents of 90 days had",
    ),
    ("a cost report", "cost.per_1k_req_30d", FactType.NUMBER, "", "Cost of 1000 requests, in its source's currency"),
    (
        "a cost report",
        "cost.per_1k_req_prev",
        FactType.NUMBER,
        "",
        "Cost of 1000 requests 90 days before, in the same currency",
    ),
)
"""What only other kinds of systems can show, each with the kind."""

SYSTEMS: Mapping[str, str] = {key: system for system, key, *_ in _WANTED}
"""The kind of system that would supply a fact, for those that no connector of ours supplies."""

VOCABULARY: Mapping[str, FactSpec] = {
    key: FactSpec(key, kind, unit, description, MAX_AGE)
    for key, kind, unit, description in (*_FACTS, *(wanted[1:] for wanted in _WANTED))
}
