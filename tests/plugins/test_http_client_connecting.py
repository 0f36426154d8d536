"""Hosts, TLS, proxies and redirects: whom the HTTP client speaks to."""

import socket
import ssl
import subprocess
from http.server import BaseHTTPRequestHandler

import pytest

from plugins.contract import FailureKind, PullFailed
from plugins.http_client import Limits, SourceClient
from portal_backend.core.config import SourceAuth
from tests.plugins.asking import QUICK, Token, failure_of, trickle_body, trickle_headers
from tests.plugins.misbehaving import always, in_turn, serving
from tests.servers import free_port, require


def test_no_credentials_are_taken_from_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving(always(200)) as server:
        SourceClient(server.url, limits=QUICK).get_json("")
        assert "Authorization" not in server.seen[0].headers


def test_nobody_listening_is_unreachable_and_says_why() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = SourceClient(f"http://127.0.0.1:{unused.getsockname()[1]}", limits=QUICK)
        with pytest.raises(PullFailed, match="Connection refused") as caught:
            client.get_json("")
    assert caught.value.kind is FailureKind.UNREACHABLE
    assert client.requests_made == QUICK.attempts


def test_an_unknown_host_is_unreachable() -> None:
    with pytest.raises(PullFailed) as caught:
        SourceClient("http://prometheus.invalid", limits=QUICK).get_json("")
    assert caught.value.kind is FailureKind.UNREACHABLE


def test_a_redirect_on_the_same_host_is_followed_with_the_credentials() -> None:
    with serving(in_turn(always(302, Location="/new?x=1"), always(200, b"[1]"))) as server:
        client = SourceClient(server.url, SourceAuth(header="X-Api-Key", value=Token("k3y-value")), QUICK)
        assert client.get_json("old", {"q": "1"}) == [1]
        assert server.seen[1].path == "/new?x=1"
        assert server.seen[1].headers["X-Api-Key"] == "k3y-value"


def test_a_redirect_to_another_host_is_refused_so_that_credentials_stay_home() -> None:
    with serving(always(200)) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        failure = failure_of(
            always(302, Location=f"{elsewhere}/login?state=secret"), auth=SourceAuth(token=Token("t0ken-value"))
        )
        assert failure.kind is FailureKind.MISCONFIGURED
        assert "localhost" in failure.message
        assert other.seen == []
    with serving(always(200)) as other:  # another port is another server
        assert failure_of(always(307, Location=other.url)).kind is FailureKind.MISCONFIGURED
        assert other.seen == []


def test_redirects_in_a_circle_end() -> None:
    assert failure_of(always(301, Location="/again")).kind is FailureKind.BAD_ANSWER


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that nobody but we trust."""
    folder = tmp_path_factory.mktemp("tls")
    key, chain = str(folder / "key.pem"), str(folder / "chain.pem")
    subprocess.run(
        [
            require("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", chain,
            "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, chain


def test_tls_needs_a_trusted_certificate_and_keeps_the_deadline(
    certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, chain = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with serving(in_turn(always(200, b"[1]"), trickle_body), tls=context) as server:
        with pytest.raises(PullFailed, match="certificate") as caught:
            SourceClient(server.url, limits=QUICK).get_json("")
        assert caught.value.kind is FailureKind.MISCONFIGURED
        assert "REQUESTS_CA_BUNDLE" in caught.value.message
        assert server.seen == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", chain)
        client = SourceClient(server.url, limits=Limits(read_seconds=0.5, total_seconds=1))
        assert client.get_json("") == [1]
        with pytest.raises(PullFailed, match="within 1 s") as caught:
            client.get_json("")
        assert caught.value.kind is FailureKind.TIMEOUT


def test_a_proxy_of_the_environment_is_used_and_kept_to_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(in_turn(always(200, b"[1]"), trickle_headers)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        client = SourceClient("http://prometheus.invalid/base", limits=Limits(read_seconds=0.5, total_seconds=1))
        assert client.get_json("q") == [1]
        assert proxy.seen[0].path == "http://prometheus.invalid/base/q"
        with pytest.raises(PullFailed, match="within 1 s"):
            client.get_json("q")


def test_plain_http_behind_an_https_address_is_told_as_such() -> None:
    with serving(always(200)) as server, pytest.raises(PullFailed, match="write http:// in url") as caught:
        SourceClient(server.url.replace("http:", "https:"), limits=QUICK).get_json("")
    assert caught.value.kind is FailureKind.MISCONFIGURED


def test_a_proxy_that_does_not_answer_is_named_and_not_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"http://someone:s3cret@127.0.0.1:{free_port()}"
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    with pytest.raises(PullFailed, match="the proxy") as caught:
        SourceClient("http://prometheus.invalid", limits=Limits(attempts=1)).get_json("")
    assert caught.value.kind is FailureKind.UNREACHABLE
    assert "NO_PROXY" in caught.value.message
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    "refusal",
    [
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
    ],
)
def test_tls_behind_an_http_address_is_told_as_such(refusal: bytes) -> None:
    failure = failure_of(always(400, refusal))
    assert failure.kind is FailureKind.MISCONFIGURED
    assert "write https:// in url" in failure.message


def test_a_tls_alert_in_the_place_of_http_is_told_as_such() -> None:
    def alert(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\x15\x03\x01\x00\x02\x02\x46\r\n")
        handler.close_connection = True

    failure = failure_of(alert)
    assert failure.kind is FailureKind.MISCONFIGURED
    assert "it speaks TLS" in failure.message


def test_tls_that_hangs_up_without_a_word_is_thought_of(certificate: tuple[str, str]) -> None:
    key, chain = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with serving(always(200), tls=context) as server, pytest.raises(PullFailed, match="if it speaks TLS") as caught:
        SourceClient(server.url.replace("https:", "http:"), limits=Limits(attempts=1)).get_json("")
    assert caught.value.kind is FailureKind.UNREACHABLE
