"""A receiver of webhooks, and short ways to subscribe, queue and deliver."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from portal_backend.core.db import transaction
from scorecards.changes import ChangeCause, LevelChange
from scorecards.webhooks.deliveries import enqueue
from scorecards.webhooks.outbox import deliver_due
from scorecards.webhooks.settings import WebhookSettings
from tests.scorecards.conftest import REF
from tests.scorecards.samples import NOW

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


def change(ref=REF, before="L3", after="L1", checks=("chg.cfr",), at=NOW):
    return LevelChange(ref, before, after, ChangeCause.SERVICE, at, f"{before} to {after}.", tuple(checks))


def queue(session, judged, *moves, now=NOW, given=LOCAL):
    count = enqueue(session, judged.judging, moves, {move.ref for move in moves}, given, now)
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
