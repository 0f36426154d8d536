"""What other systems post: taken whole or not at all, judged and recorded like what is pulled."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal_backend import pipeline
from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.config import Config, LocationConfig, SourceConfig
from portal_backend.core.db import transaction
from portal_backend.core.errors import Conflict, InvalidInput
from portal_backend.core.faults import MOST_FAULTS
from portal_backend.core.principal import Role
from portal_backend.core.tokens import issue_token

REF = "component:default/checkout"
URL = "/api/plugins/sources/ci/push"
CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: checkout}
spec: {type: service, lifecycle: production, owner: shop}
"""
ORG_CHECKS = """
facts: [{key: repo.coverage, type: number, unit: ratio, description: Lines under test}]
checks:
  - {id: org.coverage, title: Enough lines are tested, question: "Are at least {least} tested?", axis: change, level: 1,
     weight: 3, criticality: major, version: 1, owner: platform, effort: days, sources: [house rule],
     why: Untested breaks., how_to_fix: [Write tests.], guide: "https://wiki.example/tests", thresholds: {least: 80%},
     rule: repo.coverage >= $least, passes: "{repo.coverage}.", fails: "{repo.coverage}."}
"""
OWN = {
    "key": "team.size",
    "type": "integer",
    "unit": "count",
    "description": "People in the team.",
    "max_age_days": 30.0,
}


@pytest.fixture
def make(app: Flask, database_url: str, tmp_path: Path) -> Any:
    (tmp_path / "catalog.yaml").write_text(CATALOG)

    def made(*sources: SourceConfig, **settings: Any) -> Flask:
        locations = (LocationConfig("file", str(tmp_path / "catalog.yaml")),)
        config = Config(
            database_url=database_url, data_dir=tmp_path, base_dir=tmp_path, locations=locations, sources=sources,
            **settings,
        )  # fmt: skip
        return create_app(config)

    return made


@pytest.fixture
def portal(make: Any) -> Iterator[Flask]:
    openslo = SourceConfig("slo", "openslo", options={"paths": ["*.slo.yaml"], "exhaustive": False})
    portal = make(SourceConfig("ci", "push", options={"facts": [OWN]}), openslo)
    with portal.app_context():
        pipeline.prepare()
        pipeline.refresh("catalog")
    return portal


@pytest.fixture
def client(portal: Flask) -> FlaskClient:
    return portal.test_client()


def fact(key: str = "deploys.automated_ratio_30d", value: Any = 1.0, **more: Any) -> dict[str, Any]:
    return {"ref": REF, "key": key, "value": value, **more}


def event(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "ref": REF,
        "id": f"build-{number}",
        "kind": "deploy.finished",
        "occurred_at": clock.format_time(clock.now() - timedelta(hours=number)),
        "summary": f"Build {number} deployed",
        **more,
    }


def verdict(client: FlaskClient, check: str) -> str:
    card = client.get("/api/services/component/default/checkout/scorecard").get_json()
    return next(result["status"] for result in card["results"] if result["check"] == check)


def faults(answer: Any) -> dict[str, str]:
    return {fault["field"]: fault["message"] for fault in answer.get_json()["errors"]}


def test_a_posted_fact_is_judged_by_at_once(client):
    assert verdict(client, "chg.deploy_auto") == "unknown"
    answer = client.post(URL, json={"facts": [fact()], "events": [event()]})
    assert answer.status_code == 200, answer.get_json()
    assert answer.get_json()["facts"] == 1
    assert answer.get_json()["events_recorded"] == 1
    assert verdict(client, "chg.deploy_auto") == "pass"


def test_the_same_post_again_changes_nothing(client):
    body = {"facts": [fact(observed_at=clock.format_time(clock.now()))], "events": [event()]}
    client.post(URL, json=body)
    assert client.post(URL, json=body).get_json() == {
        "facts": 1,
        "services_changed": 0,
        "events_recorded": 0,
        "levels_changed": 0,
    }


