"""The connector against a real Prometheus whose history is known."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plugins.connectors.prometheus import CONNECTOR, alert_history
from plugins.connectors.prometheus.measurements import FACTS, QUERIES
from plugins.contract import Batch, Event, FactType, FailureKind, PullContext, PullFailed, Target
from plugins.http_client import SourceClient
from plugins.moments import moment
from portal_backend.core.clock import now
from tests.plugins.connectors.prometheus_history import (
    ASKED,
    END,
    EPISODE_1,
    EPISODE_2,
    LAST,
    ONGOING,
    RULES,
    STEP,
    TARGETS,
    by_service,
    faults_of,
    history,
    pull,
)
from tests.prometheus_server import DAY, HOUR, counter, prometheus, series

RATE = "sum by ($service_label) (rate(http_requests_total[1d]))"
ON_DEMAND = {
    "slo.availability.actual_180d",
    "traffic.peak_rps_180d",
    "traffic.rps_at_launch",
    "logs.central.last_event_at",
    "logs.conformant_ratio",
}
OF_RECORDED_SLOS = {
    "slo.count", "slo.names", "slo.owner", "slo.window_days", "slo.metrics", "slo.availability.burn_rate",
    "slo.latency.burn_rate",
}  # fmt: skip
"""Facts that need the recording rules of Sloth or Pyrra: see test_prometheus_slos.py."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with prometheus(history(), RULES) as address:
        yield address


@pytest.fixture(scope="module")
def batches(url: str) -> list[Batch]:
    return pull(url)[0]


@pytest.fixture(scope="module")
def facts(batches: list[Batch]) -> dict[str, dict[str, Any]]:
    return by_service(batches)


def test_facts_equal_what_the_history_says(facts: dict[str, dict[str, Any]]) -> None:
    assert facts["checkout"] == {
        "slo.availability.actual_28d": pytest.approx(0.999, abs=1e-6),
        "slo.latency.actual_28d": pytest.approx(0.95, abs=1e-6),
        "slo.latency.threshold_seconds": 0.5,
        "slo.availability.target": 0.99,
        "slo.availability.period_sli_30d": pytest.approx(0.991),
        "slo.availability.budget_left": pytest.approx(0.1),
        "slo.latency.target": 0.95,
        "slo.latency.period_sli_30d": pytest.approx(0.98),
        "slo.latency.budget_left": pytest.approx(0.6),
        "traffic.rps_now": pytest.approx(10, rel=1e-3),
        "traffic.rps_180d_ago": pytest.approx(5, rel=1e-3),
        "traffic.growth_180d": pytest.approx(2, rel=1e-3),
        "traffic.peak_rps_30d": pytest.approx(10, rel=1e-3),
        "metrics.signals.present": 4,
        "metrics.signals.missing": [],
        "alerts.slo_burn.count": 1,
        "alerts.slo_burn.multiwindow_ratio": 0,
        "alerts.slo_burn.lacking": sorted(
            f"{slo}: {kind}"
            for slo in ("requests", "writes", "latency-p95")
            for kind in ("fast page", "slow page", "ticket")
        ),
        "alerts.sli_coverage_ratio": pytest.approx(1 / 3),
        "alerts.paging.count_30d": 3,
        "alerts.paging.without_runbook": 1,
        "alerts.paging.runbook_missing": ["CheckoutDown"],
        "alerts.paging.unrouted": 1,
        "runtime.replicas": 2,
        "targets.up_ratio": pytest.approx(2 / 3),
        "probes.count": 2,
        "monitoring.deadman": True,
        "runtime.zones": 2,
        "runtime.resources.set": True,
        "runtime.autoscaler.enabled": True,
        "runtime.cpu.p95_30d": pytest.approx(0.6, rel=1e-3),
        "runtime.mem.p95_30d": pytest.approx(0.7, rel=1e-3),
        "storage.days_to_full": pytest.approx(30, rel=1e-2),
    }


def test_the_facts_of_the_slo_with_the_least_budget_are_published_together(facts: dict[str, dict[str, Any]]) -> None:
    published = facts["checkout"]
    target, left = published["slo.availability.target"], published["slo.availability.budget_left"]
    assert (target, left) == (0.99, 0.1)  # `writes`, though `requests` has the stricter target
    assert 1 - (1 - published["slo.availability.period_sli_30d"]) / (1 - target) == pytest.approx(left)


def test_an_slo_whose_budget_nobody_records_still_has_its_target(facts: dict[str, dict[str, Any]]) -> None:
    assert facts["payments"]["slo.availability.target"] == 0.9995
    assert "slo.availability.budget_left" not in facts["payments"]
    assert "slo.availability.period_sli_30d" not in facts["payments"]


