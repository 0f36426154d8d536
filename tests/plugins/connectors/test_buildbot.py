"""The connector against a real Buildbot master that runs real builds."""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from plugins.connectors import buildbot as buildbot_connector
from plugins.connectors.buildbot import CONNECTOR
from plugins.connectors.buildbot.builds import run_of
from plugins.contract import Batch, FailureKind, PullContext, PullFailed, Target
from plugins.deployments import MAX_REMEMBERED
from plugins.http_client import Limits, SourceClient
from portal_backend.core.clock import now
from tests import servers
from tests.plugins.connectors.buildbot_specification import faults_of_answer, faults_of_request, fields
from tests.plugins.connectors.reading import joined
from tests.plugins.misbehaving import always, send, serving

MASTER = """
from buildbot.plugins import schedulers, steps, util, worker

def builder(name, *command):
    factory = util.BuildFactory([steps.ShellCommand(command=[*command])])
    return util.BuilderConfig(name=name, workernames=["local"], factory=factory)

BuildmasterConfig = {
    "protocols": {"null": {}},
    "workers": [worker.LocalWorker("local")],
    "builders": [
        builder("deploy-checkout", "sh", "-c", util.Interpolate("test %(prop:fails:-no)s = no")),
        builder("test-checkout", "true"),
        builder("lonely", "true"),
    ],
    "schedulers": [
        schedulers.ForceScheduler(name="force", builderNames=["deploy-checkout", "lonely"],
                                  properties=[util.StringParameter(name="fails", default="no")]),
        schedulers.Periodic(name="hourly", builderNames=["test-checkout"], periodicBuildTimer=3600),
    ],
    "www": {"port": "tcp:PORT:interface=127.0.0.1"},
    "buildbotURL": "http://127.0.0.1:PORT/",
    "db": {"db_url": "sqlite:///state.sqlite"},
    "buildbotNetUsageData": None,
}
"""
REF = "component:default/checkout"
OWN = {"sre.portal/buildbot-deploys": "deploy-checkout", "sre.portal/buildbot-tests": "test-checkout"}
TARGET = Target(REF, "checkout", OWN)
REVISIONS = [("a" * 40, "no"), ("b" * 40, "no"), ("a" * 40, "no"), ("c" * 40, "yes")]


def call(url: str, body: Any = None) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def complete(url: str) -> list[dict[str, Any]]:
    return call(f"{url}/api/v2/builds?complete=true")["builds"]


def wait_for(url: str, builds: int) -> None:
    deadline = time.monotonic() + 90
    while len(complete(url)) < builds:
        assert time.monotonic() < deadline, complete(url)
        time.sleep(0.2)


@pytest.fixture(scope="module")
def buildbot() -> Iterator[str]:
    with servers.buildbot(MASTER) as url:
        wait_for(url, 1)
        builders = {one["name"]: one["builderid"] for one in call(f"{url}/api/v2/builders")["builders"]}
        for number, (revision, fails) in enumerate(REVISIONS, 2):
            params = {
                "builderid": str(builders["deploy-checkout"]),
                "owner": "ann",
                "revision": revision,
                "fails": fails,
            }
            order = {"jsonrpc": "2.0", "method": "force", "id": 1, "params": params}
            call(f"{url}/api/v2/forceschedulers/force", order)
            wait_for(url, number)
        yield url


def context(url: str, targets=(TARGET,), cursor: str | None = None, at: datetime | None = None) -> PullContext:
    client = SourceClient(url, None, Limits(attempts=1))
    return PullContext("buildbot", client, {}, targets, at or now(), cursor)


def pull(url: str, **parts: Any) -> Batch:
    return joined(CONNECTOR, context(url, **parts))


def values(batch: Batch) -> dict[str, Any]:
    return {fact.key: fact.value for fact in batch.facts}


def test_builds_that_deploy_make_the_dora_measures(buildbot):
    found = values(pull(buildbot))
    assert (found["deploys.count_30d"], found["deploys.failed_30d"], found["deploys.rolled_back_30d"]) == (3, 1, 1)
    assert found["deploys.change_failure_rate_30d"] == 0.5
    assert found["deploys.automated_ratio_30d"] == 0


