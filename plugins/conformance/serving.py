"""A server on a real loopback socket that gives the good answers, or what is injected in their place."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import requests

from plugins.conformance.case import Case, Ending, Paged, Question, Reply

Injection = Callable[[Question, Callable[[], Reply]], Reply]
"""Gets a question, and a function that returns the good answer to it."""

HOP_BY_HOP = frozenset(
    {"connection", "content-length", "content-encoding", "transfer-encoding", "host", "date", "server"}
)
LONGEST_SILENCE_SECONDS = 30.0


def honest(_question: Question, answer: Callable[[], Reply]) -> Reply:
    """Give the good answer."""
    return answer()


class Front:
    """What the connector speaks to."""

    def __init__(self, case: Case) -> None:
        self.url = ""
        self.questions: list[Question] = []
        self.largest_sent = 0
        """Bytes of the largest body that the client took before it hung up."""
        self.closing = threading.Event()
        self._case = case
        self._inject: Injection = honest
        self._lock = threading.Lock()
        self._answered: dict[tuple[str, str, bytes], Reply] = {}
        self._upstream = requests.Session()
        self._upstream.trust_env = False

    def start_over(self, inject: Injection = honest) -> None:
        """Forget what was asked, and treat what is asked from now on by `inject`."""
        with self._lock:
            self.questions, self.largest_sent, self._inject = [], 0, inject

    def reply(self, method: str, raw: str, headers: dict[str, str], body: bytes) -> Reply:
        """Return the answer to a request, good or spoilt."""
        parts = urlsplit(raw)
        with self._lock:
            query = parse_qs(parts.query, keep_blank_values=True)
            question = Question(len(self.questions), method, parts.path, query, headers, body, raw)
            self.questions.append(question)
            inject = self._inject
        if self._case.upstream:  # a double that checks questions sees those too that are answered by a fault
            self._good(question)
        return inject(question, lambda: self._good(question))

    def _good(self, question: Question) -> Reply:
        case = self._case
        if case.upstream:
            asked = (question.method, question.raw, question.body)
            if asked not in self._answered:  # a system that runs may answer otherwise the next time
                self._answered[asked] = self._forwarded(question)
            return self._answered[asked]
        if case.handler:
            return case.handler(question)
        if question.path not in case.answers:
            return Reply(orjson.dumps({"message": "not found"}), 404)
        found = case.answers[question.path]
        return self._page(found, question) if isinstance(found, Paged) else Reply(orjson.dumps(found))

    def _page(self, pages: Paged, question: Question) -> Reply:
        reply = Reply(orjson.dumps(pages.answer(question.query)))
        following = pages.following(question.query) if pages.links else ""
        link = {"Link": f'<{self.url}{question.path}?{following}>; rel="next"'} if following else {}
        return replace(reply, headers={**reply.headers, **link})

    def _forwarded(self, question: Question) -> Reply:
        url = self._case.upstream.rstrip("/")
        headers = {name: value for name, value in question.headers.items() if name.lower() not in HOP_BY_HOP}
        answer = self._upstream.request(
            question.method, url + question.raw, headers=headers, data=question.body, allow_redirects=False, timeout=60
        )
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        kept = {name: value.replace(url, self.url) for name, value in kept.items()}
        return Reply(answer.content.replace(url.encode(), self.url.encode()), answer.status_code, kept)

    def sent(self, size: int) -> None:
        """Note how much of a body was taken."""
        with self._lock:
            self.largest_sent = max(self.largest_sent, size)


@contextlib.contextmanager
def serving(case: Case) -> Iterator[Front]:
    """Serve a case until the block ends."""
    front = Front(case)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = front.reply(self.command, self.path, dict(self.headers.items()), body)
            with contextlib.suppress(ConnectionError):
                _send(self, reply, front)

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    front.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        front.closing.set()
        listening.shutdown()
        listening.server_close()


def _send(handler: BaseHTTPRequestHandler, reply: Reply, front: Front) -> None:
    body = reply.body
    headers = dict(reply.headers)
    if isinstance(body, bytes):
        headers["Content-Length"] = str(len(body) if reply.ending is Ending.WHOLE else max(len(body), 64))
        pieces: Any = [body] if reply.ending is Ending.WHOLE else [body[: len(body) // 2]]
    else:
        pieces = body
    handler.send_response(reply.status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    size = 0
    try:
        for piece in pieces:
            handler.wfile.write(piece)
            size += len(piece)
    except ConnectionError:
        handler.close_connection = True
    finally:
        front.sent(size)
    _end(handler, reply.ending, front)


def _end(handler: BaseHTTPRequestHandler, ending: Ending, front: Front) -> None:
    if ending is Ending.WHOLE:
        return
    handler.wfile.flush()
    handler.close_connection = True
    if ending is Ending.SILENT:
        front.closing.wait(LONGEST_SILENCE_SECONDS)
    else:  # a reset rather than an orderly end
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
