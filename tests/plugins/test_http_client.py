"""The client against real sockets: what it sends, what it takes, and what a refusal says."""

import base64
import gzip
import json
from http.server import BaseHTTPRequestHandler

import pytest

from plugins import http_client
from plugins.contract import FailureKind, PullFailed
from plugins.http_client import Limits, SourceClient
from plugins.transport.conditional import LARGEST_KEPT, InMemory
from plugins.transport.redaction import redact
from portal_backend.core.config import Secret, SourceAuth
from tests.plugins.asking import QUICK, Token, failure_of
from tests.plugins.misbehaving import Answer, always, in_turn, send, serving


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


def tagging(body: bytes, link: str = "") -> Answer:
    """Answers with an ETag, and 304 to whoever has the answer."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.headers.get("If-None-Match") == '"one"':
            send(request, 304, b"", ETag='"one"')
        else:
            send(request, 200, body, **{"ETag": '"one"', **({"Link": link} if link else {})})

    return answer


def test_an_answer_with_an_etag_is_asked_about_again_and_a_304_means_the_same_answer() -> None:
    kept = InMemory()
    with serving(tagging(b'{"a": 1}')) as server:
        for _ in range(2):
            with SourceClient(server.url, limits=QUICK, kept=kept) as client:
                assert client.get_json("things", {"q": "1"}) == {"a": 1}
        with SourceClient(server.url, limits=QUICK, kept=kept) as client:
            assert client.get_json("things", {"q": "2"}) == {"a": 1}
        with SourceClient(server.url, limits=QUICK) as client:
            assert client.get_json("things", {"q": "1"}) == {"a": 1}
        assert [seen.headers.get("If-None-Match") for seen in server.seen] == [None, '"one"', None, None]


def test_a_page_that_has_not_changed_still_names_the_next_one() -> None:
    kept = InMemory()
    with serving(tagging(b"[1]", '</two>; rel="next"')) as server:
        for _ in range(2):
            with SourceClient(server.url, limits=QUICK, kept=kept) as client:
                pages = client.get_pages("one")
                assert next(pages) == [1]
                assert next(pages) == [1]
        assert [seen.path for seen in server.seen] == ["/one", "/two"] * 2


@pytest.mark.parametrize(
    ("status", "headers", "size"), [(200, {}, 10), (200, {"Cache-Control": "no-store"}, 10), (200, {}, LARGEST_KEPT)]
)
def test_what_has_no_etag_may_not_be_stored_or_is_large_is_not_kept(status, headers, size) -> None:
    kept = InMemory()
    told = {**headers, **({"ETag": '"one"'} if headers or size > 10 else {})}
    body = b'"' + b"x" * size + b'"'
    roomy = Limits(body_bytes=10 * LARGEST_KEPT)
    with serving(lambda request: send(request, status, body, **told)) as server:
        SourceClient(server.url, limits=roomy, kept=kept).get_json("things")
    assert kept.answers == {}


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


@pytest.mark.parametrize("secret", ["first-line\nsecond-line", "hush…hush"])
@pytest.mark.parametrize("way", ["token", "header"])
def test_a_secret_that_no_header_may_carry_is_told_and_not_shown(tmp_path, secret: str, way: str) -> None:
    (tmp_path / "secret").write_text(secret, encoding="utf-8")
    held = Secret("file:secret", tmp_path)
    auth = SourceAuth(token=held) if way == "token" else SourceAuth(header="X-Key", value=held)
    failure = failure_of(always(200), auth=auth)
    assert failure.kind is FailureKind.MISCONFIGURED
    assert "line break" in failure.message
    assert not any(part in failure.message for part in ("first-line", "second-line", "hush"))


def test_a_password_may_hold_any_sign(tmp_path) -> None:
    (tmp_path / "secret").write_text("hush…", encoding="utf-8")
    with serving(always(200, b"{}")) as server:
        auth = SourceAuth(username="jürgen", password=Secret("file:secret", tmp_path))
        assert SourceClient(server.url, auth, QUICK).get_json("x") == {}
        sent = server.seen[0].headers["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(sent).decode() == "jürgen:hush…"


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


def test_a_403_with_quota_left_is_a_lack_of_permission() -> None:
    failure = failure_of(always(403, **{"x-ratelimit-remaining": "17", "x-ratelimit-reset": "1"}))
    assert failure.kind is FailureKind.PERMISSION


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


def test_a_page_that_holds_no_results_by_its_own_word_is_not_asked_for():
    last = '<x?c=0>; rel="previous"; results="true", <x?c=2>; rel="next"; results="false"'
    pages = [
        lambda handler: send(handler, 200, b"[1]", Link='<x?c=1>; rel="next"; results="true"'),
        lambda handler: send(handler, 200, b"[2]", Link=last),
    ]
    with serving(in_turn(*pages)) as server:
        assert list(SourceClient(server.url).get_pages("x")) == [[1], [2]]
        assert len(server.seen) == 2


def test_pages_without_an_end_are_left_after_some(monkeypatch):
    monkeypatch.setattr(http_client, "MAX_PAGES", 5)

    def endless(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, b"[]", Link=f'<x?page={len(server.seen)}>; rel="next"')

    with serving(endless) as server, pytest.raises(PullFailed, match="behind 5 others") as failed:
        list(SourceClient(server.url).get_pages("x"))
    assert failed.value.kind is FailureKind.BAD_ANSWER
    assert len(server.seen) == 5
