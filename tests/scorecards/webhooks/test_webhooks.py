"""Webhooks: who is told, signed how, tried how often, and where nothing is sent."""

import base64
import hashlib
import hmac
import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from portal_backend.core import clock
from portal_backend.core.addresses import is_public
from portal_backend.core.db import transaction
from portal_backend.core.errors import NotAllowed
from portal_backend.core.principal import Principal, Role
from scorecards.changes import ChangeCause, LevelChange
from scorecards.scorecard import update
from scorecards.webhooks import settings, subscriptions
from scorecards.webhooks.addresses import BadAddress, read_url, resolve
from scorecards.webhooks.deliveries import enqueue
from scorecards.webhooks.models import WebhookDelivery, WebhookSubscription
from scorecards.webhooks.outbox import deliver_due, wait_after
from scorecards.webhooks.sending import send
from scorecards.webhooks.settings import WAITS, WebhookSettings
from tests.scorecards.conftest import QUILL, REF
from tests.scorecards.samples import DAY, MINUTE, NOW

HOOKS = "/api/scorecards/webhooks"
LOCAL = WebhookSettings(allow_private_addresses=True, timeout_seconds=1.0, attempts=3)


class Receiver:
    """A server that keeps what it is sent, and answers as it is told."""

    def __init__(self):
        self.taken = []
        self.status = 204
        self.headers = {}
        self.waits = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.taken.append((self.path, dict(self.headers.items()), body))
                threading.Event().wait(outer.waits)
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?team=bards"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def judged(company, session, app, monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, clock.format_time(NOW))
    settings.init_app(app, LOCAL)
    update(session, company.judging, None, NOW)
    session.commit()
    yield company
    del app.extensions["webhooks"]


def change(ref=REF, before="L3", after="L1", checks=("chg.cfr",), at=NOW):
    return LevelChange(ref, before, after, ChangeCause.SERVICE, at, f"{before} to {after}.", tuple(checks))


def queue(session, judged, *moves, now=NOW, given=LOCAL):
    count = enqueue(session, judged.judging, moves, given, now)
    session.commit()
    return count


def deliver(app, now=NOW, given=LOCAL):
    with app.app_context():
        return deliver_due(transaction, given, lambda: now)


def subscribe(client, receiver, **more):
    answer = client.post(HOOKS, json={"url": receiver.url, **more})
    assert answer.status_code in {200, 201}, answer.json
    return answer.json


def log(client, hook):
    return client.get(f"{HOOKS}/{hook['id']}/deliveries").json["items"]


