"""The simulated Prometheus: the vendor's API, and series that agree with each other."""

import json
from datetime import timedelta

import pytest

from examples.simulated import prometheus, telemetry
from examples.simulated.promql.engine import Engine
from examples.simulated.rules import alert_expression, rule_groups, sli_expression
from examples.simulated.shapes import Intervals, Load, Share
from examples.simulated.storage import SimulatedStorage
from examples.simulated.telemetry import TelemetryFault
from plugins.connectors.prometheus.measurements import BREACHES, PAGES, PROBES
from plugins.connectors.prometheus.options import Options
from portal_backend.core import clock
from tests.conftest import shared
from tests.examples.company import NOW, SHAKESPEARE, check_answers

TELEMETRY = SHAKESPEARE / "telemetry.yaml"


@pytest.fixture(scope="module", autouse=True)
def _fixed_clock():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTAL_CLOCK", clock.format_time(NOW))
        yield


@pytest.fixture(scope="module")
def app():
    return prometheus.create_app(TELEMETRY)


@pytest.fixture(scope="module")
def client(app):
    return app.test_client()


@pytest.fixture(scope="module")
def storage():
    return SimulatedStorage(telemetry.load(TELEMETRY), NOW)


@pytest.fixture(scope="module")
def checked():
    """The simulation, with every answer checked against Prometheus's own OpenAPI document."""
    app = prometheus.create_app(TELEMETRY)
    check_answers(app, json.loads(shared("specs", "prometheus.openapi.json").read_text()))
    return app.test_client()


def _ask(client, query, time=NOW):
    answer = client.post("/api/v1/query", data={"query": query, "time": str(time.timestamp())}).get_json()
    assert answer["status"] == "success", answer
    return {row["metric"].get("service", ""): float(row["value"][1]) for row in answer["data"]["result"]}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("query?query=up", 200),
        ("query?query=up[5m]", 200),
        ("query?query=1", 200),
        ("query?query=time()&time=2026-11-22T10:00:00Z", 200),
        ("query?query=sum(", 400),
        ("query?query=", 400),
        ("query?query=stddev(up)", 400),
        ("query?query=up * on (service) up", 422),
        ("query_range?query=up&start=2026-11-22T10:00:00Z&end=2026-11-22T11:00:00Z&step=5m", 200),
        ("query_range?query=up&start=2026-11-22T10:00:00Z&end=2026-11-22T11:00:00Z&step=0", 400),
        ("query_range?query=up&start=2026-11-22T10:00:00Z&end=2026-11-22T09:00:00Z&step=5m", 400),
        ("query_range?query=up&start=2025-11-22T10:00:00Z&end=2026-11-22T09:00:00Z&step=60", 400),
        ("rules", 200),
        ("rules?type=alert", 200),
        ("rules?type=record", 200),
        ("alerts", 200),
        ("targets", 200),
        ("metadata", 200),
        ("metadata?metric=up", 200),
        ("labels", 200),
        ("label/service/values", 200),
        ('series?match[]=up{service="shakespeare"}', 200),
        ("series", 400),
        ("status/buildinfo", 200),
    ],
)
def test_every_answer_has_the_shape_of_the_vendors_document(checked, path, status):
    answer = checked.get(f"/api/v1/{path}")

    assert answer.status_code == status
    assert answer.get_json()["status"] == ("success" if status == 200 else "error")


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/query?query=up", "/api/v1/query?query=sum(", "/api/v1/nothing", "/-/ready"]
)
def test_every_answer_says_that_it_is_simulated(client, path):
    assert client.get(path).headers["X-Simulated"] == "true"


def test_the_version_and_the_index_page_say_it_too(client):
    assert "simulated" in client.get("/api/v1/status/buildinfo").get_json()["data"]["version"]
    assert "nothing here was\nmeasured" in client.get("/").text


def test_what_it_cannot_evaluate_is_refused_as_bad_data(client):
    answer = client.get("/api/v1/query", query_string={"query": "stddev(up)"})

    assert answer.status_code == 400
    assert answer.get_json()["errorType"] == "bad_data"
    assert (
        answer.get_json()["error"]
        == "this simulated Prometheus does not evaluate the aggregation stddev; a real one may"
    )


