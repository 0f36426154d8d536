"""The simulated Argo CD: the vendor's API over histories that no restart moves."""

import json
from datetime import timedelta

import pytest

from examples.simulated import argocd, deploys
from examples.simulated.deploys import DeploysFault, history
from portal_backend.core import clock
from tests.conftest import shared
from tests.examples.company import NOW, SHAKESPEARE, check_answers, services

DEPLOYS = SHAKESPEARE / "deploys.yaml"


@pytest.fixture(autouse=True)
def _fixed_clock(monkeypatch):
    monkeypatch.setenv("PORTAL_CLOCK", clock.format_time(NOW))


@pytest.fixture
def client():
    return argocd.create_app(DEPLOYS).test_client()


def _items(client, **parameters):
    return client.get("/api/v1/applications", query_string=parameters).get_json()["items"] or []


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/applications",
        "/api/v1/applications?projects=text",
        "/api/v1/applications?selector=app.kubernetes.io/part-of%3Dstage-billing",
        "/api/v1/applications/shakespeare",
        "/api/version",
    ],
)
def test_every_answer_has_the_shape_of_the_vendors_document(path):
    app = argocd.create_app(DEPLOYS)
    check_answers(app, json.loads(shared("specs", "argocd.openapi.json").read_text()))
    answer = app.test_client().get(path)

    assert answer.status_code == 200
    assert answer.headers["X-Simulated"] == "true"


def test_an_application_that_is_not_there_is_an_error_in_argo_cds_shape(client):
    answer = client.get("/api/v1/applications/nobody")

    assert answer.status_code == 404
    assert answer.get_json().keys() == {"error", "code", "message"}


def test_lists_are_narrowed_by_project_selector_and_fields(client):
    assert {item["metadata"]["name"] for item in _items(client, projects="search")} == {"shakespeare", "bard-index"}
    selected = _items(client, selector="app.kubernetes.io/part-of=stage-billing")
    assert {item["metadata"]["name"] for item in selected} == {"billing-api", "billing-worker"}
    assert _items(client, fields="items.metadata.name,items.status.history", projects="search") == [
        {"metadata": {"name": "shakespeare"}},
        {"metadata": {"name": "bard-index"}},
    ]
    assert client.get("/api/v1/applications?everything=1").status_code == 400


def test_histories_are_in_order_numbered_without_gaps_and_in_the_past(client):
    for item in _items(client):
        entries = item["status"]["history"]
        numbers = [entry["id"] for entry in entries]
        assert 0 < len(entries) <= item["spec"]["revisionHistoryLimit"]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        times = [entry["deployedAt"] for entry in entries]
        assert times == sorted(times)
        assert times[-1] < clock.format_time(NOW)


def test_a_restart_on_another_day_moves_no_deploy():
    for name, application in deploys.load(DEPLOYS).items():
        before = {sync.number: sync for sync in history(name, application, NOW.timestamp())}
        after = {sync.number: sync for sync in history(name, application, (NOW + timedelta(days=3)).timestamp())}
        both = before.keys() & after.keys()
        assert both
        assert {number: before[number] for number in both} == {number: after[number] for number in both}


def test_a_rollback_puts_out_again_what_stood_before_and_is_nobodys_auto_sync():
    application = deploys.load(DEPLOYS)["sonnet-api"]
    syncs = history("sonnet-api", application, NOW.timestamp())
    back = [
        third for first, _, third in zip(syncs, syncs[1:], syncs[2:], strict=False) if first.revision == third.revision
    ]

    assert len(back) >= 4
    assert not any(sync.automated for sync in back)


def test_every_application_that_a_service_names_is_there(client):
    items = _items(client)
    names = {item["metadata"]["name"] for item in items}
    labels = {f"{key}={value}" for item in items for key, value in item["metadata"]["labels"].items()}
    claimed = set()
    for service in services().values():
        annotations = service["metadata"]["annotations"]
        assert annotations.get("argocd/app-name", "shakespeare") in names
        assert annotations.get("argocd/app-selector", next(iter(labels))) in labels
        claimed |= {annotations.get("argocd/app-name")}
    assert names - claimed == {"billing-api", "billing-worker", "understudy-sandbox"}


def test_a_failing_sync_is_the_last_operation(client):
    [ariel] = [item for item in _items(client) if item["metadata"]["name"] == "ariel-mailer"]

    assert ariel["status"]["operationState"]["phase"] == "Failed"
    assert ariel["status"]["operationState"]["finishedAt"] == "2026-11-22T16:05:00Z"


def test_a_fault_in_the_file_is_named_with_its_application(tmp_path):
    path = tmp_path / "deploys.yaml"
    path.write_text("applications: {globe: {project: stage, deploys: [{every_days: 1, day: 0, at: noon}]}}")

    with pytest.raises(DeploysFault, match="globe.*'noon' is not a time of the day"):
        deploys.load(path)
