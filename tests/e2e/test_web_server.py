"""The web server as processes: what it lets in and turns away; one of them may die, and it may be told to stop."""

import contextlib
import copy
import http.client
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlencode

import pytest
import requests

from tests.e2e.installation import Installation, wait_until
from tests.servers import free_port

TECH_INSIGHTS = "/api/tech-insights"
BY_REFS = "/api/catalog/entities/by-refs"
GUNICORN_LONGEST_REQUEST_LINE = 8190


class Served:
    """`portal serve` on a port of its own."""

    def __init__(self, installation: Installation, port: int, process: subprocess.Popen[bytes]) -> None:
        self.installation = installation
        self.port = port
        self.process = process
        self.url = f"http://localhost:{port}"

    def is_up(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def processes(self) -> list[int]:
        """Return the ids of the web processes."""
        done = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True)
        return [int(line) for line in done.stdout.split()]

    def send(self, *parts: bytes) -> bytes:
        """Send bytes as they are and return the answer until the server closes or 2 s pass."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            for part in parts:
                connection.sendall(part)
            try:
                while received := connection.recv(65536):
                    answer += received
            except TimeoutError:
                pass
        return answer


@contextmanager
def serving(installation: Installation) -> Iterator[Served]:
    port = free_port()
    installation.environment["PORTAL_PORT"] = str(port)
    with installation.started("serve") as process:
        server = Served(installation, port, process)
        wait_until(server.is_up, 60)
        yield server


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    installation = Installation(tmp_path_factory.mktemp("served"), "server: {workers: 2, threads: 2}\n")
    installation.run("db", "upgrade")
    with serving(installation) as server:
        yield server


def test_a_request_for_all_facts_is_answered_as_the_published_client_writes_it(served):
    schemas = requests.get(f"{served.url}{TECH_INSIGHTS}/fact-schemas", timeout=10).json()
    listed = urlencode({f"ids[{number}]": one["id"] for number, one in enumerate(schemas)}, quote_via=quote)
    path = f"{TECH_INSIGHTS}/facts/latest?entity=component%3Adefault%2F{63 * 'x'}&{listed}"
    assert len(f"GET {path} HTTP/1.1") > 4094
    assert requests.get(served.url + path, timeout=10).json() == {}


def test_a_request_line_longer_than_other_servers_take_is_answered(served):
    path = f"/api/catalog/entities?filter=metadata.name={'x' * 2 * GUNICORN_LONGEST_REQUEST_LINE}"
    assert requests.get(served.url + path, timeout=10).json() == []


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x00\x01no HTTP at all\r\n\r\n", 400),
        (b"G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /" + 70_000 * b"a" + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + 300 * b"X: a\r\n" + b"\r\n", 431),
    ],
    ids=["no HTTP", "no method", "endless address", "300 headers"],
)
def test_what_is_no_request_is_turned_away_and_the_next_one_answered(served, request_, status):
    assert served.send(request_).startswith(f"HTTP/1.1 {status} ".encode())
    assert served.is_up()


def test_a_body_in_chunks_is_read_whole(served):
    body = json.dumps({"entityRefs": ["component:default/none"]}).encode()
    halves = iter([body[:10], body[10:]])
    answer = requests.post(served.url + BY_REFS, data=halves, headers={"Content-Type": "application/json"}, timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"items": [None]})


def test_a_client_that_goes_away_in_the_middle_of_a_body_hurts_nobody_else(served):
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    for _ in range(8):  # twice as many as there are threads
        with socket.create_connection(("127.0.0.1", served.port), timeout=2) as connection:
            connection.sendall(head % BY_REFS.encode())
    assert served.is_up()


def test_many_clients_whose_bodies_never_come_keep_nobody_else_waiting(served):
    """Forty at once, of a server that answers four requests at a time; then each is told when its body comes."""
    body = json.dumps({"entityRefs": ["component:default/none"]}).encode()
    head = f"POST {BY_REFS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    asked = f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=20)) for _ in range(40)
        ]
        for connection in slow:
            connection.sendall(asked + body[:1])
        wait_until(lambda: _is_read(served.port), 10)
        for _ in range(10):
            assert requests.get(f"{served.url}/api/catalog/entities?limit=1", timeout=5).ok
            assert requests.post(served.url + BY_REFS, json={"entityRefs": []}, timeout=5).ok
        for connection in slow:
            connection.sendall(body[1:])
        answers = [connection.makefile("rb").read() for connection in slow]
    assert [answer.endswith(b'{"items":[null]}') for answer in answers] == [True] * len(slow)


def test_a_second_server_on_the_same_port_is_refused_by_its_name(served):
    refused = served.installation.run("serve", expect=2)
    assert f"127.0.0.1:{served.port}: Address already in use" in refused.stderr.replace("\n", " ")


def test_a_web_process_that_dies_is_replaced(served):
    before = served.processes()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(served.processes()) == 2 and before[0] not in served.processes(), 30)
    wait_until(served.is_up, 30)


def test_a_server_that_is_told_to_stop_finishes_what_it_has_begun(served):
    beside = copy.copy(served.installation)
    beside.environment = dict(beside.environment)
    with serving(beside) as server:
        body = json.dumps({"entityRefs": []}).encode()
        connection = http.client.HTTPConnection("localhost", server.port, timeout=20)
        connection.putrequest("POST", BY_REFS)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:5])
        wait_until(lambda: _is_read(server.port), 10)
        server.process.terminate()
        connection.send(body[5:])
        assert connection.getresponse().status == 200
        assert server.process.wait(20) == 0


def _is_read(port: int) -> bool:
    """Say whether nothing that was sent to the port still waits to be read."""
    done = subprocess.run(["ss", "-Htn", f"sport = :{port}"], capture_output=True, text=True, check=True)
    return all(line.split()[1] == "0" for line in done.stdout.splitlines())
