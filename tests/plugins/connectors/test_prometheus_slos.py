"""SLOs recorded by Sloth and by Pyrra in a real Prometheus: figures, windows of alerts, breaches."""

from collections.abc import Iterator
from typing import Any

import pytest

from plugins.connectors.prometheus import CONNECTOR, burn
from plugins.connectors.prometheus.burn import BurnRule, Pair
from plugins.contract import Batch, PullContext, Target
from plugins.http_client import SourceClient
from portal_backend.core.clock import now
from tests.conftest import shared
from tests.plugins.connectors.prometheus_history import END, LAST, LATELY, STEP
from tests.plugins.connectors.reading import joined
from tests.prometheus_server import DAY, HOUR, prometheus, series

WIFI, SHOP, CART = "component:default/home-wifi", "component:default/shop", "component:default/cart"
TARGETS = [Target(ref, ref.rpartition("/")[2]) for ref in (WIFI, SHOP, CART)]
MISSED = range(END - 8 * DAY, END - 6 * DAY, STEP)

PYRRA = """
- name: shop-errors
  rules:
  - record: http_requests:burnrate5m
    expr: sum(rate(http_requests_total{code=~"5..",service="shop"}[5m])) / sum(rate(http_requests_total{service="shop"}[5m]))
    labels: {slo: shop-errors, service: shop, team: selling}
  - alert: ErrorBudgetBurn
    expr: http_requests:burnrate5m{service="shop",slo="shop-errors"} > (14 * (1-0.99)) and http_requests:burnrate1h4m{service="shop",slo="shop-errors"} > (14 * (1-0.99))
    labels: {slo: shop-errors, service: shop, severity: critical, short: 5m, long: 1h4m, team: selling}
  - alert: ErrorBudgetBurn
    expr: http_requests:burnrate6h{service="shop",slo="shop-errors"} > (1 * (1-0.99)) and http_requests:burnrate4d{service="shop",slo="shop-errors"} > (1 * (1-0.99))
    labels: {slo: shop-errors, service: shop, severity: warning, short: 6h, long: 4d, team: selling}
- name: cart-latency
  rules:
  - record: http_request_duration_seconds:burnrate5m
    expr: 1 - sum(rate(http_request_duration_seconds_bucket{service="cart",le="0.5"}[5m])) / sum(rate(http_request_duration_seconds_count{service="cart"}[5m]))
    labels: {slo: cart-latency}
"""  # noqa: E501 - as Pyrra writes them


def history() -> Iterator[str]:
    for service in ("home-wifi", "shop", "cart"):
        yield from series("up", {"service": service}, LATELY, lambda _: 1)
    sloth = {"sloth_service": "home-wifi", "sloth_slo": "good-wifi-client-satisfaction"}
    for name, value in (
        ("slo:objective:ratio", 0.95),
        ("slo:sli_error:ratio_rate30d", 0.01),
        ("slo:current_burn_rate:ratio", 0.25),
        ("slo:time_period:days", 30),
    ):
        yield from series(name, sloth, LATELY, lambda _, value=value: value)
    left = "slo:period_error_budget_remaining:ratio"
    times = range(END - 20 * DAY, LAST, STEP)
    yield from series(left, sloth, times, lambda moment: -0.1 if moment in MISSED else 0.8)
    for labels, good in (({"slo": "shop-errors", "service": "shop"}, 0.995), ({"slo": "cart-latency"}, 0.94)):
        for name, value in (("pyrra_objective", 0.99), ("pyrra_availability", good), ("pyrra_window", 28 * DAY)):
            begin = END - 2 * HOUR
            yield from series(name, labels, range(begin, LAST, STEP), lambda _, value=value: value)


@pytest.fixture(scope="module")
def batch() -> Iterator[Batch]:
    sloth = shared("corpus", "rules", "slok__sloth__examples-_gen-home-wifi.yaml").read_text()
    with prometheus(history(), sloth + PYRRA) as url, SourceClient(url) as client:
        options = CONNECTOR.options_schema().load({})
        yield joined(CONNECTOR, PullContext("p", client, options, TARGETS, now()))


def facts(batch: Batch, ref: str) -> dict[str, Any]:
    return {fact.key: fact.value for fact in batch.facts if fact.ref == ref}


def test_what_sloth_generates_is_understood_as_it_stands(batch: Batch) -> None:
    found = facts(batch, WIFI)
    assert found["slo.names"] == ["good-wifi-client-satisfaction", "risk-wifi-client-satisfaction"]
    assert found["slo.count"] == 2
    assert found["slo.window_days"] == 30
    assert found["slo.metrics"] == ["unifipoller_client_satisfaction_ratio"]
    assert found["slo.availability.burn_rate"] == 0.25
    assert found["slo.availability.budget_left"] == pytest.approx(0.8)
    assert found["slo.availability.period_sli_30d"] == pytest.approx(0.99)