def test_a_late_event_lands_where_it_belongs(client):
    for number in (1, 3, 2):
        client.post(URL, json={"events": [event(number)]})
    items = client.get("/api/services/component/default/checkout/history?kind=deploy.finished").get_json()["items"]
    assert [item["summary"] for item in items] == [f"Build {number} deployed" for number in (1, 2, 3)]


def test_a_postmortem_and_a_launch_come_by_push_once_each_and_where_they_belong(client):
    at = clock.format_time(clock.now() - timedelta(days=3))
    postmortem = {
        "ref": REF, "id": "pm-17", "kind": "postmortem.published", "occurred_at": at, "summary": "The card outage",
        "details": {"incident": "PT4KHLK", "actions": [{"title": "Roll out", "priority": "P1", "done": False}]},
    }  # fmt: skip
    launch = {**event(2), "id": "launch-3", "kind": "launch.stage_entered", "details": {"stage": "canary"}}
    for _ in range(2):
        assert client.post(URL, json={"events": [event(1), launch, postmortem]}).status_code == 200
    items = client.get("/api/services/component/default/checkout/history").get_json()["items"]
    pushed = {"deploy.finished", "launch.stage_entered", "postmortem.published"}
    assert [item["kind"] for item in items if item["kind"] in pushed] == [
        "deploy.finished",
        "launch.stage_entered",
        "postmortem.published",
    ]
    details = {item["kind"]: item["details"] for item in items}
    assert details["launch.stage_entered"]["stage"] == "canary"
    assert details["postmortem.published"]["incident"] == "PT4KHLK"


def test_a_source_corrects_its_own_events_and_nobody_elses(client):
    client.post(URL, json={"events": [event()]})
    items = client.get("/api/services/component/default/checkout/history").get_json()["items"]
    own = next(item["sequence"] for item in items if item["kind"] == "deploy.finished")
    registered = next(item["sequence"] for item in items if item["kind"] == "service.registered")
    for wrong in (registered, 999):
        correction = event(2, kind="event.corrected", details={"corrects": wrong})
        assert (
            "corrects its own events only"
            in faults(client.post(URL, json={"events": [correction]}))["events[0].details.corrects"]
        )
    correction = event(2, kind="event.corrected", details={"corrects": own})
    for recorded in (1, 0):
        assert client.post(URL, json={"events": [correction]}).get_json()["events_recorded"] == recorded


def test_facts_of_the_organisations_own_are_declared_with_the_source(client):
    assert client.post(URL, json={"facts": [fact("team.size", 7)]}).status_code == 200
    refused = client.post(URL, json={"facts": [fact("team.size", "seven")]})
    assert refused.status_code == 400
    assert "declared as integer" in faults(refused)["facts[0].value"]


def test_a_fact_that_the_organisations_checks_declare_is_posted_and_judged_by(make, tmp_path):
    (tmp_path / "org.yaml").write_text(ORG_CHECKS)
    portal = make(SourceConfig("ci", "push"), check_paths=(tmp_path / "org.yaml",))
    with portal.app_context():
        pipeline.prepare()
        pipeline.refresh("catalog")
    client = portal.test_client()
    assert (
        "declared as number"
        in faults(client.post(URL, json={"facts": [fact("repo.coverage", "most")]}))["facts[0].value"]
    )
    assert client.post(URL, json={"facts": [fact("repo.coverage", 0.9)]}).status_code == 200
    assert verdict(client, "org.coverage") == "pass"


def test_every_fault_is_named_and_nothing_is_taken(client):
    ahead = clock.format_time(clock.now() + timedelta(hours=1))
    body = {
        "facts": [
            fact(),
            fact(ref="component:default/nobody"),
            fact(key="team.mood"),
            fact(value="much"),
            fact(observed_at=ahead),
        ],
        "events": [event(occurred_at=ahead)],
    }
    answer = client.post(URL, json=body)
    assert answer.status_code == 400
    assert set(faults(answer)) == {
        "facts[1].ref",
        "facts[2].key",
        "facts[3].value",
        "facts[4].observed_at",
        "events[0].occurred_at",
    }
    assert verdict(client, "chg.deploy_auto") == "unknown"


