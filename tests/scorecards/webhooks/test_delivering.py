"""Webhooks: how messages are signed, how often they are tried, and what the log says of them."""

import base64
import hashlib
import hmac
import json
import threading
from datetime import timedelta

import pytest

from scorecards.webhooks.models import WebhookDelivery
from scorecards.webhooks.outbox import wait_after
from scorecards.webhooks.settings import WAITS, WebhookSettings
from tests.scorecards.conftest import REF
from tests.scorecards.samples import DAY, MINUTE, NOW
from tests.scorecards.webhooks.receiving import HOOKS, change, deliver, log, queue, subscribe


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
    assert message["data"]["page"] == "/pages/component/default/shakespeare"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}".encode()
    key = base64.b64decode(hook["secret"].removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert int(headers["webhook-timestamp"]) == int(NOW.timestamp())
    (delivery,) = log(client, hook)
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("delivered", 1, 204)
    assert delivery["id"] == headers["webhook-id"]
    assert deliver(app) == 0


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


@pytest.mark.parametrize("query", ["cursor=x", "cursor=W10", "cursor=WyJhIiwiYiJd", "state=gone", "limit=0", "page=2"])
def test_a_bad_page_is_refused(judged, client, receiver, query):
    hook = subscribe(client, receiver)
    assert client.get(f"{HOOKS}/{hook['id']}/deliveries?{query}").status_code == 400


def test_the_waits_grow_and_are_spread():
    assert [wait_after(n, 0) for n in range(1, 9)] == [*WAITS, WAITS[-1]]
    assert wait_after(1, 1) == WAITS[0] * 1.2
    assert wait_after(1, 0, 5 * DAY) == DAY
