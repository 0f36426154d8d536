"""The client against real sockets: every way in which a source can misbehave."""

import gzip
import json
import socket
import ssl
import subprocess
import time
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler

import pytest

from plugins.contract import FailureKind, PullFailed
from plugins.http_client import Limits, SourceClient
from plugins.transport.redaction import redact
from portal_backend.core.clock import now
from portal_backend.core.config import Secret, SourceAuth
from tests.plugins.misbehaving import Answer, always, in_turn, send, serving
from tests.servers import require

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


def test_paths_go_below_the_base_path_and_keep_it() -> None:
    with serving(always(200, b'{"a": 1}')) as server:
        client = SourceClient(server.url + "/prometheus/", limits=QUICK)
        assert client.get_json("/api/v1/query", {"query": "up == 1", "many": ["a", "b"]}) == {"a": 1}
        assert client.get_json("", [("match[]", "x"), ("match[]", "y")]) == {"a": 1}
        assert [seen.path for seen in server.seen] == [
            "/prometheus/api/v1/query?query=up+%3D%3D+1&many=a&many=b",
            "/prometheus/?match%5B%5D=x&match%5B%5D=y",
        ]
        assert client.requests_made == 2


def test_a_question_too_long_for_a_url_goes_as_a_form() -> None:
    with serving(always(200, b"[]")) as server:
        assert SourceClient(server.url, limits=QUICK).post_form_json("q", {"query": "x" * 20_000}) == []
        assert server.seen[0].command == "POST"
        assert server.seen[0].body == b"query=" + b"x" * 20_000


@pytest.mark.parametrize(
    ("auth", "header", "expected"),
    [
        (SourceAuth(token=Token("t0ken-value")), "Authorization", "Bearer t0ken-value"),
        (SourceAuth(username="ann", password=Token("p4ss")), "Authorization", "Basic YW5uOnA0c3M="),
        (SourceAuth(header="X-Api-Key", value=Token("k3y-value")), "X-Api-Key", "k3y-value"),
    ],
)
def test_credentials_go_with_every_request(auth: SourceAuth, header: str, expected: str) -> None:
    with serving(always(200)) as server:
        SourceClient(server.url, auth, QUICK).get_json("")
        assert server.seen[0].headers[header] == expected


def test_no_credentials_are_taken_from_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving(always(200)) as server:
        SourceClient(server.url, limits=QUICK).get_json("")
        assert "Authorization" not in server.seen[0].headers


def test_a_secret_that_cannot_be_had_is_a_misconfiguration_that_names_the_reference(tmp_path) -> None:
    class Missing(Secret):
        def reveal(self) -> str:
            raise LookupError(self.reference)

    client = SourceClient("http://127.0.0.1:1", SourceAuth(token=Missing("${GONE}")), QUICK)
    with pytest.raises(PullFailed, match=r"\$\{GONE\}") as caught:
        client.get_json("")
    assert caught.value.kind is FailureKind.MISCONFIGURED
    assert client.requests_made == 0


@pytest.mark.parametrize("url", ["ftp://example.org", "prometheus:9090", "http://user:pass@127.0.0.1", "http://"])
def test_an_address_that_is_none_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(PullFailed) as caught:
        SourceClient(url, limits=QUICK).get_json("")
    assert caught.value.kind is FailureKind.MISCONFIGURED
    assert "pass@" not in caught.value.message


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b"", FailureKind.CREDENTIALS, "check auth"),
        (403, b'{"message": "no list"}', FailureKind.PERMISSION, "no list"),
        (404, b"nope", FailureKind.MISCONFIGURED, "nope"),
        (400, b'{"error": "parse error at char 7"}', FailureKind.BAD_ANSWER, "parse error at char 7"),
        (422, b'{"error": "too many samples"}', FailureKind.BAD_ANSWER, "too many samples"),
        (500, b"<html><title>Oops</title></html>", FailureKind.BAD_ANSWER, "answered 500"),
    ],
)
def test_a_refusal_says_who_has_to_act_and_is_not_retried(status: int, body: bytes, kind: str, words: str) -> None:
    with serving(always(status, body)) as server:
        client = SourceClient(server.url, limits=QUICK)
        with pytest.raises(PullFailed) as caught:
            client.get_json("api")
        assert caught.value.kind == kind
        assert caught.value.status == status
        assert words in caught.value.message
        assert "<html" not in caught.value.message
        assert client.requests_made == 1