def test_builds_that_test_say_that_ci_is_there(buildbot):
    found = values(pull(buildbot))
    assert found["ci.enabled"] is True
    assert found["ci.success_ratio_30d"] == 1
    assert now() - datetime.fromisoformat(found["ci.tests_last_at"]) < timedelta(minutes=10)


def test_events_tell_what_was_deployed_and_by_which_scheduler(buildbot):
    events = pull(buildbot).events
    assert [event.kind for event in events] == [
        "deploy.finished",
        "deploy.finished",
        "deploy.finished",
        "deploy.rolled_back",
        "deploy.failed",
    ]
    assert events[0].details == {
        "repository": "deploy-checkout",
        "revision": "a" * 40,
        "by": "force",
        "automated": False,
    }


def test_the_next_pull_reads_what_is_new_and_knows_the_rest(buildbot):
    first = pull(buildbot)
    later = now() + timedelta(hours=3)
    again = pull(buildbot, cursor=first.cursor, at=later)
    assert values(again)["deploys.count_30d"] == 3
    assert [event.source_event_id for event in again.events] == [event.source_event_id for event in first.events]
    much_later = pull(buildbot, cursor=again.cursor, at=now() + timedelta(days=40))
    assert values(much_later)["deploys.count_30d"] == 0
    assert "deploys.change_failure_rate_30d" not in values(much_later)


def test_builders_of_no_service_and_services_without_a_builder_are_told(buildbot):
    wrong = Target("component:default/wrong", "wrong", {"sre.portal/buildbot-deploys": "deploy-nothing"})
    batch = pull(buildbot, targets=(TARGET, wrong))
    assert batch.unmatched == ["lonely"]
    assert [fault.scope for fault in batch.faults] == [wrong.ref]
    assert {fact.ref for fact in batch.facts} == {REF}


def test_a_cursor_that_cannot_be_read_is_as_good_as_none(buildbot):
    for cursor in ("", "x", "[]", '{"runs": {"a": [[1]]}}', '{"read_until": 5}'):
        assert values(pull(buildbot, cursor=cursor))["deploys.count_30d"] == 3


def test_the_check_names_the_builders_that_are_there(buildbot):
    assert "2 of 2 builders" in CONNECTOR.check(context(buildbot))
    with pytest.raises(PullFailed) as failed:
        CONNECTOR.check(context(buildbot, targets=(Target(REF, "x", {"sre.portal/buildbot-tests": "none"}),)))
    assert failed.value.kind is FailureKind.MISCONFIGURED
    assert "deploy-checkout" in failed.value.message


@pytest.mark.parametrize("body", [b"[]", b'{"builders": 5}', b"<html></html>"])
def test_what_is_no_buildbot_is_a_bad_answer(body):
    with serving(always(200, body)) as server, pytest.raises(PullFailed) as failed:
        pull(server.url)
    assert failed.value.kind is FailureKind.BAD_ANSWER


def test_times_of_builds_are_utc(buildbot):
    events = pull(buildbot).events
    assert all(event.occurred_at.tzinfo is UTC for event in events)


NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DEPLOYED = (Target(REF, "checkout", {"sre.portal/buildbot-deploys": "deploy-checkout"}),)


@contextmanager
def busy(*ended: datetime) -> Iterator[str]:
    """A master with so many builds of one builder, which answers by page as a real one does."""
    builds = [
        {"buildid": n, "builderid": 1, "results": 0, "complete_at": int(at.timestamp()), "properties": {}}
        for n, at in enumerate(ended, 1)
    ]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}
        if "builders" in handler.path:
            return send(handler, 200, b'{"builders": [{"builderid": 1, "name": "deploy-checkout"}]}')
        found = [one for one in builds if one["complete_at"] > int(asked["complete_at__gt"])]
        start = int(asked["offset"])
        return send(handler, 200, json.dumps({"builds": found[start : start + int(asked["limit"])]}).encode())

    with serving(answer) as server:
        yield server.url


