"""Sources, their runs, fact specs and connectors by HTTP."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from plugins import sources
from plugins.contract import FailureKind, PullFailed
from plugins.pulling import Progress
from tests.plugins.collecting import NOW, progress


def test_sources_are_served_with_their_health(prod: Session, client: FlaskClient) -> None:
    lease = sources.acquire(prod, "prod", NOW)
    sources.finish(prod, lease, progress(), NOW, PullFailed(FailureKind.TIMEOUT, "silent for 60 s"))
    prod.commit()
    answer = client.get("/api/plugins/sources")
    assert answer.status_code == 200
    (item,) = answer.json["items"]
    assert item["state"] == "failing"
    assert (item["failure_kind"], item["failure_message"]) == ("timeout", "silent for 60 s")
    assert item["last_attempt_at"] == "2026-11-22T10:00:00Z"
    assert item["last_success_at"] is None
    assert "traffic.rps_now" in item["facts"]
    assert client.get("/api/plugins/sources/prod").json == item
    missing = client.get("/api/plugins/sources/none")
    assert missing.status_code == 404
    assert "portal sources list" in missing.json["detail"]


def test_runs_are_paged_newest_first(prod: Session, client: FlaskClient) -> None:
    for number in range(5):
        sources.finish(prod, sources.acquire(prod, "prod", NOW), Progress(requests=number), NOW)
    prod.commit()
    seen, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = client.get("/api/plugins/sources/prod/runs", query_string=query).json
        seen += [run["requests"] for run in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=abc", "cursor=InRleHQi", "page=2"])
def test_a_wrong_parameter_of_the_runs_is_refused(prod: Session, client: FlaskClient, query: str) -> None:
    assert client.get(f"/api/plugins/sources/prod/runs?{query}").status_code == 400


def test_runs_of_an_unknown_source_are_not_found(app: Flask, client: FlaskClient) -> None:
    assert client.get("/api/plugins/sources/none/runs").status_code == 404


def test_a_collection_can_be_asked_for(prod: Session, client: FlaskClient) -> None:
    sources.finish(prod, sources.acquire(prod, "prod", datetime(2090, 1, 1, tzinfo=UTC)), Progress(), NOW)
    prod.commit()
    answer = client.post("/api/plugins/sources/prod/collect")
    assert answer.status_code == 202
    assert answer.json["name"] == "prod"
    assert sources.due(prod, datetime(2100, 1, 1, tzinfo=UTC)) == ["prod"]
    assert client.post("/api/plugins/sources/none/collect").status_code == 404


def test_asking_for_a_collection_takes_no_body_but_an_empty_one(prod: Session, client: FlaskClient) -> None:
    assert client.post("/api/plugins/sources/prod/collect", json={}).status_code == 202
    refused = client.post("/api/plugins/sources/prod/collect", json={"whole": True})
    assert refused.status_code == 400
    assert "whole" in refused.text
    assert client.post("/api/plugins/sources/prod/collect", json=["whole"]).status_code == 400


def test_fact_specs_say_unit_age_and_who_supplies_them(client: FlaskClient) -> None:
    items = {item["key"]: item for item in client.get("/api/plugins/fact-specs").json["items"]}
    spec = items["slo.availability.actual_28d"]
    assert (spec["type"], spec["unit"], spec["max_age_seconds"]) == ("number", "ratio", 3 * 86400)
    assert "prometheus" in spec["connectors"]
    assert list(items) == sorted(items)


def test_connectors_are_listed_with_what_they_need(client: FlaskClient) -> None:
    items = {item["name"]: item for item in client.get("/api/plugins/connectors").json["items"]}
    assert items["prometheus"]["fault"] is None
    assert items["prometheus"]["annotations"][0]["key"] == "sre.portal/prometheus-service"