def test_retry_after_in_seconds_is_honoured() -> None:
    answer = in_turn(always(429, Retry_After="1"), always(200, b"[1]"))
    with serving(answer) as server:
        client = SourceClient(server.url, limits=QUICK)
        started = time.monotonic()
        assert client.get_json("") == [1]
        assert 1.0 <= time.monotonic() - started < 1.9
        assert client.requests_made == 2


def test_retry_after_as_a_date_counts_from_the_servers_own_clock() -> None:
    base = now().replace(year=2001)
    headers = {
        "Date": format_datetime(base, usegmt=True),
        "Retry-After": format_datetime(base.replace(year=2002), usegmt=True),
    }
    failure = failure_of(always(503, **headers))
    assert failure.retry_after_seconds == 24 * 3600  # the most we remember
    assert failure.kind is FailureKind.UNREACHABLE


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"ratelimit-reset": "1"}),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1001", "Date": "Thu, 01 Jan 1970 00:16:40 GMT"}),
        (429, {"x-ratelimit-reset": "1001", "Date": "Thu, 01 Jan 1970 00:16:40 GMT"}),
    ],
)
def test_rate_limit_headers_of_the_vendors_are_honoured(status: int, headers: dict[str, str]) -> None:
    with serving(in_turn(always(status, **headers), always(200, b"[1]"))) as server:
        started = time.monotonic()
        assert SourceClient(server.url, limits=QUICK).get_json("") == [1]
        assert time.monotonic() - started >= 1.0


def test_a_wait_beyond_the_deadline_is_not_waited_for() -> None:
    started = time.monotonic()
    failure = failure_of(always(429, Retry_After="3600"))
    assert time.monotonic() - started < 1
    assert failure.kind is FailureKind.RATE_LIMITED
    assert failure.retry_after_seconds == 3600


def test_a_403_with_quota_left_is_a_lack_of_permission() -> None:
    failure = failure_of(always(403, **{"x-ratelimit-remaining": "17", "x-ratelimit-reset": "1"}))
    assert failure.kind is FailureKind.PERMISSION


def test_a_source_that_is_down_for_a_moment_is_asked_again() -> None:
    with serving(in_turn(always(503), always(502), always(200, b"[1]"))) as server:
        client = SourceClient(server.url, limits=QUICK)
        assert client.get_json("") == [1]
        assert client.requests_made == 3


def test_a_source_that_stays_down_fails_after_the_attempts() -> None:
    with serving(always(503, b'{"error": "overloaded"}')) as server:
        client = SourceClient(server.url, limits=QUICK)
        with pytest.raises(PullFailed, match="overloaded") as caught:
            client.get_json("")
        assert caught.value.kind is FailureKind.UNREACHABLE
        assert client.requests_made == QUICK.attempts


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


def test_a_silent_source_times_out_and_is_not_asked_again() -> None:
    failure = failure_of(lambda _: time.sleep(2))
    assert failure.kind is FailureKind.TIMEOUT
    assert "silent for 0.5 s" in failure.message


def trickle_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response_only(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def trickle_chunked_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response_only(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"400\r\n")
    for _ in range(100):
        handler.wfile.write(b" ")
        time.sleep(0.1)


def trickle_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(100):
        handler.wfile.write(b"z")
        time.sleep(0.1)


@pytest.mark.parametrize("trickle", [trickle_body, trickle_chunked_body, trickle_headers])
def test_a_source_that_trickles_bytes_cannot_hold_us_past_the_deadline(trickle: Answer) -> None:
    started = time.monotonic()
    failure = failure_of(trickle, Limits(read_seconds=0.5, total_seconds=1))
    assert failure.kind is FailureKind.TIMEOUT
    assert "within 1 s" in failure.message
    assert time.monotonic() - started < 2


def test_the_deadline_covers_all_requests_of_a_client() -> None:
    limits = Limits(read_seconds=1, total_seconds=1)

    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.4)
        send(handler, 200)

    with serving(slow) as server:
        client = SourceClient(server.url, limits=limits)
        with pytest.raises(PullFailed) as caught:
            for _ in range(10):
                client.get_json("")
        assert caught.value.kind is FailureKind.TIMEOUT
        assert client.requests_made <= 3


def test_an_endless_body_is_cut_off() -> None:
    failure = failure_of(always(200, b"[" + b"1," * 60_000 + b"1]"))
    assert failure.kind is FailureKind.BAD_ANSWER
    assert "100,000 bytes" in failure.message