def test_a_service_without_any_failed_request_is_wholly_available(facts: dict[str, dict[str, Any]]) -> None:
    assert facts["search"]["slo.availability.actual_28d"] == 1


def test_a_service_that_only_fails_is_not_available_at_all(facts: dict[str, dict[str, Any]]) -> None:
    assert facts["all-fail"]["slo.availability.actual_28d"] == 0


def test_without_requests_availability_is_unknown_and_not_zero(facts: dict[str, dict[str, Any]]) -> None:
    assert "slo.availability.actual_28d" not in facts["idle"]
    assert facts["idle"]["traffic.rps_now"] == 0


def test_absent_series_give_no_fact_but_counts_of_a_known_service_may_be_zero(
    facts: dict[str, dict[str, Any]],
) -> None:
    assert facts["quiet"] == {
        "runtime.replicas": 1,
        "targets.up_ratio": 1,
        "probes.count": 0,
        "monitoring.deadman": True,
        "metrics.signals.present": 0,
        "metrics.signals.missing": ["errors", "latency", "saturation", "traffic"],
        "alerts.slo_burn.count": 0,
        "alerts.paging.count_30d": 0,
        "alerts.paging.without_runbook": 0,
        "alerts.paging.runbook_missing": [],
        "alerts.paging.unrouted": 0,
    }
    assert "ghost" not in facts


def test_a_service_that_is_down_has_no_replica(facts: dict[str, dict[str, Any]]) -> None:
    assert facts["search"]["runtime.replicas"] == 0


def test_the_busiest_hour_is_found(facts: dict[str, dict[str, Any]]) -> None:
    assert facts["search"]["traffic.peak_rps_30d"] == pytest.approx(100, rel=0.01)
    assert facts["search"]["traffic.rps_now"] == pytest.approx(2, rel=0.01)


def test_a_container_without_a_limit_and_a_service_without_an_autoscaler_are_seen(
    facts: dict[str, dict[str, Any]],
) -> None:
    assert facts["search"]["runtime.resources.set"] is False
    assert facts["search"]["runtime.autoscaler.enabled"] is False
    assert "runtime.autoscaler.enabled" not in facts["quiet"]


def test_an_annotation_joins_a_service_under_another_name(facts: dict[str, dict[str, Any]]) -> None:
    assert facts["payments"]["alerts.slo_burn.count"] == 1
    assert facts["payments"]["alerts.sli_coverage_ratio"] == 1
    assert facts["payments"]["alerts.paging.unrouted"] == 1


def test_a_name_that_two_services_share_is_given_to_neither(
    batches: list[Batch], facts: dict[str, dict[str, Any]]
) -> None:
    assert not [ref for ref in facts if "twin" in ref]
    assert "component:a/twin, component:b/twin" in faults_of(batches)["service twin"]


def test_names_that_no_service_claims_are_reported(batches: list[Batch]) -> None:
    assert {name for batch in batches for name in batch.unmatched} == {"legacy", "twin"}


def test_every_fact_is_declared_and_has_the_declared_type(facts: dict[str, dict[str, Any]]) -> None:
    specs = {spec.key: spec for spec in FACTS}
    python_types = {FactType.NUMBER: float, FactType.INTEGER: int, FactType.BOOLEAN: bool, FactType.SET: list}
    supplied = {key for values in facts.values() for key in values}
    assert supplied == set(specs) - ON_DEMAND - OF_RECORDED_SLOS - {"metrics.labels.missing"}
    for values in facts.values():
        for key, value in values.items():
            assert type(value) is python_types[specs[key].type], key


def test_what_was_observed_is_never_dated_after_now(batches: list[Batch]) -> None:
    times = {fact.observed_at for batch in batches for fact in batch.facts}
    assert all(now() - timedelta(minutes=2) < moment <= now() for moment in times)
    assert "clock" not in faults_of(batches)


def events_of(batches: list[Batch]) -> dict[tuple[str, str], Event]:
    found = [event for batch in batches for event in batch.events]
    assert len({event.source_event_id for event in found}) == len(found)
    return {(event.details["alert"], event.kind): event for event in found}


def test_the_history_of_alerts_becomes_events(batches: list[Batch]) -> None:
    def at(seconds: int) -> datetime:
        return datetime.fromtimestamp(seconds, UTC)

    found = events_of(batches)
    assert {key: event.occurred_at for key, event in found.items() if key[1] == "alert.fired"} == {
        ("HighErrors", "alert.fired"): at(EPISODE_1.start),
        ("Slow", "alert.fired"): at(EPISODE_2[0]),
        ("Full", "alert.fired"): at(ONGOING.start),
    }
    assert {key[0] for key in found if key[1] == "alert.resolved"} == {"HighErrors", "Slow", "Old"}
    lasted = found["HighErrors", "alert.resolved"].occurred_at - found["HighErrors", "alert.fired"].occurred_at
    assert timedelta(hours=1) <= lasted <= timedelta(hours=1, seconds=STEP)  # the lookback adds one step
    assert {event.ref for event in found.values()} == {"component:default/checkout"}