def test_pyrras_generic_rules_give_objective_budget_and_window_by_label_or_by_the_rules_selectors(batch: Batch) -> None:
    shop, cart = facts(batch, SHOP), facts(batch, CART)
    assert (shop["slo.availability.target"], shop["slo.window_days"]) == (0.99, 28)
    assert shop["slo.availability.budget_left"] == pytest.approx(0.5)
    assert "slo.availability.period_sli_30d" not in shop  # that is Sloth's mean of windows
    assert (shop["slo.count"], shop["slo.owner"], shop["slo.metrics"]) == (1, "selling", ["http_requests_total"])
    assert cart["slo.latency.target"] == 0.99
    assert cart["slo.latency.budget_left"] == pytest.approx(-5)
    assert cart["slo.metrics"] == ["http_request_duration_seconds_bucket", "http_request_duration_seconds_count"]


def test_the_windows_that_an_slos_alerts_lack_are_named(batch: Batch) -> None:
    assert facts(batch, SHOP)["alerts.slo_burn.lacking"] == ["shop-errors: slow page"]
    assert facts(batch, SHOP)["alerts.slo_burn.multiwindow_ratio"] == 0
    assert facts(batch, CART)["alerts.slo_burn.lacking"] == [
        "cart-latency: fast page", "cart-latency: slow page", "cart-latency: ticket",
    ]  # fmt: skip


def test_a_missed_slo_is_an_event_when_it_began_and_when_it_ended(batch: Batch) -> None:
    events = {(event.ref, event.kind, event.details["slo"]): event for event in batch.events}
    wifi = "good-wifi-client-satisfaction"
    assert set(events) == {
        (WIFI, "slo.breached", wifi), (WIFI, "budget.exhausted", wifi), (WIFI, "slo.recovered", wifi),
        (CART, "slo.breached", "cart-latency"), (CART, "budget.exhausted", "cart-latency"),
    }  # fmt: skip
    assert events[WIFI, "budget.exhausted", wifi].occurred_at == events[WIFI, "slo.breached", wifi].occurred_at
    began, ended = events[WIFI, "slo.breached", wifi], events[WIFI, "slo.recovered", wifi]
    assert began.occurred_at.timestamp() == MISSED.start
    assert MISSED.stop <= ended.occurred_at.timestamp() <= MISSED.stop + 2 * STEP
    assert began.source_event_id.endswith(str(MISSED.start))


SLOTH_PAGE = """(
    max(slo:sli_error:ratio_rate5m{sloth_slo="a"} > (14.4 * 0.001)) without (sloth_window)
    and
    max(slo:sli_error:ratio_rate1h{sloth_slo="a"} > (14.4 * 0.001)) without (sloth_window)
)
or
(
    max(slo:sli_error:ratio_rate30m{sloth_slo="a"} > (6 * 0.001)) without (sloth_window)
    and
    max(slo:sli_error:ratio_rate6h{sloth_slo="a"} > (6 * 0.001)) without (sloth_window)
)"""
WORKBOOK = 'job:slo_errors:ratio_rate1h{job="x"} > (14.4*0.001) and job:slo_errors:ratio_rate5m > 0.0144'


@pytest.mark.parametrize(
    ("expression", "pairs"),
    [
        (SLOTH_PAGE, [Pair(300, 3600), Pair(1800, 21600)]),
        (WORKBOOK, [Pair(300, 3600)]),
        ("a:burnrate5m > 1 and a:burnrate1h4m > 1", [Pair(300, 3840)]),
        ("a:burnrate1h > 1", []),
        ("a:burnrate1h > 1 or a:burnrate6h > 1", []),
        ("error_budget_burn > 2", []),
    ],
)
def test_windows_are_read_out_of_every_known_shape(expression: str, pairs: list[Pair]) -> None:
    assert burn.pairs_of(expression) == pairs


def test_an_alert_on_one_window_only_is_no_multiwindow_alert() -> None:
    whole = [BurnRule("a", True, burn.pairs_of(SLOTH_PAGE)), BurnRule("", False, [Pair(21600, 259200)])]
    assert burn.lacking(["a"], whole) == {"a": []}
    assert burn.lacking(["a", "b"], whole) == {"a": ["ticket"], "b": ["fast page", "slow page", "ticket"]}
    assert burn.lacking(["a"], [BurnRule("a", True, [])]) == {"a": ["fast page", "slow page", "ticket"]}


def test_standard_labels_that_a_request_metric_lacks_are_named() -> None:
    def requests() -> Iterator[str]:
        for service, more in (("shop", {"region": "eu"}), ("cart", {})):
            labels = {"service": service, "code": "200", **more}
            yield from series("http_requests_total", labels, LATELY, float)

    with prometheus(requests()) as url, SourceClient(url) as client:
        options = CONNECTOR.options_schema().load({"standard_labels": ["code", "region"]})
        found = joined(CONNECTOR, PullContext("p", client, options, TARGETS, now()))
    assert facts(found, SHOP)["metrics.labels.missing"] == []
    assert facts(found, CART)["metrics.labels.missing"] == ["region"]
    assert "metrics.labels.missing" not in facts(found, WIFI)
