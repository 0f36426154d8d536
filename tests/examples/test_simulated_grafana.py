"""The simulated Grafana: the vendor's API over a folder of dashboards."""

import json
import shutil

import pytest

from examples.simulated import grafana
from tests.conftest import shared
from tests.examples.company import SHAKESPEARE, check_answers

DASHBOARDS = SHAKESPEARE / "dashboards"


@pytest.fixture
def client():
    return grafana.create_app(DASHBOARDS).test_client()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/search", 200),
        ("/api/search?type=dash-db&tag=shakespeare&limit=5&page=1", 200),
        ("/api/search?limit=9999", 422),
        ("/api/dashboards/uid/shakespeare", 200),
        ("/api/dashboards/uid/nobody", 404),
    ],
)
def test_every_answer_has_the_shape_of_the_vendors_document(path, status):
    document = json.loads(shared("specs", "grafana.openapi.json").read_text())
    # The document describes a dashboard as a Kubernetes resource; the server answers its own JSON.
    document["components"]["schemas"]["Dashboard"] = {"type": "object"}
    app = grafana.create_app(DASHBOARDS)
    check_answers(app, document)
    answer = app.test_client().get(path)

    assert answer.status_code == status
    assert answer.headers["X-Simulated"] == "true"


def test_the_search_has_tags_and_pages(client):
    everything = client.get("/api/search").get_json()
    pages = [client.get(f"/api/search?limit=5&page={page}").get_json() for page in (1, 2, 3, 4)]

    assert [hit["uid"] for page in pages for hit in page] == [hit["uid"] for hit in everything]
    assert pages[-1] == []
    assert [hit["uid"] for hit in client.get("/api/search?tag=shakespeare").get_json()] == ["shakespeare"]
    assert client.get("/api/search?everything=1").status_code == 422


def test_saving_the_file_is_saving_the_dashboard(tmp_path):
    shutil.copytree(DASHBOARDS, tmp_path, dirs_exist_ok=True)
    client = grafana.create_app(tmp_path).test_client()
    before = client.get("/api/dashboards/uid/shakespeare").get_json()
    path = tmp_path / "shakespeare.json"
    model = json.loads(path.read_text())
    model["title"] = "Shakespeare, second edition"
    path.write_text(json.dumps(model))
    after = client.get("/api/dashboards/uid/shakespeare").get_json()

    assert after["dashboard"]["title"] == "Shakespeare, second edition"
    assert after["meta"]["version"] >= before["meta"]["version"]
    path.write_text("{ half a fi")
    assert client.get("/api/dashboards/uid/shakespeare").status_code == 404


def test_its_health_says_that_it_is_simulated(client):
    assert client.get("/api/health").get_json() == {
        "commit": "simulated",
        "database": "ok",
        "version": "3.0.0-simulated",
    }