def test_a_second_pull_gives_the_same_event_ids(url: str, batches: list[Batch]) -> None:
    again = events_of(pull(url)[0])
    assert {key: event.source_event_id for key, event in again.items()} == {
        key: event.source_event_id for key, event in events_of(batches).items()
    }


def test_a_page_on_the_burn_of_one_slo_names_it_and_one_on_several_names_none() -> None:
    series = [
        alert_history.Series({"service": "a", "alertname": name, **({"slo": slo} if slo else {})}, (6000.0,))
        for name, slo in (("Burn", "requests"), ("Any", "requests"), ("Any", "latency"), ("Plain", ""))
    ]
    joined = alert_history.Join({"a": ["component:default/a"]}, ("service",), ())
    seen = alert_history.Window(0, 20_000)
    found = alert_history.alert_episodes(series, seen, joined, lambda labels: labels.get("slo", ""))
    told = {event.details["alert"]: event.details.get("slo") for event in alert_history.alert_events(found)}
    assert told == {"Burn": "requests", "Any": None, "Plain": None}


def test_sliding_the_window_never_renames_an_episode() -> None:
    firing = [alert_history.Series({"service": "a", "alertname": "X"}, tuple(float(t) for t in range(3000, 9000, 300)))]
    joined = alert_history.Join({"a": ["component:default/a"]}, ("service",), ())
    ids: set[str] = set()
    for start in range(0, 12_000, 300):
        seen = alert_history.Window(start, start + 20_000)
        visible = [
            alert_history.Series(s.labels, tuple(t for t in s.times if start <= t <= seen.end and t != 3300.0))
            for s in firing
        ]
        ids |= {
            event.source_event_id
            for event in alert_history.alert_events(
                alert_history.alert_episodes(visible, seen, joined, lambda labels: labels.get("slo", ""))
            )
        }
    assert sorted(identity.partition(":")[0] for identity in ids) == ["alert.fired", "alert.resolved"]


def test_a_query_that_fails_costs_only_its_own_fact(url: str, facts: dict[str, dict[str, Any]]) -> None:
    batches, _ = pull(url, {"queries": {"traffic.rps_now": "sum by (service (", "signals.errors": "nonsense("}})
    faults = faults_of(batches)
    assert "parse error" in faults["traffic.rps_now"]
    assert "signals.errors" in faults
    expected = dict(facts["checkout"])
    for key in ("traffic.rps_now", "traffic.growth_180d", "metrics.signals.present", "metrics.signals.missing"):
        del expected[key]
    found = by_service(batches)["checkout"]
    assert found.keys() == expected.keys()


def test_a_query_can_be_replaced_or_switched_off(url: str) -> None:
    batches, client = pull(
        url, {"queries": {"traffic.rps_now": "sum by ($service_label) (vector(7)) or 2 * max by ($service_label) (up)"}}
    )
    assert by_service(batches)["quiet"]["traffic.rps_now"] == 2.0
    off = {name: None for name in ASKED if name != "services"}
    batches, fewer = pull(url, {"queries": off})
    assert client.requests_made - fewer.requests_made == len(off)
    assert "alerts.paging.count_30d" not in by_service(batches)["quiet"]
    assert by_service(batches)["quiet"]["alerts.slo_burn.count"] == 0


def test_half_a_year_is_asked_about_only_where_a_query_is_given(url: str) -> None:
    queries = {
        "slo.availability.actual_180d": "0.5 * max by ($service_label) (up)",
        "traffic.peak_rps_180d": f"max by ($service_label) (max_over_time({RATE}[180d:1d]))",
    }
    quiet = by_service(pull(url, {"queries": queries})[0])
    assert quiet["quiet"]["slo.availability.actual_180d"] == 0.5
    assert quiet["checkout"]["traffic.peak_rps_180d"] == pytest.approx(10, rel=0.01)


def test_the_traffic_of_a_launch_is_what_a_query_looks_up_or_remembers(url: str) -> None:
    launched = END - 180 * DAY
    queries = {
        "traffic.rps_at_launch": "sum by ($service_label) (rate(http_requests_total{service='checkout'}[1d] @ "
        f"{launched})) or label_replace(vector(12.5), '$service_label', 'quiet', '', '')"
    }
    found = by_service(pull(url, {"queries": queries})[0])
    assert found["checkout"]["traffic.rps_at_launch"] == pytest.approx(5, rel=0.01)
    assert found["quiet"]["traffic.rps_at_launch"] == 12.5
    assert "traffic.rps_at_launch" not in found["search"]


