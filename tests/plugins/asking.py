"""A client in a hurry, and servers that are slow, for the tests of the HTTP client."""

import time
from http.server import BaseHTTPRequestHandler

import pytest

from plugins.contract import PullFailed
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import Secret, SourceAuth
from tests.plugins.misbehaving import Answer, serving

QUICK = Limits(connect_seconds=2, read_seconds=0.5, total_seconds=3, body_bytes=100_000, attempts=3)


class Token(Secret):
    """A secret that is known without a file or a variable."""

    def reveal(self) -> str:
        return self.reference


def failure_of(answer: Answer, limits: Limits = QUICK, auth: SourceAuth | None = None) -> PullFailed:
    with serving(answer) as server, SourceClient(server.url, auth, limits) as client:
        with pytest.raises(PullFailed) as caught:
            client.get_json("api/things")
        return caught.value


def trickle_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response_only(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def trickle_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(100):
        handler.wfile.write(b"z")
        time.sleep(0.1)