@pytest.mark.parametrize(
    ("wrong", "path"),
    [(lambda number: fact(ref=f"component:default/nobody-{number}"), "ref"), (lambda _: {**fact(), "at": 1}, "at")],
)
def test_the_faults_of_a_large_post_are_counted_beyond_the_first(client, wrong, path):
    answer = client.post(URL, json={"facts": [wrong(number) for number in range(250)]})
    errors = answer.get_json()["errors"]
    assert (answer.status_code, len(errors)) == (400, MOST_FAULTS + 1)
    assert errors[MOST_FAULTS - 1]["field"] == f"facts[{MOST_FAULTS - 1}].{path}"
    assert errors[-1] == {"field": "", "message": "150 more faults; mend these first and send all of it again"}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"facts": {}},
        {"facts": [5]},
        {"facts": [{"ref": REF}]},
        {"things": []},
        {"facts": [fact(colour="red")]},
        {"events": [event(kind="party")]},
        {"events": [event(kind="attestation.given", details={"check": "er.controls", "state": {"id": "x"}})]},
        {"events": [event(kind="tier.changed", details={"to": "full_sre"})]},
        {"events": [event(link="javascript:alert(1)")]},
        {"events": [event(occurred_at="yesterday")]},
        {"events": [event(summary="x" * 5000)]},
        {"facts": [fact()] * 5001},
    ],
)
def test_what_has_another_shape_is_refused(client, body):
    answer = client.post(URL, json=body)
    assert answer.status_code in (400, 422), answer.get_json()
    assert faults(answer)


def test_only_a_source_that_is_posted_to_takes_posts(client):
    assert client.post("/api/plugins/sources/slo/push", json={}).status_code == 409
    assert client.post("/api/plugins/sources/none/push", json={}).status_code == 404


def test_it_is_never_pulled_and_shows_when_something_came(portal, client):
    with portal.app_context():
        assert "ci" not in pipeline.due()
        with pytest.raises(Conflict, match="never pulled"):
            pipeline.refresh("ci")
    before = client.get("/api/plugins/sources/ci").get_json()
    assert (before["state"], before["last_success_at"]) == ("never_ran", None)
    client.post(URL, json={"facts": [fact()]})
    after = client.get("/api/plugins/sources/ci").get_json()
    assert (after["state"], after["matched"]) == ("ok", 1)
    runs = client.get("/api/plugins/sources/ci/runs").get_json()["items"]
    assert [(run["state"], run["facts"]) for run in runs] == [("ok", 1)]


def test_many_may_post_at_once(portal):
    answers: list[int] = []

    def post(number: int) -> None:
        answers.append(portal.test_client().post(URL, json={"facts": [fact()], "events": [event(number)]}).status_code)

    threads = [threading.Thread(target=post, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [200] * 8
    items = portal.test_client().get("/api/services/component/default/checkout/history").get_json()["items"]
    assert sum(item["kind"] == "deploy.finished" for item in items) == 8


def test_a_token_without_the_role_may_not_post(make):
    portal = make(SourceConfig("ci", "push"), service_tokens=True)
    statuses = []
    with portal.app_context():
        pipeline.prepare()
        pipeline.refresh("catalog")
        for number, role in enumerate((Role.DEV, Role.PLUGIN)):
            with transaction() as session:
                issued = issue_token(session, f"ci-{number}", [role], ["plugins:write"], timedelta(1), clock.now())
            headers = {"Authorization": f"Bearer {issued.text}"}
            statuses.append(portal.test_client().post(URL, json={"facts": [fact()]}, headers=headers).status_code)
    assert statuses == [403, 200]


def test_a_declaration_that_contradicts_a_known_fact_is_refused_at_start(make):
    contradicting = {**OWN, "key": "slo.count", "type": "string"}
    with pytest.raises(InvalidInput) as refused:
        make(SourceConfig("ci", "push", options={"facts": [contradicting]}))
    assert [fault.path for fault in refused.value.faults] == ["sources.0.options.facts.0"]