def test_log_figures_are_asked_for_only_where_a_query_is_given(url: str) -> None:
    at = "max by ($service_label) (timestamp(up))"
    queries = {"logs.central.last_event_at": at, "logs.conformant_ratio": f"0.97 + 0 * {at}"}
    found = by_service(pull(url, {"queries": queries})[0])["quiet"]
    assert found["logs.central.last_event_at"].startswith("20")
    assert moment(found["logs.central.last_event_at"]) is not None
    assert found["logs.conformant_ratio"] == pytest.approx(0.97)
    odd = by_service(pull(url, {"queries": {"logs.central.last_event_at": f"1e30 + {at}"}})[0])["quiet"]
    assert odd["logs.central.last_event_at"] == "2100-01-01T00:00:00Z"


def test_an_override_that_names_the_slo_gives_the_published_slos_figure(url: str) -> None:
    by_name = 'label_replace(vector({}), "sloth_slo", "{}", "", "")'
    query = f"{by_name.format(0.5, 'writes')} or {by_name.format(0.9, 'requests')}"
    labelled = f'sum by (sloth_slo, sloth_service) (label_replace({query}, "sloth_service", "checkout", "", ""))'
    batches, _ = pull(url, {"queries": {"slo.availability.actual_28d": labelled}})
    assert by_service(batches)["checkout"]["slo.availability.actual_28d"] == 0.5


def test_an_override_that_is_not_grouped_by_service_is_a_fault_and_no_fact(url: str) -> None:
    batches, _ = pull(url, {"queries": {"runtime.replicas": "up"}})
    assert "group it by service" in faults_of(batches)["runtime.replicas"]
    assert "runtime.replicas" not in by_service(batches)["checkout"]
    assert by_service(batches)["quiet"]["runtime.replicas"] == 1


def test_five_thousand_services_cost_the_requests_of_five() -> None:
    names = [f"service-{number}" for number in range(5000)]

    def many() -> Iterator[str]:
        for name in names:
            yield from series("up", {"service": name}, range(END - STEP, LAST + 1, STEP), lambda _: 1)
            for code, rate in (("200", 9), ("500", 1)):
                labels = {"service": name, "code": code}
                yield from series("http_requests_total", labels, range(END - DAY, LAST + 1, HOUR), counter(rate, 0))

    with prometheus(many(), RULES) as url:
        targets = [Target(f"component:default/{name}", name) for name in names]
        few, few_client = pull(url, targets=targets[:5])
        batches, client = pull(url, targets=targets)
    found = by_service(batches)
    assert len(by_service(few)) == 5
    assert len(found) == 5000
    assert found["service-4999"]["slo.availability.actual_28d"] == pytest.approx(0.9)
    assert client.requests_made == few_client.requests_made == len(ASKED) + 2
    assert max(len({fact.ref for fact in batch.facts}) for batch in batches) <= 500


def test_a_clock_that_is_off_is_said_and_the_facts_are_dated_by_ours(url: str) -> None:
    for hours in (-1, 1):
        moment = now() + timedelta(hours=hours)
        with SourceClient(url) as client:
            found = list(CONNECTOR.pull(PullContext("prometheus", client, {}, TARGETS, moment)))
        assert f"{-3600 * hours:+d}"[:3] in faults_of(found)["clock"]
        assert {fact.observed_at for batch in found for fact in batch.facts} == {moment}


def test_check_says_how_many_services_are_known(url: str) -> None:
    with SourceClient(url) as client:
        said = CONNECTOR.check(PullContext("prometheus", client, {}, TARGETS, now()))
    assert "Prometheus 2" in said
    assert "of 9 services" in said


def test_check_says_when_no_service_matches_and_which_values_there_are(url: str) -> None:
    with SourceClient(url) as client, pytest.raises(PullFailed, match="checkout") as caught:
        CONNECTOR.check(PullContext("prometheus", client, {}, [Target("component:default/x", "x")], now()))
    assert caught.value.kind is FailureKind.MISCONFIGURED
    assert "sre.portal/prometheus-service" in caught.value.message


def test_every_fact_query_and_option_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "connectors" / "prometheus.md").read_text()
    names = {*QUERIES, *(spec.key for spec in FACTS), *CONNECTOR.options_schema().fields}
    undocumented = {name for name in names if name not in text}
    assert undocumented == set()
    assert f"{len(ASKED) + 2} requests per run" in text
