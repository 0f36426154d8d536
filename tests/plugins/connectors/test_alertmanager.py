"""The connector against a real Alertmanager, and its routing tree against the real one's decisions."""

import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from plugins.connectors.alertmanager import CONNECTOR, OptionsSchema
from plugins.connectors.alertmanager.routing import Matcher, concerns, parse_matchers, read_routing
from plugins.contract import Batch, FailureKind, PullContext, PullFailed, Target
from plugins.http_client import SourceClient
from portal_backend.core.clock import now
from tests import servers
from tests.conftest import shared
from tests.fakes.alertmanager import Alertmanager
from tests.plugins.misbehaving import always, send, serving

CONFIG = """
route:
  receiver: nowhere
  routes:
    - matchers: ['severity =~ "page|critical"']
      receiver: nowhere
      routes:
        - {matchers: [team="payments"], receiver: payments-pager, continue: true}
        - matchers: ['{service="checkout", team!="search"}']
          receiver: checkout-pager
        - {match_re: {service: "sea.*"}, receiver: search-pager}
        - {match: {service: mute}, receiver: nowhere}
    - {matchers: [severity="warning"], receiver: tickets}
receivers:
  - name: nowhere
  - {name: payments-pager, webhook_configs: [{url: 'http://127.0.0.1:9/'}]}
  - {name: checkout-pager, webhook_configs: [{url: 'http://127.0.0.1:9/'}]}
  - {name: search-pager, webhook_configs: [{url: 'http://127.0.0.1:9/'}]}
  - {name: tickets, webhook_configs: [{url: 'http://127.0.0.1:9/'}]}
"""

ALERTS = [
    {"alertname": "BudgetBurn", "service": "checkout", "severity": "page"},
    {"alertname": "Slow", "service": "checkout", "severity": "warning"},
    {"alertname": "Down", "service": "search", "severity": "critical", "team": "search"},
    {"alertname": "Noise", "service": "search", "severity": "page"},
    {"alertname": "Lost", "service": "nobody-knows", "severity": "page"},
    {"alertname": "Paid", "service": "pay-svc", "severity": "page", "team": "payments"},
    {"alertname": "Muted", "service": "mute", "severity": "page"},
]


def post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def matcher(name: str, value: str, **more: bool) -> dict[str, Any]:
    return {"name": name, "value": value, "isRegex": False, "isEqual": True, **more}


def silence(days: float, *matchers: dict[str, Any]) -> dict[str, Any]:
    start = datetime.now(UTC)  # noqa: TID251
    ends = start + timedelta(days=days)
    return {
        "matchers": list(matchers),
        "startsAt": start.isoformat(),
        "endsAt": ends.isoformat(),
        "createdBy": "test",
        "comment": "maintenance",
    }


@pytest.fixture(scope="module")
def alertmanager() -> Iterator[str]:
    with servers.alertmanager(CONFIG) as url:
        post(f"{url}/api/v2/alerts", [{"labels": labels} for labels in ALERTS])
        post(f"{url}/api/v2/silences", silence(10, matcher("service", "search"), matcher("alertname", "Noise")))
        post(f"{url}/api/v2/silences", silence(2, matcher("service", "sea.*", isRegex=True)) | {"comment": "short"})
        post(f"{url}/api/v2/silences", silence(90, matcher("alertname", "Unrelated")))
        deadline = time.monotonic() + 30
        while len(read(f"{url}/api/v2/silences")) < 3 or not settled(url):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield url


def settled(url: str) -> bool:
    alerts = read(f"{url}/api/v2/alerts")
    hidden = [alert for alert in alerts if alert["status"]["state"] == "suppressed"]
    return len(alerts) == len(ALERTS) and len(hidden) == 2


def read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


TARGETS = (
    Target("component:default/checkout", "checkout"),
    Target("component:default/search", "search"),
    Target("component:default/payments", "payments", {"sre.portal/prometheus-service": "pay-svc",
                                                      "sre.portal/alert-labels": "team=payments, tier='1'"}),
    Target("component:default/mute", "mute"),
    Target("component:default/twin", "twin"),
    Target("component:other/twin", "twin"),
)  # fmt: skip


