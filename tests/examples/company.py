"""The example's files and its simulated systems, as the tests of this folder use them."""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask, request
from flask.testing import FlaskClient
from openapi_core import OpenAPI
from openapi_core.contrib.flask import FlaskOpenAPIRequest, FlaskOpenAPIResponse
from werkzeug.serving import make_server

from examples.simulated import argocd, grafana, prometheus, tools
from plugins import registry
from plugins.contract import Target
from portal_backend.core.config import Config, load_config

EXAMPLES = Path(__file__).parents[2] / "examples"
SHAKESPEARE = EXAMPLES / "shakespeare"
BROKEN = "broken.yaml"
NOW = datetime(2026, 11, 22, 17, 0, 20, tzinfo=UTC)

LATENCY_PANEL = {
    "id": 5,
    "type": "timeseries",
    "title": "Answered within half a second",
    "gridPos": {"h": 8, "w": 12, "x": 0, "y": 16},
    "targets": [
        {
            "refId": "A",
            "expr": 'sum(rate(http_request_duration_seconds_bucket{service="shakespeare",le="0.5"}[$__rate_interval]))'
            ' / sum(rate(http_request_duration_seconds_count{service="shakespeare"}[$__rate_interval]))',
        }
    ],
}


def documents(*without: str) -> Iterator[dict[str, Any]]:
    """Yield the catalog's documents, but not those of some files."""
    for path in sorted((SHAKESPEARE / "catalog").glob("*.yaml")):
        if path.name not in without:
            yield from yaml.safe_load_all(path.read_text())


def services() -> dict[str, dict[str, Any]]:
    """Return the service components by name."""
    components = [d for d in documents(BROKEN) if d["kind"] == "Component" and d["spec"]["type"] == "service"]
    return {component["metadata"]["name"]: component for component in components}


def targets() -> list[Target]:
    """Return the services as a connector is given them."""
    return [
        Target(f"component:default/{name}", name, component["metadata"].get("annotations", {}))
        for name, component in services().items()
    ]


@contextmanager
def listening(app: Flask) -> Iterator[str]:
    """Serve an application on loopback; yield its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def simulated(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Config]:
    """Copy the company into a folder, run its simulated systems, and yield its configuration."""
    shutil.copytree(SHAKESPEARE, folder / "shakespeare")
    shutil.copy(EXAMPLES / "portal.yaml", folder)
    data = folder / "shakespeare"
    with (
        listening(prometheus.create_app(data / "telemetry.yaml")) as prometheus_url,
        listening(argocd.create_app(data / "deploys.yaml")) as argocd_url,
        listening(grafana.create_app(data / "dashboards")) as grafana_url,
    ):
        patch.setenv("SIMULATED_PROMETHEUS_URL", prometheus_url)
        patch.setenv("SIMULATED_ARGOCD_URL", argocd_url)
        patch.setenv("SIMULATED_GRAFANA_URL", grafana_url)
        schemas = {name: connector.options_schema for name, connector in registry.connectors().items()}
        yield load_config(folder / "portal.yaml", schemas)


def post_what_tools_say(client: FlaskClient, path: Path) -> None:
    """Post what the company's other tools would, as the simulation does."""
    written = tools.read(path)
    answer = client.post(f"/api/plugins/sources/{tools.SOURCE}/push", json={"facts": [*tools.facts(written, NOW)]})
    assert answer.status_code == 200, answer.get_json()
    for name, body in tools.attestations(written):
        answer = client.post(f"/api/services/component/default/{name}/attestations", json=body)
        assert answer.status_code in (200, 201), answer.get_json()


def add_panel(folder: Path) -> None:
    """Add to shakespeare's dashboard the panel that it lacks, as the README tells."""
    path = folder / "shakespeare" / "dashboards" / "shakespeare.json"
    model = json.loads(path.read_text())
    model["panels"].append(LATENCY_PANEL)
    path.write_text(json.dumps(model))


def check_answers(app: Flask, document: dict[str, Any]) -> None:
    """Let every answer be checked against the vendor's document; one that breaks it fails the test."""
    openapi = OpenAPI.from_dict(document)

    def check(response):
        openapi.validate_response(FlaskOpenAPIRequest(request), FlaskOpenAPIResponse(response))
        return response

    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.after_request(check)