def test_a_small_body_that_unpacks_to_a_huge_one_is_cut_off() -> None:
    packed = gzip.compress(b" " * 50_000_000)
    assert len(packed) < 100_000
    failure = failure_of(always(200, packed, Content_Encoding="gzip"))
    assert failure.kind is FailureKind.BAD_ANSWER
    assert "100,000 bytes" in failure.message


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    def broken(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, b'{"a"', **{"Content-Length": "50"})
        handler.close_connection = True

    with serving(in_turn(broken, always(200, b"[1]"))) as server:
        assert SourceClient(server.url, limits=QUICK).get_json("") == [1]
    assert failure_of(broken).kind is FailureKind.UNREACHABLE


def test_rubbish_is_a_bad_answer() -> None:
    def rubbish(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\x00\x01\x02 not http at all\r\n\r\n")
        handler.close_connection = True

    assert failure_of(rubbish).kind is FailureKind.BAD_ANSWER
    for body in (b"", b"{", b"[NaN]", b"\xff\xfe", b"[" * 5000):
        failure = failure_of(always(200, body))
        assert failure.kind is FailureKind.BAD_ANSWER
        assert "no JSON" in failure.message


def test_a_web_page_instead_of_json_is_said_to_be_one() -> None:
    failure = failure_of(always(200, b"<!DOCTYPE html><html><title>Sign in</title>" + b"x" * 5000))
    assert failure.kind is FailureKind.BAD_ANSWER
    assert "web page" in failure.message
    assert len(failure.message) < 400


def test_a_nul_in_a_name_becomes_a_character_that_every_database_can_store() -> None:
    with serving(always(200, b'["a\\u0000b"]')) as server:
        assert SourceClient(server.url, limits=QUICK).get_json("") == ["a\ufffdb"]


def test_text_must_be_utf8() -> None:
    with serving(in_turn(always(200, "\ufeffgrün".encode()), always(200, b"\xff"))) as server:
        client = SourceClient(server.url, limits=QUICK)
        assert client.get_text("slo.yaml") == "grün"
        with pytest.raises(PullFailed, match="UTF-8"):
            client.get_text("slo.yaml")


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


def test_what_the_server_echoes_of_our_secret_stays_out_of_the_message() -> None:
    def echo(handler: BaseHTTPRequestHandler) -> None:
        said = f"bad token {handler.headers['Authorization']} for http://u:pw1234@h/?api_key=abc123&x=1"
        send(handler, 403, json.dumps({"message": said}).encode())

    failure = failure_of(echo, auth=SourceAuth(token=Token("s3cr3t-t0k3n")))
    for secret in ("s3cr3t-t0k3n", "pw1234", "abc123"):
        assert secret not in failure.message
        assert secret not in repr(failure)
    assert "x=1" in failure.message


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("GET https://u:hunter22@host/path failed", "hunter22"),
        ("?access_token=abcdef&page=2", "abcdef"),
        ("Authorization: Bearer eyJhbGciOi.x.y", "eyJhbGciOi"),
        ("X-Sig=deadbeef", "deadbeef"),
    ],
)
def test_redaction_hides_what_looks_like_a_secret(text: str, hidden: str) -> None:
    assert hidden not in redact(text)


def test_redaction_leaves_the_rest_alone() -> None:
    text = "https://host/path?page=2 said: no series for job=api, tokens are fine"
    assert redact(text) == text


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


def test_pages_are_followed_by_their_link_headers_and_never_elsewhere():
    def page(number: int, link: str) -> Answer:
        return lambda handler: send(handler, 200, b"[%d]" % number, Link=link)

    with serving(in_turn(page(1, '</x?page=2>; rel="next"'), page(2, "<x?page=1>; rel=prev"))) as server:
        assert list(SourceClient(server.url).get_pages("x", {"per_page": "1"})) == [[1], [2]]
        assert [seen.path for seen in server.seen] == ["/x?per_page=1", "/x?page=2"]
    with serving(page(1, '</x?page=2>; rel="next"')) as server, pytest.raises(PullFailed, match="in circles"):
        list(SourceClient(server.url).get_pages("x"))
    with serving(page(1, '<http://elsewhere.example/x>; rel="next"')) as server:
        pages = SourceClient(server.url).get_pages("x")
        assert next(pages) == [1]
        with pytest.raises(PullFailed, match="names its next page at elsewhere.example") as failed:
            next(pages)
        assert failed.value.kind is FailureKind.MISCONFIGURED
