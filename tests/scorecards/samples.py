"""A service in good order, the facts that show it, and the means to spoil them one at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from plugins.contract import FactSpec, FactType
from scorecards.checks.catalogue import load_catalogue
from scorecards.checks.definitions import CheckCatalogue, Subject
from scorecards.evaluation import CheckResult, judge
from scorecards.evidence.causes import Offer, Supply
from scorecards.evidence.derivations import FACTS as DERIVED_FACTS
from scorecards.evidence.derivations import derivations
from scorecards.evidence.view import Reading, View

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

B, I, N, S, D, M = (  # noqa: E741
    FactType.BOOLEAN,
    FactType.INTEGER,
    FactType.NUMBER,
    FactType.STRING,
    FactType.DATETIME,
    FactType.SET,
)

DECLARED: Mapping[str, tuple[tuple[str, FactType, str, Any], ...]] = {
    "catalog": (
        ("catalog.owner.in_directory", B, "", True),
        ("catalog.contact", S, "", "bard@example.org"),
        ("catalog.criticality", S, "", "T1"),
        ("catalog.criticality_confirmed_at", D, "", "2026-10-01T00:00:00Z"),
        ("docs.design.updated_at", D, "", "2026-06-01T00:00:00Z"),
        ("docs.runbook.reviewed_at", D, "", "2026-09-01T00:00:00Z"),
        ("oncall.shifts_30d", I, "count", 60),
        ("deps.hard.worst_criticality", S, "", "T1"),
    ),
    "prometheus": (
        ("slo.availability.actual_28d", N, "ratio", 0.9996),
        ("slo.latency.actual_28d", N, "ratio", 0.995),
        ("metrics.signals.present", I, "count", 4),
        ("metrics.signals.missing", M, "", []),
        ("alerts.slo_burn.count", I, "count", 2),
        ("alerts.sli_coverage_ratio", N, "ratio", 1.0),
        ("alerts.paging.count_30d", I, "count", 30),
        ("alerts.paging.without_runbook", I, "count", 0),
        ("alerts.paging.unrouted", I, "count", 0),
        ("runtime.replicas", I, "count", 4),
        ("runtime.zones", I, "count", 3),
        ("runtime.resources.set", B, "", True),
        ("runtime.autoscaler.enabled", B, "", True),
        ("runtime.cpu.p95_30d", N, "ratio", 0.45),
        ("runtime.mem.p95_30d", N, "ratio", 0.6),
        ("storage.days_to_full", N, "days", 400.0),
    ),
    "openslo": (
        ("slo.count", I, "count", 2),
        ("slo.availability.target", N, "ratio", 0.9995),
        ("slo.latency.target", N, "ratio", 0.99),
        ("slo.window_days", N, "days", 28),
        ("slo.owner", S, "", "bards"),
        ("slo.metrics", M, "", ["http_request_duration_seconds_bucket", "http_requests_total"]),
    ),
    "grafana": (
        (
            "dashboard.metrics",
            M,
            "",
            ["go_goroutines", "http_request_duration_seconds_bucket", "http_requests_total"],
        ),
    ),
    "argocd": (
        ("deploys.count_30d", I, "count", 25),
        ("deploys.automated_ratio_30d", N, "ratio", 1.0),
        ("deploys.change_failure_rate_30d", N, "ratio", 0.04),
        ("deploys.auto_sync", B, "", True),
        ("deploys.rollback.last_at", D, "", "2026-10-10T00:00:00Z"),
        ("iac.coverage_ratio", N, "ratio", 1.0),
    ),
}
MAX_AGE = timedelta(hours=6)

SPECS: dict[str, FactSpec] = {
    key: FactSpec(key, kind, unit, f"The {key}", MAX_AGE) for rows in DECLARED.values() for key, kind, unit, _ in rows
} | {spec.key: spec for spec in DERIVED_FACTS}
SOURCE_OF = {key: source for source, rows in DECLARED.items() for key, *_ in rows}
GOOD = {key: value for rows in DECLARED.values() for key, _, _, value in rows}
OFFERS = {
    source: Offer(
        source,
        {key: MAX_AGE for key, *_ in rows},
        ((f"{source}/name", "what the system calls the service"),),
    )
    for source, rows in DECLARED.items()
}
QUILL = "component:default/quill"


@dataclass(frozen=True)
class State:
    """The health of a source, as plugins.health tells it."""

    name: str
    plugin: str
    facts: frozenset[str]
    simulated: bool = False
    state: str = "ok"
    last_success_at: datetime | None = NOW - MINUTE
    last_attempt_at: datetime | None = NOW - MINUTE
    failure_kind: str | None = None
    failure_message: str | None = None
    faults: int | None = 0
    fault_sample: tuple[Mapping[str, Any], ...] = field(default=())
    overdue_at: datetime | None = None
    is_overdue: bool = False


def state(plugin: str, name: str = "", **values: Any) -> State:
    return State(name or plugin, plugin, frozenset(OFFERS[plugin].max_ages), **values)


HEALTHY = {plugin: state(plugin) for plugin in DECLARED if plugin != "catalog"}


def supply(sources: Mapping[str, State] = HEALTHY) -> Supply:
    return Supply(SPECS, sources, OFFERS)


def subject(**values: Any) -> Subject:
    given = {
        "ref": "component:default/shakespeare",
        "name": "shakespeare",
        "title": "Shakespeare",
        "type": "service",
        "lifecycle": "ga",
        "criticality": "T1",
        "tags": ("go", "stateful"),
        "service_dependencies": (QUILL,),
    }
    return Subject(**(given | values))


def reading(key: str, value: Any, age: timedelta = MINUTE, source: str = "", fault: str | None = None) -> Reading:
    return Reading(source or SOURCE_OF[key], value, NOW - age, NOW, fault)


def readings(
    facts: Mapping[str, Any] = GOOD, without: tuple[str, ...] = (), age: timedelta = MINUTE
) -> dict[str, list[Reading]]:
    return {key: [reading(key, value, age)] for key, value in facts.items() if key not in without}


def neighbour(**facts: Any) -> View:
    given = {"slo.availability.target": 0.9999} if not facts else facts["facts"]
    return View(readings(given), supply(), NOW)


def view(
    of: Subject | None = None,
    observed: Mapping[str, list[Reading]] | None = None,
    sources: Mapping[str, State] = HEALTHY,
    neighbours: Mapping[str, View] | None = None,
    now: datetime = NOW,
) -> View:
    of = of or subject()
    around = {QUILL: neighbour()} if neighbours is None else neighbours
    return View(readings() if observed is None else observed, supply(sources), now, derivations(of, around))


@cache
def catalogue() -> CheckCatalogue:
    return load_catalogue((), SPECS)


def verdict(check: str, changes: Mapping[str, Any] | None = None, **given: Any) -> CheckResult:
    """Judge one check of the default catalogue on the good service, some facts changed (None: not observed)."""
    facts = {key: value for key, value in (GOOD | dict(changes or {})).items() if value is not None}
    of = given.pop("of", None) or subject()
    given.setdefault("observed", readings(facts))
    return judge(catalogue().checks[check], of, view(of, **given), NOW)