def context(url: str, client: SourceClient, **options: Any) -> PullContext:
    return PullContext("am", client, OptionsSchema().load(options), TARGETS, now())


def pull(url: str, **options: Any) -> list[Batch]:
    with SourceClient(url) as client:
        return list(CONNECTOR.pull(context(url, client, **options)))


def facts(batches: list[Batch]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for batch in batches:
        for fact in batch.facts:
            found.setdefault(fact.ref.rpartition("/")[2], {})[fact.key] = fact.value
    return found


def test_what_fires_and_what_is_hidden_is_counted_by_service(alertmanager):
    found = facts(pull(alertmanager))
    assert found["checkout"]["alerts.firing.count"] == 2
    assert found["checkout"]["alerts.firing.paging"] == 1
    assert found["checkout"]["alerts.firing.names"] == ["BudgetBurn"]
    assert found["search"]["alerts.firing.count"] == 0
    assert found["search"]["alerts.muted.count"] == 2
    assert found["payments"]["alerts.firing.names"] == ["Paid"]


def test_a_silence_counts_where_it_picks_the_service(alertmanager):
    found = facts(pull(alertmanager))
    assert found["search"]["alerts.silences.count"] == 2
    assert found["search"]["alerts.silences.longest_days"] == 10
    assert found["checkout"]["alerts.silences.count"] == 0
    assert "alerts.silences.longest_days" not in found["checkout"]


def test_the_receivers_of_a_page_are_those_that_alertmanager_itself_chooses(alertmanager):
    routing = read_routing(CONFIG)
    chosen = {
        alert["labels"]["alertname"]: sorted({receiver["name"] for receiver in alert["receivers"]} - {"nowhere"})
        for alert in read(f"{alertmanager}/api/v2/alerts")
    }
    assert chosen == {labels["alertname"]: sorted(routing.reached(labels)) for labels in ALERTS}
    found = facts(pull(alertmanager))
    assert found["checkout"]["alerts.paging.receivers"] == ["checkout-pager"]
    assert found["search"]["alerts.paging.receivers"] == ["search-pager"]
    assert found["payments"]["alerts.paging.receivers"] == ["payments-pager"]
    assert found["mute"]["alerts.paging.receivers"] == []


def test_services_of_one_name_get_no_facts_and_a_fault(alertmanager):
    batches = pull(alertmanager)
    assert "twin" not in facts(batches)
    assert any(fault.scope == "service twin" for fault in batches[0].faults)
    assert "nobody-knows" in batches[0].unmatched


def test_every_run_costs_three_requests(alertmanager):
    with SourceClient(alertmanager) as client:
        list(CONNECTOR.pull(context(alertmanager, client)))
        assert client.requests_made == 3


def test_the_check_says_how_many_would_be_told(alertmanager):
    with SourceClient(alertmanager) as client:
        said = CONNECTOR.check(context(alertmanager, client))
    assert "a page of 3 of 6 services would reach somebody" in said


def test_a_page_in_another_servers_place_is_a_bad_answer():
    with serving(always(200, b"<html>Sign in</html>")) as server, pytest.raises(PullFailed) as failed:
        pull(server.url)
    assert failed.value.kind is FailureKind.BAD_ANSWER


def test_a_refusal_is_told_as_one():
    with serving(always(403, b"{}")) as server, pytest.raises(PullFailed) as failed:
        pull(server.url)
    assert failed.value.kind is FailureKind.PERMISSION


@pytest.mark.parametrize("document", ["alertmanager-0.25.openapi.json", "alertmanager.openapi.json"])
def test_alerts_that_no_receiver_gets_and_old_silences_are_read_by_either_document(document):
    fake = Alertmanager(shared("specs", document), now(), modern="0.25" not in document, token="")
    fake.routes = "route: {receiver: ''}\nreceivers: []\n"
    fake.fire({"alertname": "Burn", "service": "checkout", "severity": "page"}, receivers=[])
    fake.fire({"alertname": "New", "service": "checkout"}, generatorURL="http://prometheus.example/graph")
    fake.silence(3, {"name": "service", "value": "checkout"})  # without isEqual, as before version 0.22
    fake.silence(9, {"name": "service", "value": "checkout"}, state="expired")
    fake.authorized = lambda: True
    with fake.running():
        found = facts(pull(fake.url))["checkout"]
    assert fake.problems == []
    assert (found["alerts.firing.count"], found["alerts.firing.paging"]) == (2, 1)
    assert (found["alerts.silences.count"], found["alerts.silences.longest_days"]) == (1, 3)
    assert found["alerts.paging.receivers"] == []


def test_routes_that_cannot_be_read_cost_only_what_rests_on_them(alertmanager):
    status = {"config": {"original": "route: {receiver: [}"}, "versionInfo": {"version": "0.99"}}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.split("?")[0]
        send(handler, 200, json.dumps(status if path == "/api/v2/status" else read(alertmanager + path)).encode())

    with serving(answer) as server:
        batches = pull(server.url)
    assert [fault.scope for fault in batches[0].faults if fault.scope != "service twin"] == ["routes"]
    assert facts(batches)["checkout"].keys() >= {"alerts.firing.count", "alerts.silences.count"}
    assert "alerts.paging.receivers" not in facts(batches)["checkout"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('severity="page"', [Matcher("severity", "page")]),
        ("severity = page", [Matcher("severity", "page")]),
        ('{a!="b", c=~"d|e",}', [Matcher("a", "b", False, False), Matcher("c", "d|e", True)]),
        ('a !~ "x,y}"', [Matcher("a", "x,y}", True, False)]),
        (r'a="say \"hi\" \\ \n"', [Matcher("a", 'say "hi" \\ \n')]),
        ('foo=""', [Matcher("foo", "")]),
        ('"name with space"="v"', [Matcher("name with space", "v")]),
        ("", []),
    ],
)
def test_matchers_are_read_as_people_write_them(text, expected):
    assert parse_matchers(text) == expected