def test_a_change_of_level_arrives_signed(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    assert queue(session, judged, change()) == 1
    assert deliver(app) == 1
    ((path, headers, body),) = receiver.taken
    assert path == "/hook?team=bards"
    message = json.loads(body)
    assert (message["type"], message["timestamp"]) == ("scorecard.level_changed", "2026-11-22T12:00:00Z")
    assert message["data"]["service"] == REF
    assert (message["data"]["from"], message["data"]["to"], message["data"]["direction"]) == ("L3", "L1", "fell")
    assert message["data"]["scorecard"] == "/api/services/component/default/shakespeare/scorecard"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}".encode()
    key = base64.b64decode(hook["secret"].removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert int(headers["webhook-timestamp"]) == int(NOW.timestamp())
    (delivery,) = log(client, hook)
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("delivered", 1, 204)
    assert delivery["id"] == headers["webhook-id"]
    assert deliver(app) == 0


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


def test_nothing_is_sent_unsigned(judged, client, session, app, receiver, monkeypatch):
    monkeypatch.setenv("PORTAL_WEBHOOK_BARDS", "sesame")
    hook = subscribe(client, receiver, secret="${PORTAL_WEBHOOK_BARDS}")
    monkeypatch.delenv("PORTAL_WEBHOOK_BARDS")
    queue(session, judged, change())
    deliver(app)
    assert receiver.taken == []
    (delivery,) = log(client, hook)
    assert delivery["state"] == "due"
    assert "PORTAL_WEBHOOK_BARDS is not set" in delivery["last_error"]


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


def test_the_same_change_is_one_message_however_often_it_is_handed_in(judged, client, session, app, receiver):
    subscribe(client, receiver)
    queue(session, judged, change())
    deliver(app)
    queue(session, judged, change())
    deliver(app)
    assert len(receiver.taken) == 1


def test_what_was_not_taken_is_tried_again_later_under_the_same_id_and_given_up_in_the_end(
    judged, client, session, app, receiver
):
    hook = subscribe(client, receiver)
    receiver.status = 500
    queue(session, judged, change())
    assert deliver(app) == 1
    assert deliver(app, NOW + timedelta(seconds=4)) == 0
    assert deliver(app, NOW + timedelta(seconds=7)) == 1
    assert deliver(app, NOW + 7 * MINUTE) == 1
    (delivery,) = log(client, hook)
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("dead", 3, 500)
    assert delivery["last_error"] == "the receiver answered 500"
    assert len({headers["webhook-id"] for _, headers, _ in receiver.taken}) == 1
    assert len({headers["webhook-timestamp"] for _, headers, _ in receiver.taken}) == 3
    assert deliver(app, NOW + DAY) == 0


def test_a_message_that_was_given_up_can_be_sent_again_under_its_id(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    receiver.status = 500
    queue(session, judged, change())
    for minutes in (0, 1, 7):
        deliver(app, NOW + minutes * MINUTE)
    receiver.status = 200
    (dead,) = log(client, hook)
    path = f"{HOOKS}/{hook['id']}/deliveries/{dead['id']}/redeliver"
    assert (client.post(path).status_code, client.post(path).status_code) == (202, 202)
    assert deliver(app, NOW + 8 * MINUTE) == 1
    (delivery,) = log(client, hook)
    assert (delivery["state"], delivery["id"], delivery["attempts"]) == ("delivered", dead["id"], 1)


def test_a_receiver_that_wants_no_more_is_left_alone(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    receiver.status = 410
    queue(session, judged, change())
    deliver(app)
    assert log(client, hook)[0]["state"] == "dead"
    told = client.get(f"{HOOKS}/{hook['id']}").json
    assert (told["active"], "410" in told["inactive_reason"]) == (False, True)
    assert queue(session, judged, change(at=NOW + DAY)) == 0
    assert client.patch(f"{HOOKS}/{hook['id']}", json={"active": True}).json["active"] is True
    assert queue(session, judged, change(at=NOW + DAY)) == 1


def test_a_paused_subscription_gets_nothing_but_a_ping(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    client.patch(f"{HOOKS}/{hook['id']}", json={"active": False})
    assert queue(session, judged, change()) == 0
    assert client.post(f"{HOOKS}/{hook['id']}/ping", json={}).json["state"] == "delivered"
    assert len(receiver.taken) == 1


def test_a_ping_says_at_once_how_it_went_and_is_not_tried_again(judged, client, app, receiver):
    hook = subscribe(client, receiver)
    receiver.status = 503
    told = client.post(f"{HOOKS}/{hook['id']}/ping", json={"id": "first"}).json
    assert (told["type"], told["state"], told["last_status"]) == ("webhook.ping", "dead", 503)
    assert client.post(f"{HOOKS}/{hook['id']}/ping", json={"id": "first"}).json["attempts"] == 1
    assert len(receiver.taken) == 1
    assert deliver(app, NOW + DAY) == 0


def test_a_redirect_is_not_followed(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    receiver.status, receiver.headers = 302, {"Location": receiver.url}
    queue(session, judged, change())
    deliver(app)
    assert len(receiver.taken) == 1
    assert "redirects are not followed" in log(client, hook)[0]["last_error"]


def test_a_receiver_that_asks_for_time_is_given_it(judged, client, session, app, receiver):
    subscribe(client, receiver)
    receiver.status, receiver.headers = 429, {"Retry-After": "3600"}
    queue(session, judged, change())
    deliver(app)
    assert deliver(app, NOW + 59 * MINUTE) == 0
    assert deliver(app, NOW + 61 * MINUTE) == 1


def test_a_receiver_that_does_not_answer_costs_no_more_than_the_timeout(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    receiver.waits = 5
    queue(session, judged, change())
    deliver(app)
    assert "no answer" in log(client, hook)[0]["last_error"]


def test_two_workers_send_a_message_once(judged, client, session, app, receiver):
    subscribe(client, receiver)
    receiver.waits = 0.3
    queue(session, judged, *[change(at=NOW + n * MINUTE) for n in range(6)])
    workers = [threading.Thread(target=deliver, args=(app,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(receiver.taken) == len({headers["webhook-id"] for _, headers, _ in receiver.taken}) == 6


def test_a_message_whose_worker_died_is_free_again_after_its_lease(judged, client, session, app, receiver):
    subscribe(client, receiver)
    queue(session, judged, change())
    delivery = session.query(WebhookDelivery).one()
    delivery.lease_token, delivery.lease_until = "gone", NOW + MINUTE
    session.commit()
    assert deliver(app, NOW) == 0
    assert deliver(app, NOW + 2 * MINUTE) == 1


def test_a_full_queue_takes_no_more_and_says_how_much_it_left_out(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    small = WebhookSettings(allow_private_addresses=True, max_waiting=2)
    assert queue(session, judged, *[change(at=NOW + n * MINUTE) for n in range(5)], given=small) == 2
    assert client.get(f"{HOOKS}/{hook['id']}").json["dropped"] == 3


def test_the_log_forgets_what_was_done_with_long_ago(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    queue(session, judged, change())
    deliver(app)
    deliver(app, NOW + 29 * DAY)
    assert len(log(client, hook)) == 1
    deliver(app, NOW + 31 * DAY)
    assert log(client, hook) == []


def test_the_log_is_paged_and_filtered(judged, client, session, app, receiver):
    hook = subscribe(client, receiver)
    queue(session, judged, *[change(at=NOW + n * MINUTE) for n in range(5)])
    path = f"{HOOKS}/{hook['id']}/deliveries?limit=2"
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(path + (f"&cursor={cursor}" if cursor else "")).json
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 5
    deliver(app)
    assert client.get(f"{HOOKS}/{hook['id']}/deliveries?state=due").json["items"] == []
    assert len(client.get(f"{HOOKS}/{hook['id']}/deliveries?state=delivered").json["items"]) == 5


def test_a_subscription_that_ends_takes_its_messages_with_it(judged, client, session, receiver):
    hook = subscribe(client, receiver)
    queue(session, judged, change())
    assert client.delete(f"{HOOKS}/{hook['id']}").status_code == 204
    assert client.delete(f"{HOOKS}/{hook['id']}").status_code == 204
    assert session.query(WebhookDelivery).count() == session.query(WebhookSubscription).count() == 0


def test_subscribing_needs_a_role(session):
    nobody = Principal("romeo", frozenset({Role.DEV}), frozenset({"*"}))
    with pytest.raises(NotAllowed, match="romeo"):
        subscriptions.subscribe(session, "https://example.org", {}, None, nobody, LOCAL, NOW)


def test_there_are_only_so_many_subscriptions(judged, client, app, receiver):
    settings.init_app(app, WebhookSettings(allow_private_addresses=True, max_subscriptions=1))
    subscribe(client, receiver)
    answer = client.post(HOOKS, json={"url": f"{receiver.url}&more"})
    assert answer.status_code == 409
    assert client.post(HOOKS, json={"url": receiver.url}).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "http://",
        "http://user:word@example.org/",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://[::1/",
        "http://exa mple.org/",
        "http://example.org/\nHost: x",
        "http://bücher.example/",
        "http://localhost/",
        "http://portal.internal/",
        "http://127.0.0.1/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://172.16.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://224.0.0.1/",
        f"http://example.org/{'x' * 3000}",
    ],
)
def test_an_address_that_leads_nowhere_or_inside_is_refused(client, url):
    answer = client.post(HOOKS, json={"url": url})
    assert answer.status_code == 400
    assert answer.json["errors"]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "017700000001"])
def test_odd_spellings_of_inner_addresses_are_seen_through_when_sending(host):
    try:
        found = resolve(read_url(f"http://{host}/", allow_private=False), allow_private=False)
    except BadAddress:
        return
    assert all(is_public(address) for address in found)


def test_a_name_that_leads_inside_is_refused_at_sending(monkeypatch, receiver):
    inner = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_more: inner)
    outcome = send("http://hooks.example.org/", {}, b"{}", WebhookSettings())
    assert "an address of a private network" in (outcome.error or "")


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch, receiver):
    """A name that answers differently the second time (DNS rebinding) is not asked a second time."""
    asked = []

    def resolve_once(host, port, *_args, **_more):
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr("portal_backend.core.addresses.socket.getaddrinfo", resolve_once)
    port = receiver.server.server_port
    connected = []
    original = __import__("socket").create_connection

    def connect(address, *args, **more):
        connected.append(address)
        monkeypatch.undo()
        return original(address, *args, **more)

    monkeypatch.setattr("scorecards.webhooks.sending.socket.create_connection", connect)
    outcome = send(f"http://hooks.example.org:{port}/", {}, b"{}", LOCAL)
    assert outcome.status == 204
    assert (asked, connected) == (["hooks.example.org"], [("127.0.0.1", port)])
    assert receiver.taken[0][1]["Host"] == f"hooks.example.org:{port}"


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
    assert client.delete(f"{HOOKS}/{path}").status_code == 204


@pytest.mark.parametrize("query", ["cursor=x", "cursor=W10", "cursor=WyJhIiwiYiJd", "state=gone", "limit=0", "page=2"])
def test_a_bad_page_is_refused(judged, client, receiver, query):
    hook = subscribe(client, receiver)
    assert client.get(f"{HOOKS}/{hook['id']}/deliveries?{query}").status_code == 400


def test_the_waits_grow_and_are_spread():
    assert [wait_after(n, 0) for n in range(1, 9)] == [*WAITS, WAITS[-1]]
    assert wait_after(1, 1) == WAITS[0] * 1.2
    assert wait_after(1, 0, 5 * DAY) == DAY
