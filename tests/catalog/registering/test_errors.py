"""What every route of Backstage's catalog API has in common: its errors, and the scopes that it needs."""

from datetime import timedelta

import pytest

from portal_backend.app import create_app
from portal_backend.core import clock
from portal_backend.core.config import Config
from portal_backend.core.db import Model, db, transaction
from portal_backend.core.tokens import issue_token
from tests.catalog.registering.conftest import MOUNT

READING_POSTS = {
    "/entities/by-query",
    "/entities/by-refs",
    "/entity-facets",
    "/locations/by-query",
    "/refresh",
    "/analyze-location",
    "/validate-entity",
}
WRITES = {
    ("POST", "/locations"),
    ("PUT", "/locations/x"),
    ("DELETE", "/locations/x"),
    ("DELETE", "/entities/by-uid/x"),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """An application that asks for tokens, and a function that issues one with some scopes."""
    folder = tmp_path_factory.mktemp("guarded")
    app = create_app(Config(database_url=f"sqlite:///{folder}/t.db", data_dir=folder, service_tokens=True))

    def issue(*scopes):
        with app.app_context(), transaction() as session:
            issued = issue_token(session, "robot", ("dev",), scopes, timedelta(days=1), clock.now())
            return {"Authorization": f"Bearer {issued.text}"}

    with app.app_context():
        Model.metadata.create_all(db.engine)
    return app, issue


def routes(app):
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(MOUNT):
            path = "/".join("x" if step.startswith("<") else step for step in rule.rule.split("/"))
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                yield method, path.removeprefix(MOUNT)


def test_what_only_reads_needs_the_scope_to_read(guarded):
    app, issue = guarded
    client, reader, writer = app.test_client(), issue("catalog:read"), issue("catalog:write")
    refused = {}
    for scope, headers in (("read", reader), ("write", writer)):
        for method, path in routes(app):
            answer = client.open(MOUNT + path, method=method, headers=headers, json=None if method == "GET" else {})
            if answer.status_code == 403:
                refused.setdefault(scope, set()).add((method, path))
    assert refused["read"] == WRITES
    posts = {path for method, path in refused["write"] if method == "POST"}
    assert posts == READING_POSTS
    assert {method for method, path in refused["write"] if path not in READING_POSTS} == {"GET"}


def test_a_refusal_says_which_scope_is_missing(guarded):
    app, issue = guarded
    answer = app.test_client().post(f"{MOUNT}/locations", headers=issue("catalog:read"), json={})
    assert (answer.status_code, answer.json["error"]["name"]) == (403, "NotAllowedError")
    assert "catalog:write" in answer.json["error"]["message"]


def test_a_stranger_is_told_the_same_everywhere(guarded):
    app, _ = guarded
    client = app.test_client()
    for path in ("/entities", "/no-such-route", "/locations/x"):
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answer = client.get(MOUNT + path, headers=headers)
            assert (answer.status_code, answer.json["error"]["name"]) == (401, "AuthenticationError")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_an_unknown_route_answers_nothing(client, guarded, method):
    app, issue = guarded
    for answer in (
        client.open(f"{MOUNT}/no-such-route", method=method),
        app.test_client().open(f"{MOUNT}/no/such", method=method, headers=issue("catalog:read")),
        client.open(MOUNT, method=method),
    ):
        assert (answer.status_code, answer.data) == (404, b"")


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/entities"), ("PUT", "/refresh"), ("POST", "/locations/x")])
def test_a_route_by_another_method_answers_nothing(client, method, path):
    answer = client.open(f"{MOUNT}{path}", method=method)
    assert (answer.status_code, answer.data) == (404, b"")


def test_only_who_may_register_has_placeholders_read(guarded):
    app, issue = guarded
    entity = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "User",
        "metadata": {"name": "a"},
        "spec": {"memberOf": []},
    }
    entity["metadata"]["description"] = {"$text": "http://127.0.0.1/x"}
    told = {}
    for scopes in (("catalog:read",), ("catalog:read", "catalog:write")):
        body = {"entity": entity, "location": "url:https://example.com/a.yaml"}
        answer = app.test_client().post(f"{MOUNT}/validate-entity", headers=issue(*scopes), json=body)
        (told[len(scopes)],) = (error["message"] for error in answer.json["errors"])
    assert "$text is not followed here" in told[1]
    assert "$text cannot be filled in" in told[2]


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/entities?limit=abc", "/entities?limit=abc"),
        ("/entities?limit=abc&filter=a%3Db%2Cc", "/entities?limit=abc&filter=a%3Db%2Cc"),
        ("/entities/by-name/a%20b/c%3Ad/e?x=1", "/entities/by-name/a%20b/c:d/e?x=1"),
        ("/locations/%C3%A4", "/locations/%C3%A4"),
    ],
)
def test_an_error_names_the_address_from_the_mount_on(client, path, url):
    answer = client.get(MOUNT + path)
    assert answer.content_type == "application/json; charset=utf-8"
    assert answer.json.keys() == {"error", "request", "response"}
    assert answer.json["error"].keys() == {"name", "message"}
    assert answer.json["request"] == {"method": "GET", "url": url}
    assert answer.json["response"] == {"statusCode": answer.status_code}


