"""Webhooks: who is told of what."""

import base64
import hashlib
import hmac
import json

import pytest

from portal_backend.core.errors import NotAllowed
from portal_backend.core.principal import Principal, Role
from scorecards.webhooks import settings, subscriptions
from scorecards.webhooks.models import WebhookDelivery, WebhookSubscription
from scorecards.webhooks.settings import WebhookSettings
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.samples import NOW
from tests.scorecards.webhooks.receiving import HOOKS, LOCAL, change, deliver, queue, subscribe


def test_a_secret_is_shown_once_and_never_again(judged, client, receiver):
    first = subscribe(client, receiver)
    assert first["secret"].startswith("whsec_")
    again = subscribe(client, receiver)
    assert (again["id"], again["secret"]) == (first["id"], None)
    for path in (HOOKS, f"{HOOKS}/{first['id']}", f"{HOOKS}/{first['id']}/deliveries"):
        assert first["secret"] not in client.get(path).text


def test_a_secret_may_be_a_variable_of_the_environment(judged, client, session, app, receiver, monkeypatch):
    monkeypatch.setenv("PORTAL_WEBHOOK_BARDS", "sesame")
    hook = subscribe(client, receiver, secret="${PORTAL_WEBHOOK_BARDS}")
    assert (hook["secret"], hook["secret_reference"]) == (None, "${PORTAL_WEBHOOK_BARDS}")
    queue(session, judged, change())
    deliver(app)
    ((_, headers, body),) = receiver.taken
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}".encode()
    expected = base64.b64encode(hmac.new(b"sesame", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({}, [REF, QUILL]),
        ({"service": "Component:Default/Quill"}, [QUILL]),
        ({"direction": "fell"}, [REF]),
        ({"direction": "rose"}, [QUILL]),
        ({"axis": "change"}, [REF]),
        ({"axis": "emergency"}, []),
        ({"owner": "group:default/bards"}, [REF, QUILL]),
        ({"owner": "group:default/others"}, []),
        ({"owner": "group:default/bards", "axis": "capacity", "direction": "rose"}, [QUILL]),
    ],
)
def test_a_filter_lets_through_what_it_names(judged, client, session, app, receiver, chosen, told):
    subscribe(client, receiver, filter=chosen)
    queue(session, judged, change(), change(QUILL, "L0", "L2", ["cap.limits"]))
    deliver(app)
    assert sorted(json.loads(body)["data"]["service"] for _, _, body in receiver.taken) == sorted(told)


def test_a_paused_subscription_gets_nothing_but_a_ping(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    client.patch(f"{HOOKS}/{hook['id']}", json={"active": False})
    assert queue(session, judged, change()) == 0
    assert client.post(f"{HOOKS}/{hook['id']}/ping", json={}).json["state"] == "delivered"
    assert len(receiver.taken) == 1


def test_a_subscription_that_ends_takes_its_messages_with_it(judged, client, session, receiver):
    hook = subscribe(client, receiver)
    queue(session, judged, change())
    assert client.delete(f"{HOOKS}/{hook['id']}").status_code == 204
    assert client.delete(f"{HOOKS}/{hook['id']}").status_code == 204
    assert session.query(WebhookDelivery).count() == session.query(WebhookSubscription).count() == 0


def test_subscribing_needs_a_role(session):
    nobody = Principal("romeo", frozenset({Role.DEV}), frozenset({"*"}))
    with pytest.raises(NotAllowed, match="romeo"):
        subscriptions.subscribe(session, "https://example.org", {}, subscriptions.EVENTS, None, nobody, LOCAL, NOW)


def test_there_are_only_so_many_subscriptions(judged, client, app, receiver):
    settings.init_app(app, WebhookSettings(allow_private_addresses=True, max_subscriptions=1))
    subscribe(client, receiver)
    answer = client.post(HOOKS, json={"url": f"{receiver.url}&more"})
    assert answer.status_code == 409
    assert client.post(HOOKS, json={"url": receiver.url}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": 7},
        {"url": "https://example.org", "secret": "sesame"},
        {"url": "https://example.org", "secret": "${PATH}"},
        {"url": "https://example.org", "secret": "${PORTAL_DATABASE_URL}"},
        {"url": "https://example.org", "secret": "file:/etc/passwd"},
        {"url": "https://example.org", "secret": "${PORTAL_WEBHOOK_NOT_SET}"},
        {"url": "https://example.org", "filter": {"axis": "sideways"}},
        {"url": "https://example.org", "filter": {"service": "quill"}},
        {"url": "https://example.org", "filter": {"owner": "a\0b:c/d"}},
        {"url": "https://example.org", "filter": {"team": "x"}},
        {"url": "https://example.org", "filter": []},
        {"url": "https://example.org", "more": 1},
        [],
    ],
)
def test_a_bad_subscription_is_refused_field_by_field(client, body):
    answer = client.post(HOOKS, json=body)
    assert answer.status_code == 400
    assert answer.json["errors"]


@pytest.mark.parametrize("path", ["nope", "a%00b"])
def test_what_is_not_there_is_not_found(client, path):
    assert client.get(f"{HOOKS}/{path}").status_code == 404
    assert client.patch(f"{HOOKS}/{path}", json={"active": True}).status_code == 404
    assert client.post(f"{HOOKS}/{path}/ping", json={}).status_code == 404
    assert client.get(f"{HOOKS}/{path}/deliveries").status_code == 404
    assert client.post(f"{HOOKS}/{path}/deliveries/{path}/redeliver").status_code == 404


def test_what_is_not_there_may_be_taken_away_again(client):
    assert client.delete(f"{HOOKS}/nope").status_code == 204