NOT_SIMULATED = {PROBES, BREACHES}
"""The company has no probes, and nothing promises that an SLO is missed at this moment."""


@pytest.mark.parametrize("name", Options().promql())
def test_every_default_query_of_the_connector_evaluates_and_finds_something(client, name):
    query = Options().promql()[name]
    if name == PAGES:
        start, end = (NOW - timedelta(days=30)).timestamp(), NOW.timestamp()
        data = {"query": query, "start": str(start), "end": str(end), "step": "300"}
        answer = client.post("/api/v1/query_range", data=data)
    else:
        answer = client.post("/api/v1/query", data={"query": query})

    assert answer.status_code == 200, answer.get_json()
    assert answer.get_json()["data"]["result"] or name in NOT_SIMULATED


def test_traffic_is_what_the_file_declares_now_and_half_a_year_ago(client, storage):
    now = _ask(client, "sum by (service) (rate(http_requests_total[1d]))")
    then = _ask(client, "sum by (service) (rate(http_requests_total[1d] offset 180d))")

    for service in storage.telemetry.services:
        assert now[service.name] == pytest.approx(service.traffic.now_rps, rel=0.01)
        if service.launched_days_ago > 181:
            assert then[service.name] == pytest.approx(service.traffic.half_year_ago_rps, rel=0.02)
    assert "puck-recommendations" not in then


def test_there_are_no_samples_before_a_launch_and_none_after_the_present(client):
    assert _ask(client, 'up{service="puck-recommendations"}', NOW - timedelta(days=71)) == {}
    assert _ask(client, "up", NOW + timedelta(minutes=7)) == {}
    assert _ask(client, "max by (service) (up)", NOW)


def test_what_is_recorded_is_what_the_recording_rules_own_query_gives(storage):
    engine = Engine(storage)
    # In the daily incident of sonnet-api, and at a quiet time.
    for moment in (NOW.replace(hour=10, minute=3), NOW.replace(hour=13, minute=47)):
        time = moment.timestamp() // 60 * 60
        for service in storage.telemetry.services:
            for name, objective in service.slos.items():
                for window in ("5m", "1h", "1d"):
                    recorded = engine.instant(
                        engine.parse(
                            f'slo:sli_error:ratio_rate{window}{{sloth_service="{service.name}",sloth_slo="{name}"}}'
                        ),
                        time,
                    )
                    query = engine.parse(sli_expression(service, objective, window))
                    computed = engine.instant(query, time)
                    # Counters are whole numbers, so few requests leave a coarse ratio; and a range's first minute is
                    # extrapolated from its mean, even where an incident filled it.
                    requests = service.traffic.now_rps * {"5m": 300, "1h": 3600, "1d": 86_400}[window]
                    assert recorded[0].value == pytest.approx(computed[0].value, rel=0.03, abs=8 / requests)


def test_an_alert_fires_exactly_while_its_own_rule_holds(storage):
    engine, minute = Engine(storage), 60
    end = int(NOW.timestamp()) // minute * minute
    fired = set()
    for service in storage.telemetry.services:
        for alert in service.alerts:
            expression = engine.parse(alert_expression(service, alert))
            for time in range(end - 3 * 86_400, end, 11 * minute):
                holds = bool(engine.instant(expression, float(time)))
                fires = storage.alerts[service.name, alert.name].holding(time) is not None
                assert holds == fires, (alert.name, time)
                if fires:
                    fired.add(alert.name)
    assert len(fired) >= 4


def test_a_restart_on_another_day_moves_no_alert(storage):
    later = SimulatedStorage(telemetry.load(TELEMETRY), NOW + timedelta(days=9))

    for key, stretches in storage.alerts.items():
        past = [start for start in stretches.starts if NOW.timestamp() - 300 * 86_400 < start < NOW.timestamp()]
        assert set(past) <= set(later.alerts[key].starts)