def test_what_a_busy_builder_has_ended_beyond_what_is_remembered_is_said_in_each_run_while_it_lasts():
    first = NOW - timedelta(days=20)
    with busy(*(first + timedelta(minutes=n) for n in range(MAX_REMEMBERED + 100))) as url:
        batch = pull(url, targets=DEPLOYED, at=NOW)
        again = pull(url, targets=DEPLOYED, at=NOW + timedelta(minutes=5), cursor=batch.cursor)
        later = pull(url, targets=DEPLOYED, at=NOW + timedelta(days=12), cursor=again.cursor)
    assert values(batch)["deploys.count_30d"] == MAX_REMEMBERED
    assert [(fault.scope, fault.message) for fault in batch.faults] == [
        (
            "deploy-checkout",
            "has ended more than 1,000 builds in 30 days: only those since 2026-11-02T13:40:00Z are counted",
        )
    ]
    assert again.faults == batch.faults
    assert later.faults == []


def test_more_builds_than_a_run_reads_are_read_by_the_next(monkeypatch):
    monkeypatch.setattr(buildbot_connector, "PAGE", 4)
    monkeypatch.setattr(buildbot_connector, "MAX_PAGES", 2)
    with busy(*(NOW - timedelta(days=20 - n) for n in range(12))) as url:
        batch = pull(url, targets=DEPLOYED, at=NOW)
        later = pull(url, targets=DEPLOYED, at=NOW + timedelta(minutes=5), cursor=batch.cursor)
    assert values(batch)["deploys.count_30d"] == 8
    assert "more have ended than a run reads (8): those since 2026-11-09T12:00:00Z follow" in batch.faults[0].message
    assert values(later)["deploys.count_30d"] == 12
    assert later.faults == []


@pytest.mark.parametrize(
    "odd",
    [{"buildid": None}, {"results": [0]}, {"complete_at": "soon"}, {"complete_at": 10**30}, {"buildid": True}],
)
def test_a_build_of_an_odd_shape_counts_for_nothing(odd):
    good = {"buildid": 1, "results": 0, "complete_at": 1, "properties": {"revision": "odd", "owner": ["ann", "x"]}}
    assert run_of(good).by == "ann"
    assert run_of({**good, **odd}) is None


class Listener(SourceClient):
    """Asks as ever, and keeps what was asked and answered."""

    def __init__(self, url: str) -> None:
        super().__init__(url, None, Limits(attempts=1))
        self.heard: list[tuple[str, dict[str, str], Any]] = []

    def get_json(self, path: str, params: Any = None, headers: Any = None) -> Any:
        answer = super().get_json(path, params, headers)
        self.heard.append((path.removeprefix("api/v2"), dict(params or {}), answer))
        return answer


def test_questions_and_answers_are_as_buildbots_own_specification_has_them(buildbot):
    with Listener(buildbot) as client:
        joined(CONNECTOR, replace(context(buildbot), client=client))
    assert [path for path, _, _ in client.heard] == ["/builders", "/builds"]
    for path, params, answer in client.heard:
        assert list(faults_of_request(path, params)) == []
        assert list(faults_of_answer(path, answer)) == []
        assert answer[path[1:]]


def test_what_the_connector_reads_is_specified_and_what_is_not_is_found():
    assert fields("build").keys() >= {"buildid", "builderid", "results", "complete_at", "properties"}
    assert fields("builder").keys() >= {"builderid", "name"}
    asked = {"complete": "yes", "finished__gt": "1", "complete_at__after": "1", "limit": "all", "order": "-age"}
    assert len(list(faults_of_request("/builds", asked))) == len(asked)
    assert list(faults_of_answer("/builders", {"builders": [{"builderid": "1", "name": None}]})) == [
        "masterids is missing",
        "tags is missing",
        *sorted(["builderid is '1', and no integer", "name is None, and no string"]),
    ]
