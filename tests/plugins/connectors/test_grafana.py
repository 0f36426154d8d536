"""The Grafana connector against a server double that holds both sides to Grafana's own document."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from plugins.connectors.grafana import CONNECTOR
from plugins.connectors.grafana.selectors import Dashboard, parse
from plugins.contract import Batch, FailureKind, PullContext, PullFailed, Target
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.conftest import shared
from tests.fakes.argocd import rfc3339
from tests.fakes.grafana import Grafana
from tests.fakes.server import Fault, html

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REF = "component:default/checkout"
TARGET = Target(REF, "checkout", {"grafana/dashboard-selector": "checkout"})
PROMETHEUS = {"type": "prometheus", "uid": "p1"}


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[Grafana]:
    monkeypatch.setenv("GRAFANA_TOKEN", "fake-token")
    fake = Grafana(shared("specs", "grafana.openapi.json"))
    with fake.running():
        yield fake
    assert fake.problems == []


def context(fake: Grafana, targets=(TARGET,), options=None, **parts: Any) -> PullContext:
    limits = parts.pop("limits", Limits(attempts=1))
    return PullContext(
        source="grafana",
        client=SourceClient(fake.url, SourceAuth(token=Secret("${GRAFANA_TOKEN}")), limits),
        options=CONNECTOR.options_schema().load(options or {}),
        targets=targets,
        now=NOW,
        **parts,
    )


def pull(fake: Grafana, targets=(TARGET,), options=None, **parts: Any) -> Batch:
    batches = list(CONNECTOR.pull(context(fake, targets, options, **parts)))
    return Batch(
        facts=[f for b in batches for f in b.facts],
        faults=[f for b in batches for f in b.faults],
        unmatched=[u for b in batches for u in b.unmatched],
    )


def values(batch: Batch, ref: str = REF) -> dict[str, Any]:
    return {fact.key: fact.value for fact in batch.facts if fact.ref == ref}


def panel(*expressions: str, datasource: Any = PROMETHEUS, **parts: Any) -> dict[str, Any]:
    targets = [{"refId": chr(65 + n), "expr": e} for n, e in enumerate(expressions)]
    return {"type": "timeseries", "title": "Panel", "datasource": datasource, "targets": targets} | parts


def shown(grafana: Grafana, *panels: Any, **parts: Any) -> Any:
    """Save one dashboard and return the metrics that the connector sees on it."""
    grafana.save("u1", "Checkout", NOW, tags=["checkout"], panels=list(panels), **parts)
    return values(pull(grafana)).get("dashboard.metrics")


def test_a_service_gets_its_dashboards_metrics(grafana):
    grafana.save("u1", "Overview", NOW - timedelta(days=40), tags=["checkout"], panels=[panel("rate(a_total[5m])")])
    grafana.save("u2", "SLO", NOW - timedelta(days=4), tags=["checkout"], panels=[panel("b", "a_total")])
    grafana.save("u3", "Nobody's", NOW, tags=["other"])

    batch = pull(grafana)

    assert values(batch) == {
        "dashboard.count": 2,
        "dashboard.metrics": ["a_total", "b"],
        "dashboard.updated_at": rfc3339(NOW - timedelta(days=4)),
    }
    assert batch.unmatched == ["Nobody's"]
    assert batch.faults == []
    assert {fact.key for fact in batch.facts} == {spec.key for spec in CONNECTOR.facts}


def test_panels_in_rows_of_every_age_are_walked(grafana):
    collapsed = {"type": "row", "collapsed": True, "panels": [panel("in_a_collapsed_row")]}
    rows = [{"panels": [panel("in_an_old_row")]}]
    assert shown(grafana, collapsed, panel("plain"), rows=rows) == ["in_a_collapsed_row", "in_an_old_row", "plain"]


def test_template_variables_are_put_out_of_the_way_or_expanded(grafana):
    templating = {
        "list": [
            {"name": "kind", "type": "custom", "query": "reads,writes", "current": {"value": "$__all"}},
            {"name": "prefix", "type": "constant", "query": "shop"},
            {"name": "metric", "type": "query", "query": "metrics(.*)", "current": {"value": ["picked_total"]}},
            {"name": "job", "type": "query", "current": {"value": ["api"]}},
        ]
    }
    found = shown(
        grafana,
        panel('sum(rate(requests_total{job=~"$job"}[$__rate_interval])) by ($group)'),
        panel("sum(rate(${prefix}_${kind}_total[[[window]]]))", "rate($metric[$__interval])", "avg($nobody_knows)"),
        panel('histogram_quantile($q, sum(rate(latency_bucket{job="[[job]]"}[5m])) by (le))'),
        templating=templating,
    )
    assert found == ["latency_bucket", "picked_total", "requests_total", "shop_reads_total", "shop_writes_total"]


@pytest.mark.parametrize(
    ("datasource", "expression", "metrics"),
    [
        ({"type": "loki", "uid": "l"}, "rate(looks_like_a_metric[5m])", []),
        ({"type": "grafana-amazonprometheus-datasource"}, "up", ["up"]),
        (None, "up", ["up"]),
        ("Prometheus (old style)", "up", ["up"]),
        (None, '{app="x"} |= "error" | json', []),
        ({"type": "victoriametrics-metrics-datasource"}, "range_median(up[5m])", ["up"]),
    ],
)
def test_only_promql_is_read_as_promql(grafana, datasource, expression, metrics):
    assert shown(grafana, panel(expression, datasource=datasource)) == metrics


def test_the_query_of_a_mixed_panel_names_its_own_datasource(grafana):
    mixed = panel("logs", "up", datasource={"type": "datasource", "uid": "-- Mixed --"})
    mixed["targets"][0]["datasource"] = {"type": "loki"}
    mixed["targets"][1]["datasource"] = PROMETHEUS
    assert shown(grafana, mixed) == ["up"]


def test_library_panels_are_read_once_wherever_they_are_used(grafana):
    grafana.shared_panels["lib1"] = panel("from_the_library")
    library = {"type": "timeseries", "libraryPanel": {"uid": "lib1", "name": "Shared"}}
    grafana.save("u1", "One", NOW, tags=["checkout"], panels=[library])
    grafana.save("u2", "Two", NOW, tags=["checkout"], panels=[library, panel("up")])
    assert values(pull(grafana))["dashboard.metrics"] == ["from_the_library", "up"]
    assert grafana.paths().count("/api/library-elements/lib1") == 1


def test_a_library_panel_that_comes_with_its_queries_is_not_fetched(grafana):
    assert shown(grafana, panel("inline", libraryPanel={"uid": "lib1"})) == ["inline"]
    assert not any("library" in path for path in grafana.paths())


def test_metrics_are_unknown_while_a_part_of_them_cannot_be_read(grafana):
    library = {"type": "timeseries", "libraryPanel": {"uid": "gone"}}
    grafana.save("u1", "Checkout", NOW, tags=["checkout"], panels=[library, panel("up")])
    batch = pull(grafana)
    assert set(values(batch)) == {"dashboard.count", "dashboard.updated_at"}
    assert [fault.scope for fault in batch.faults] == ["dashboard Checkout, library panel gone"]


def test_one_unreadable_dashboard_leaves_the_other_services_alone(grafana):
    other = Target("component:default/other", "other", {"grafana/dashboard-selector": "other"})
    grafana.save("u1", "Secret", NOW, tags=["checkout"], panels=[panel("up")])
    grafana.save("u2", "Open", NOW, tags=["checkout", "other"], panels=[panel("up")])
    grafana.faults.append(Fault(403, '{"message": "no"}', path="/api/dashboards/uid/u1"))
    batch = pull(grafana, (TARGET, other))
    assert values(batch) == {"dashboard.count": 2}
    assert values(batch, other.ref)["dashboard.metrics"] == ["up"]
    assert [fault.scope for fault in batch.faults] == ["dashboard Secret"]


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        '{"dashboard": 7}',
        '{"dashboard": {}, "meta": [1]}',
        '{"meta": {}}',
        '{"dashboard": {"elements": {"a": {}}}}',
    ],
)
def test_a_dashboard_of_an_unknown_shape_is_named(grafana, body):
    grafana.save("u1", "Odd", NOW, tags=["checkout"])
    grafana.save("u2", "Fine", NOW, tags=["checkout"], panels=[panel("up")])
    grafana.faults.append(Fault(200, body, path="/api/dashboards/uid/u1"))
    batch = pull(grafana)
    assert [fault.scope for fault in batch.faults] == ["dashboard Odd"]
    assert values(batch) == {"dashboard.count": 2}


def test_odd_values_inside_a_dashboard_do_no_harm(grafana):
    odd = [7, None, {"targets": "x"}, {"targets": [None, {"expr": 5}, {"expr": " "}]}, {"panels": {"a": 1}}]
    templating = {"list": [None, {"name": 5, "current": 7, "options": "x"}, {"type": "custom"}]}
    assert shown(grafana, *odd, panel("up"), templating=templating) == ["up"]


def test_a_query_that_is_not_promql_is_named_and_read_word_by_word(grafana):
    grafana.save("u1", "Checkout", NOW, tags=["checkout"], panels=[panel("rate(up)) keep_metric_names")])
    batch = pull(grafana)
    assert values(batch)["dashboard.metrics"] == ["up"]
    assert "no PromQL that we know" in batch.faults[0].message


def test_requests_follow_the_dashboards_not_the_services(grafana):
    made = []
    for number in range(3):
        grafana.save(f"u{number}", f"Dashboard {number}", NOW, tags=["shop"], panels=[panel("up")])
    for size in (5, 5000):
        targets = [
            Target(f"component:default/s{n}", f"s{n}", {"grafana/dashboard-selector": "shop"}) for n in range(size)
        ]
        asked = context(grafana, targets)
        found = [fact for batch in CONNECTOR.pull(asked) for fact in batch.facts]
        assert len({fact.ref for fact in found}) == size
        made.append(asked.client.requests_made)
    assert made == [5, 5], "two pages of the search, three dashboards"


def test_the_search_is_read_to_its_end(grafana):
    for number in range(7):
        grafana.save(f"u{number}", f"Dashboard {number}", NOW, tags=["checkout"])
    assert values(pull(grafana, options={"page_size": 3}))["dashboard.count"] == 7
    grafana.page_limit = 2
    assert values(pull(grafana, options={"page_size": 3}))["dashboard.count"] == 7, "a server may cap the page itself"


def test_the_tag_option_narrows_the_search(grafana):
    grafana.save("u1", "One", NOW, tags=["checkout", "prod"])
    grafana.save("u2", "Two", NOW, tags=["checkout"])
    assert values(pull(grafana, options={"tag": "prod"}))["dashboard.count"] == 1


def test_uids_and_a_selector_add_up(grafana):
    grafana.save("u1", "One", NOW, tags=["checkout"])
    grafana.save("u2", "Two", NOW)
    target = Target(
        REF, "checkout", {"grafana/dashboard-selector": "checkout", "sre.portal/dashboard-uid": "u1, u2,gone"}
    )
    batch = pull(grafana, (target,))
    assert values(batch)["dashboard.count"] == 2
    assert "'gone'" in batch.faults[0].message


def test_a_service_without_an_annotation_gets_nothing(grafana):
    grafana.save("u1", "One", NOW)
    batch = pull(grafana, (Target(REF, "checkout"),))
    assert batch.facts == []
    assert batch.faults == []


def test_a_selector_that_finds_nothing_counts_zero_and_says_so(grafana):
    grafana.save("u1", "One", NOW, tags=["other"])
    batch = pull(grafana)
    assert values(batch) == {"dashboard.count": 0, "dashboard.metrics": []}
    assert "selects no dashboard" in batch.faults[0].message


def test_an_empty_search_where_services_select_is_a_missing_permission(grafana):
    with pytest.raises(PullFailed, match="dashboards:read") as failure:
        pull(grafana)
    assert failure.value.kind is FailureKind.PERMISSION


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(401, '{"message": "Invalid API key"}'), FailureKind.CREDENTIALS),
        (Fault(403, '{"message": "Access denied"}'), FailureKind.PERMISSION),
        (Fault(429, "", {"Retry-After": "7"}), FailureKind.RATE_LIMITED),
        (Fault(500, "boom"), FailureKind.BAD_ANSWER),
        (html(), FailureKind.BAD_ANSWER),
        (Fault(200, ""), FailureKind.BAD_ANSWER),
        (Fault(200, b" " * 200, delay_seconds=0.05), FailureKind.TIMEOUT),
    ],
)
@pytest.mark.parametrize("path", ["/api/search", "/api/dashboards"])
def test_a_source_that_fails_says_how(grafana, fault, kind, path):
    grafana.save("u1", "Only one", NOW, tags=["checkout"], panels=[panel("up")])
    fault = Fault(fault.status, fault.body, fault.headers, fault.content_type, fault.delay_seconds, path, times=9)
    asked = context(grafana, limits=Limits(attempts=1, total_seconds=1))
    grafana.faults.append(fault)
    with pytest.raises(PullFailed) as failure:
        list(CONNECTOR.pull(asked))
    assert failure.value.kind is kind
    assert "fake-token" not in failure.value.message


def test_a_search_that_answers_no_list_is_a_bad_answer(grafana):
    grafana.faults.append(Fault(200, '{"a": 1}'))
    with pytest.raises(PullFailed, match="no list of dashboards"):
        pull(grafana)


def test_check_says_what_answered_and_who_selects(grafana):
    grafana.save("u1", "One", NOW, tags=["checkout"])
    lost = Target("component:default/lost", "lost", {"grafana/dashboard-selector": "nowhere"})
    sentence = CONNECTOR.check(context(grafana, (TARGET, lost)))
    assert sentence.startswith("Grafana finds 1 dashboards; 2 services carry")
    assert sentence.endswith("1 of them select some")


def test_check_says_when_no_service_selects_a_dashboard(grafana):
    grafana.save("u1", "One", NOW, tags=["other"])
    with pytest.raises(PullFailed, match="none of them selects one; component:default/checkout: selects no") as failure:
        CONNECTOR.check(context(grafana))
    assert failure.value.kind is FailureKind.MISCONFIGURED


def test_check_tells_an_empty_search_from_a_good_one(grafana):
    with pytest.raises(PullFailed, match="dashboards:read"):
        CONNECTOR.check(context(grafana))


DASHBOARD = Dashboard(
    uid="u1",
    title="Checkout 'overview'",
    url="/d/u1/checkout",
    folder_title="Shop",
    folder_url="/dashboards/f/shop",
    tags=frozenset({"checkout", "slo", "owner:team-a"}),
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("checkout", True),
        ("payment-api", False),
        ("tags @> 'checkout'", True),
        ('tags @> "owner:team-a"', True),
        ("(tags @> 'checkout' || tags @> 'checkout-slo') && tags @> 'generated'", False),
        ("tags @> 'checkout' || tags @> 'x' && tags @> 'y'", True),
        ("(tags @> 'checkout' || tags @> 'x') && tags @> 'y'", False),
        ("!(tags @> 'bar' && tags @> 'slo')", True),
        ("!tags @> 'slo'", False),
        ("title == \"Checkout 'overview'\"", True),
        ("title != 'x' && folderTitle == 'Shop'", True),
        ("'Shop' == folderTitle", True),
        ("url == 'https://grafana.example/d/u1/checkout'", True),
        ("folderUrl == '/dashboards/f/shop'", True),
        ("folderUrl == '/dashboards/f/other'||title=='x'", False),
    ],
)
def test_a_selector_chooses(expression, expected):
    selector = parse(expression)
    assert selector.matches(DASHBOARD) is expected
    if expected and selector.any_tag is not None:
        assert selector.any_tag & DASHBOARD.tags, "the tags that narrow the search must let it through"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("owner:team-a", "tags @> 'the-tag'"),
        ("tags @> 'open", "cannot be read from"),
        ("tags @>", "ends where a quoted text should stand"),
        ("", "ends where a condition should stand"),
        ("tags == 'x'", "tags @> 'x'"),
        ("title @> 'x'", "only tags have @>"),
        ("panels == 'x'", "the fields are tags, title"),
        ("(title == 'x'", "ends where a closing parenthesis should stand"),
        ("title == 'x' title == 'y'", "'title' at character 14 where && or ||"),
        ("title == url", "'url' at character 10 where a quoted text should stand"),
        ("'a' == 'b'", "\"'a'\" at character 1 where a field should stand"),
        ("(" * 900, "nested more than 50 levels"),
        ("!" * 900 + "tags @> 'x'", "nested more than 50 levels"),
        ("x" * 1001, "longer than"),
    ],
)
def test_a_wrong_selector_says_where(expression, message):
    with pytest.raises(ValueError, match=".") as error:
        parse(expression)
    assert message in str(error.value)


def test_a_wrong_selector_is_a_fault_of_its_service_alone(grafana):
    grafana.save("u1", "One", NOW, tags=["checkout"], panels=[])
    wrong = Target("component:default/wrong", "wrong", {"grafana/dashboard-selector": "owner:me"})
    batch = pull(grafana, (wrong, TARGET))
    assert [fault.scope for fault in batch.faults] == [wrong.ref]
    assert values(batch)["dashboard.count"] == 1
    assert values(batch, wrong.ref) == {}
