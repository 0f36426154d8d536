"""Who may: deny by default, scopes, service tokens, and the local administrator."""

import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.auth import PUBLIC_ENDPOINTS
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db, transaction
from portal_backend.core.errors import InvalidInput
from portal_backend.core.principal import Principal, Role
from portal_backend.core.tokens import TRUSTED_SECONDS, ServiceToken, issue_token, revoke_token


@pytest.fixture
def guarded(tmp_path: Path) -> Flask:
    """An application that asks for service tokens."""
    config = Config(database_url=f"sqlite:///{tmp_path}/t.db", data_dir=tmp_path, service_tokens=True)
    app = create_app(config)
    with app.app_context():
        Model.metadata.create_all(db.engine)
    return app


def issue(app: Flask, roles=("dev",), scopes=("*:read",), lifetime=timedelta(days=1)) -> tuple[str, str]:
    with app.app_context(), transaction() as session:
        issued = issue_token(session, "robot", roles, scopes, lifetime, clock.now())
        return issued.text, issued.token.id


def ask(client: FlaskClient, token: str, path: str = "/api/services", method: str = "GET"):
    return client.open(path, method=method, headers={"Authorization": f"Bearer {token}"})


def path_of(rule: Rule) -> str:
    """Return a path that the rule matches: 1 for a number, x for everything else."""
    return re.sub(r"<(?:(\w+)[^:<>]*:)?\w+>", lambda place: "1" if place[1] == "int" else "x", rule.rule)


def test_every_route_but_the_public_ones_needs_a_principal(guarded):
    client = guarded.test_client()
    checked = 0
    for rule in guarded.url_map.iter_rules():
        for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
            answer = client.open(path_of(rule), method=method, json={} if method != "GET" else None)
            if rule.endpoint in PUBLIC_ENDPOINTS:
                assert answer.status_code != 401, rule
            else:
                assert answer.status_code == 401, (rule, method, answer.status_code)
                checked += 1
    assert checked > 10


def test_the_public_list_is_short_and_real(guarded):
    endpoints = {rule.endpoint for rule in guarded.url_map.iter_rules()}
    assert endpoints >= PUBLIC_ENDPOINTS
    assert len(PUBLIC_ENDPOINTS) < 10


def test_an_unknown_path_tells_a_stranger_nothing(guarded):
    assert guarded.test_client().get("/nowhere").status_code == 401


def test_a_token_opens_what_its_scopes_say(guarded):
    token, _ = issue(guarded)
    client = guarded.test_client()
    assert ask(client, token).status_code == 200
    refused = ask(client, token, "/api/services/component/default/x/tier", "POST")
    assert refused.status_code == 403
    assert "services:write" in refused.json["detail"]
    narrow, _ = issue(guarded, scopes=("catalog:read",))
    assert ask(client, narrow).status_code == 403


@pytest.mark.parametrize("text", ["", "ptl_", "ptl_x_y", "ptl_0000000000000000_abc", "other", "ptl__"])
def test_a_wrong_token_is_refused(guarded, text):
    answer = ask(guarded.test_client(), text)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_with_another_secret_is_refused(guarded):
    token, _ = issue(guarded)
    assert ask(guarded.test_client(), token[:-3] + "abc").status_code == 401


def test_an_expired_or_revoked_token_says_so(guarded, monkeypatch):
    token, token_id = issue(guarded)
    client = guarded.test_client()
    with guarded.app_context(), transaction() as session:
        revoke_token(session, token_id, clock.now())
    assert "revoked" in ask(client, token).json["detail"]
    other, _ = issue(guarded)
    monkeypatch.setenv("PORTAL_CLOCK", clock.format_time(clock.now() + timedelta(days=2)))
    assert "expired" in ask(client, other).json["detail"]


def test_a_token_that_was_just_used_is_refused_once_it_is_revoked_or_expired(guarded, monkeypatch):
    """It is remembered for a moment: revoking drops what this process remembers, and its end is looked at each time."""
    client = guarded.test_client()
    revoked, token_id = issue(guarded)
    short, _ = issue(guarded, lifetime=timedelta(minutes=1))
    assert ask(client, revoked).status_code == ask(client, short).status_code == 200
    with guarded.app_context(), transaction() as session:
        revoke_token(session, token_id, clock.now())
    assert "revoked" in ask(client, revoked).json["detail"]
    assert ask(client, short).status_code == 200
    monkeypatch.setenv("PORTAL_CLOCK", clock.format_time(clock.now() + timedelta(minutes=1)))
    assert "expired" in ask(client, short).json["detail"]


def test_a_token_that_another_process_revoked_is_refused_after_a_moment(guarded, monkeypatch):
    client = guarded.test_client()
    token, token_id = issue(guarded)
    assert ask(client, token).status_code == 200
    with guarded.app_context(), transaction() as session:
        session.get_one(ServiceToken, token_id).revoked_at = clock.now()
    assert ask(client, token).status_code == 200
    later = time.monotonic() + TRUSTED_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert ask(client, token).status_code == 401


def test_only_a_hash_of_the_secret_is_stored(guarded, tmp_path):
    token, _ = issue(guarded)
    with guarded.app_context():
        db.engine.dispose()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert token.split("_", 2)[2].encode() not in stored


def test_a_faulty_token_request_names_each_fault(guarded):
    with guarded.app_context(), transaction() as session, pytest.raises(InvalidInput) as caught:
        issue_token(session, "", ["king"], ["a b"], timedelta(days=999), clock.now())
    assert {fault.path for fault in caught.value.faults} == {"name", "role", "scope", "expires-in"}


def test_without_authentication_everyone_on_this_machine_is_administrator(client):
    assert client.get("/api/services").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "portal.evil.example:7007"])
def test_a_page_elsewhere_cannot_reach_the_local_administrator(client, host):
    """DNS rebinding: the browser believes that it talks to evil.example."""
    assert client.get("/api/services", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[::1", "http://["])
def test_a_foreign_page_cannot_write_as_the_local_administrator(client, origin):
    answer = client.post("/api/services/component/default/x/tier", json={}, headers={"Origin": origin})
    assert answer.status_code == 403


def test_roles_and_scopes():
    lead = Principal("lead", frozenset({Role.SRE_LEAD}), frozenset({"services:*"}))
    assert lead.has_role(Role.SRE_LEAD, Role.DEV)
    assert not lead.has_role(Role.SRE_MANAGER)
    assert lead.may("services:write")
    assert not lead.may("catalog:read")
    assert Principal("a", frozenset({Role.ADMINISTRATOR}), frozenset({"*"})).has_role(Role.SRE_MANAGER)
