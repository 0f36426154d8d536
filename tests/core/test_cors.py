"""Pages of other origins: who may read what in a browser."""

from pathlib import Path

import pytest
from flask import Flask

from portal_backend.app import create_app
from portal_backend.core.config import Config, load_config
from portal_backend.core.errors import InvalidInput

FRONTEND = "https://backstage.example.org"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
PATH = "/api/catalog/locations"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Flask:
    folder: Path = tmp_path_factory.mktemp("cors")
    url = f"sqlite:///{folder}/t.db"
    return create_app(Config(database_url=url, data_dir=folder, service_tokens=True, cors_origins=(FRONTEND,)))


def test_a_page_of_a_named_origin_may_ask_and_read(guarded):
    client = guarded.test_client()
    asked = client.options(f"{PATH}?dryRun=true", headers={"Origin": FRONTEND, **PREFLIGHT})
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == FRONTEND
    assert {"Authorization", "Content-Type"} <= set(asked.headers["Access-Control-Allow-Headers"].split(", "))
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    answer = client.get(PATH, headers={"Origin": FRONTEND})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, FRONTEND)
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://localhost:3000", "null", "http://[", ""])
def test_a_page_of_another_origin_may_not(guarded, origin):
    client = guarded.test_client()
    for answer in (
        client.options(PATH, headers={"Origin": origin, **PREFLIGHT}),
        client.get(PATH, headers={"Origin": origin}),
    ):
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_without_authentication_pages_of_this_machine_may_and_no_others(client):
    answer = client.get(PATH, headers={"Origin": "http://localhost:3000"})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "http://localhost:3000")
    stranger = client.get(PATH, headers={"Origin": FRONTEND})
    assert stranger.status_code == 403
    assert "Access-Control-Allow-Origin" not in stranger.headers


def test_options_without_a_page_still_needs_a_principal(guarded):
    assert guarded.test_client().options(PATH).status_code == 401


def test_origins_come_from_portal_yaml(tmp_path):
    file = tmp_path / "portal.yaml"
    file.write_text(f"server: {{cors_origins: ['{FRONTEND}']}}\n")
    assert load_config(file, environment={}).cors_origins == (FRONTEND,)
    file.write_text("server: {cors_origins: ['*', 'https://a.example/path']}\n")
    with pytest.raises(InvalidInput) as refused:
        load_config(file, environment={})
    assert {fault.path for fault in refused.value.faults} == {"server.cors_origins[0]", "server.cors_origins[1]"}
