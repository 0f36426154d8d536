"""Reading through the operator's proxy, which resolves the names: only hosts that are named one by one."""

import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from catalog.ingestion.reading import Place, Reader, Unreadable
from catalog.places.hosts import AllowedHost, Proxy, UrlPolicy
from catalog.places.proxies import make_proxy
from catalog.places.scm import WELL_KNOWN
from catalog.settings import url_policy
from catalog.settings_loading import load_settings
from portal_backend.core.errors import InvalidInput
from tests.catalog.test_reading import send, serving
from tests.servers import require

NAMED = AllowedHost("files.example")
"""No machine resolves this name."""


class _Proxy(BaseHTTPRequestHandler):
    """Answers what it is asked for by itself; a tunnel leads to the port that stands for every outside server."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        send(self, b"a: 1")

    def do_CONNECT(self) -> None:
        self.server.asked.append(self.path)
        with socket.create_connection(("127.0.0.1", self.server.outside), timeout=5) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_copy, args=(there, self.connection), daemon=True)
            back.start()
            _copy(self.connection, there)
            back.join(5)

    def log_message(self, *_) -> None:
        pass


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def proxy(outside: int = 0):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
    server.daemon_threads, server.asked, server.outside = True, [], outside
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.asked
    finally:
        server.shutdown()
        server.server_close()


def read(policy: UrlPolicy, url: str) -> bytes | None:
    return Reader(policy, total_seconds=10).read(Place("url", url)).data


def test_the_proxy_is_asked_by_name():
    with proxy() as (url, asked):
        assert read(UrlPolicy((NAMED,), proxy=Proxy(url)), "http://files.example/a.yaml") == b"a: 1"
    assert asked == ["http://files.example/a.yaml"]


def test_tls_goes_through_the_proxy_to_the_host_itself(tmp_path, monkeypatch):
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    subject = ["-subj", "/CN=files.example", "-addext", "subjectAltName=DNS:files.example"]
    made = [
        require("openssl"),
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        key,
        "-out",
        chain,
    ]
    subprocess.run([*made, *subject], check=True, capture_output=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    policy = (NAMED, AllowedHost("other.example"))
    with tls_server(context) as port, proxy(port) as (url, asked):
        assert read(UrlPolicy(policy, proxy=Proxy(url)), "https://files.example/a.yaml") == b"b: 2"
        with pytest.raises(Unreadable, match=r"other\.example"):  # the certificate is another's
            read(UrlPolicy(policy, proxy=Proxy(url)), "https://other.example/a.yaml")
    assert asked == ["files.example:443", "other.example:443"]


@contextmanager
def tls_server(context: ssl.SSLContext):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            send(self, b"b: 2")

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("allow", "url"),
    [
        (None, "http://intranet.example/a.yaml"),
        ((AllowedHost("*.example"),), "http://files.example/a.yaml"),
        (None, "http://10.0.0.1/a.yaml"),
    ],
)
def test_a_host_that_nobody_named_is_not_asked_through_the_proxy_since_it_may_lead_anywhere(allow, url):
    with proxy() as (address, asked), pytest.raises(Unreadable, match=r"the proxy resolves .*reading\.no_proxy"):
        read(UrlPolicy(allow, proxy=Proxy(address)), url)
    assert asked == []


def test_a_redirect_through_the_proxy_is_checked_like_the_first_address():
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, status=302, Location="http://10.0.0.1/latest")

    with serving(answer) as url, pytest.raises(Unreadable, match="not be read"):  # a server can be its own proxy
        read(UrlPolicy((NAMED,), proxy=Proxy(url)), "http://files.example/a.yaml")


def test_hosts_beside_the_proxy_are_asked_and_checked_by_themselves():
    with serving(lambda handler: send(handler, handler.path.encode())) as url:
        direct = Proxy("http://127.0.0.1:1", (AllowedHost("127.0.0.1:*"),))
        assert read(UrlPolicy((AllowedHost("127.0.0.1:*"),), proxy=direct), f"{url}/a.yaml") == b"/a.yaml"
        with pytest.raises(Unreadable, match="private network"):
            read(UrlPolicy(proxy=direct), f"{url}/a.yaml")


def test_the_hosts_of_integrations_are_named():
    assert url_policy(None, WELL_KNOWN, Proxy("http://p:1")).refusal("https://github.com/a/b/blob/main/c.yaml") is None


def test_the_environment_is_asked_only_where_the_setting_says_so():
    environment = {
        "HTTPS_PROXY": "http://p.example:3128",
        "NO_PROXY": "localhost, .corp.example,git.example:8443,10.0.0.0/8",
    }
    assert make_proxy(None, [], environment) is None
    found = make_proxy("environment", ["x.example"], environment)
    assert found is not None and found.url == "http://p.example:3128"
    served = ["y.example", "git.example", "notcorp.example"]
    direct = ["x.example", "localhost", "corp.example", "a.corp.example"]
    assert [host for host in (*served, *direct) if found.serves(host, 80, "http")] == served
    assert not found.serves("git.example", 8443, "https")
    assert make_proxy("environment", [], {"http_proxy": "http://p.example", "no_proxy": "*"}) is None
    assert make_proxy("environment", [], {}) is None


def settings(tmp_path, **reading):
    return load_settings({"reading": reading}, [], 0, tmp_path)


def test_a_proxy_that_is_none_is_a_fault_of_the_configuration(tmp_path, monkeypatch):
    assert settings(tmp_path, proxy="http://p.example:3128", no_proxy=["a.example"]).urls.proxy == Proxy(
        "http://p.example:3128", (AllowedHost("a.example"),)
    )
    monkeypatch.setenv("HTTPS_PROXY", "p.example")
    for faulty in ({"proxy": "socks5://x:1"}, {"proxy": "environment"}, {"no_proxy": ["a/b"]}):
        with pytest.raises(InvalidInput) as caught:
            settings(tmp_path, **faulty)
        assert [fault.path.startswith("catalog.reading.") for fault in caught.value.faults] == [True]