@pytest.mark.parametrize("text", ["severity", "=x", 'a=~"("', 'a=~"' + "x" * 3000 + '"', "a==b=c,,"])
def test_a_matcher_that_is_none_is_told(text):
    with pytest.raises(ValueError, match="matcher|expression"):
        parse_matchers(text)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "route: 5", "route: {receiver: a}", "{", "route: {routes: " + "[{routes: " * 60 + "1" + "}]" * 60 + "}"],
)
def test_a_configuration_without_routes_is_told(text):
    with pytest.raises(ValueError, match="has|is"):
        read_routing(text)


def test_expressions_are_those_of_alertmanager():
    [letters] = parse_matchers(r'team=~"\\pL+"')  # a class that RE2 has, and Python has not
    assert letters.holds({"team": "équipe"})
    assert not letters.holds({"team": "team-1"})
    assert Matcher("team", "a.b", True).holds({"team": "a\nb"})
    with pytest.raises(ValueError, match="on team that is no regular expression of RE2"):
        parse_matchers('team=~"(?=a)"')


def test_half_a_character_in_a_label_is_no_failure():
    assert not Matcher("team", "a.*", True).holds({"team": "\ud800"})


def test_an_expression_cannot_run_away():
    assert not Matcher("service", "(a+)+", True).holds({"service": "a" * 200 + "b"})  # centuries, where it is tried out


def test_a_missing_label_is_an_empty_text():
    assert Matcher("team", "", False, True).holds({})
    assert Matcher("team", "x", False, False).holds({})
    assert Matcher("team", "", True, True).holds({})
    assert not Matcher("team", ".+", True, True).holds({})


def test_a_silence_that_only_excludes_the_service_is_not_on_it():
    labels = {"service": "checkout", "team": "shop"}
    assert concerns([Matcher("service", "checkout")], labels, ("service",))
    assert not concerns([Matcher("service", "other", False, False)], labels, ("service",))
    assert not concerns([Matcher("service", "checkout"), Matcher("team", "search")], labels, ("service",))
    assert not concerns([Matcher("alertname", "X")], labels, ("service",))