def test_what_fires_shows_in_alerts_rules_and_series_alike():
    fire_time = NOW.replace(hour=10, minute=6)  # sonnet-api's daily incident began at 09:50
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTAL_CLOCK", clock.format_time(fire_time))
        client = prometheus.create_app(TELEMETRY).test_client()
        listed = {alert["labels"]["alertname"] for alert in client.get("/api/v1/alerts").get_json()["data"]["alerts"]}
        groups = client.get("/api/v1/rules?type=alert").get_json()["data"]["groups"]
        ruled = {rule["name"] for group in groups for rule in group["rules"] if rule["state"] == "firing"}
        result = client.get("/api/v1/query", query_string={"query": "ALERTS"}).get_json()["data"]["result"]

    assert "SonnetAvailabilityBudgetBurn" in listed
    assert listed == ruled == {row["metric"]["alertname"] for row in result}


def test_every_rule_is_promql_that_the_simulation_evaluates(storage):
    engine = Engine(storage)
    rules = [rule for service in storage.telemetry.services for group in rule_groups(service) for rule in group.rules]

    assert len(rules) > 200
    for rule in rules:
        engine.instant(engine.parse(rule.query), NOW.timestamp())


@pytest.mark.parametrize("then", [3.0, 40.0, 700.0])
def test_a_loads_total_is_the_integral_of_its_rate(then):
    load = Load(now=40.0, then=then, swing=0.4, anchor=NOW.timestamp())
    start, step = load.begin - 86_400, 60
    for _ in range(4):  # before the growth, at its start, inside and at its end
        numbers = range(int(86_400 * 2 / step))
        middle = [start + (number + 0.5) * step for number in numbers]
        estimate = sum((load.total(at - 0.5, at + 0.5)) * step for at in middle)
        assert load.total(start, start + 2 * 86_400) == pytest.approx(estimate, rel=1e-4)
        start += 60 * 86_400 - 7000
    day = load.total(load.begin - 86_400, load.begin)
    assert day == pytest.approx(then * 86_400)


def test_a_share_counts_its_troubles_only_while_they_last():
    load = Load(now=10.0, then=10.0, swing=0.0, anchor=0.0)
    share = Share(load, 0.0, 0.1, Intervals([100.0, 300.0], [200.0, 310.0]), [0.5, 1.0])

    assert share.total(100.0) == pytest.approx(100 * 10 * 0.1)
    assert share.total(150.0) == pytest.approx(100 * 10 * 0.1 + 50 * 10 * 0.5)
    assert share.total(250.0) == pytest.approx(150 * 10 * 0.1 + 100 * 10 * 0.5)
    assert share.total(310.0) == pytest.approx(200 * 10 * 0.1 + 100 * 10 * 0.5 + 10 * 10)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trafic": {}}, "unknown fields"),
        ({"traffic": {"now_rps": 1}}, "half_year_ago_rps"),
        ({"traffic": {"now_rps": 1, "half_year_ago_rps": 1, "swing": 1}}, "has no fields"),
        ({"incidents": [{"every_days": 1, "day": 0, "at": "25:00", "minutes": 1}]}, "time of the day"),
        ({"incidents": [{"every_days": 1, "day": 1, "at": "10:00", "minutes": 1}]}, "cycle of 1 days"),
        (
            {"incidents": [{"every_days": 1, "day": 0, "at": "10:00", "minutes": 1, "alerts": ["X"]}]},
            "an incident fires",
        ),
        ({"alerts": [{"name": "X", "severity": "page"}]}, "needs an expression"),
        ({"slos": {"latency": {"target": 0.9, "within_seconds": 0.2}}}, "bucket of 0.2"),
    ],
)
def test_a_fault_in_the_file_is_named_with_its_service(tmp_path, change, says):
    path = tmp_path / "telemetry.yaml"
    service = {"namespace": "text", **change}
    path.write_text(json.dumps({"scrape_interval_seconds": 60, "services": {"sonnet-api": service}}))

    with pytest.raises(TelemetryFault, match=f"sonnet-api.*{says}"):
        telemetry.load(path)


def test_an_incident_that_cannot_fire_its_alert_is_a_fault(tmp_path):
    path = tmp_path / "telemetry.yaml"
    text = TELEMETRY.read_text()
    path.write_text(text.replace("minutes: 25, error_ratio: 0.06", "minutes: 25, error_ratio: 0.001"))

    with pytest.raises(TelemetryFault, match="ShakespeareAvailabilityBudgetBurn, but its rule stays quiet"):
        SimulatedStorage(telemetry.load(path), NOW)