BODIES = ["/locations", *sorted(READING_POSTS)]


NO_BODIES = [
    (b"{", "application/json"),
    (b"\xff", "application/json"),
    (b'{"a": "\\ud800"}', "application/json"),
    (b'{"a": NaN}', "application/json"),
    (b"[" * 50_000, "application/json"),
    (b"5", "application/json"),
    (b"[]", "application/json"),
    (b"{}", "text/plain"),
    (b"a=b", "application/x-www-form-urlencoded"),
]


@pytest.mark.parametrize("path", BODIES)
def test_a_body_that_is_none_is_a_400(client, path):
    for body, content_type in NO_BODIES:
        answer = client.post(MOUNT + path, data=body, content_type=content_type)
        assert (answer.status_code, answer.json["error"]["name"]) == (400, "InputError"), (body[:20], content_type)


@pytest.mark.parametrize("path", BODIES)
def test_an_unknown_parameter_is_a_400_everywhere(client, path):
    for parameter in ("unknown=1", "unknown="):
        assert client.post(f"{MOUNT}{path}?{parameter}", json={}).status_code == 400


def test_a_body_that_is_too_large_is_told_in_backstages_shape(client):
    answer = client.post(f"{MOUNT}/refresh", data=b"x" * 3_000_000, content_type="application/json")
    assert (answer.status_code, answer.json["error"]["name"]) == (413, "PayloadTooLargeError")


ENTITY = {"apiVersion": "backstage.io/v1alpha1", "kind": "Location", "metadata": {"name": "x"}, "spec": {}}
PLACE = {"type": "url", "target": "https://example.com/a/b"}


@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [
        ("POST", "/entities/by-query", {}, (200, 200)),
        ("POST", "/entities/by-refs", {"entityRefs": []}, (200, 200)),
        ("POST", "/entity-facets", {"facets": ["kind"]}, (200, 200)),
        ("POST", "/locations/by-query", {}, (200, 200)),
        ("POST", "/analyze-location", {"location": PLACE}, (200, 200)),
        ("POST", "/validate-entity", {"entity": ENTITY, "location": "url:https://example.com/a"}, (200, 200)),
        ("POST", "/analyze-location", {"location": {**PLACE, "later": 1}}, (400, 400)),
        ("POST", "/refresh", {"entityRef": "component:default/none"}, (404, 400)),
        ("POST", "/locations", PLACE, (201, 400)),
        ("PUT", "/locations/x", PLACE, (404, 400)),
    ],
)
def test_a_field_that_is_not_known_is_ignored_where_backstage_ignores_it(client, method, path, body, statuses):
    given = [client.open(MOUNT + path, method=method, json=one) for one in (body, {**body, "later": 1, "\0": 1})]
    assert tuple(answer.status_code for answer in given) == statuses
