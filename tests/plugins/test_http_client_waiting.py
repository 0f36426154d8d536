"""What is waited for and asked again, and the deadline that nothing gets past."""

import time
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler

import pytest

from plugins.contract import FailureKind, PullFailed
from plugins.http_client import Limits, SourceClient
from portal_backend.core.clock import now
from tests.plugins.asking import QUICK, failure_of, trickle_body, trickle_headers
from tests.plugins.misbehaving import Answer, always, in_turn, send, serving


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


IN_AN_HOUR = {"Date": "Mon, 23 Nov 2026 07:00:00 GMT", "reset": "1795420800"}


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"ratelimit-reset": "3600"}),
        (429, {"ratelimit-reset": IN_AN_HOUR["reset"], "Date": IN_AN_HOUR["Date"]}),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": IN_AN_HOUR["reset"], "Date": IN_AN_HOUR["Date"]}),
        (429, {"x-ratelimit-reset": IN_AN_HOUR["reset"], "Date": IN_AN_HOUR["Date"]}),
        (429, {"x-ratelimit-reset": "3600"}),
    ],
)
def test_rate_limit_headers_of_the_vendors_are_honoured(status: int, headers: dict[str, str]) -> None:
    failure = failure_of(always(status, **headers))
    assert (failure.kind, failure.retry_after_seconds) == (FailureKind.RATE_LIMITED, 3600)


def test_a_pause_that_a_rate_limit_header_asks_for_is_made() -> None:
    with serving(in_turn(always(429, ratelimit_reset="1"), always(200, b"[1]"))) as server:
        started = time.monotonic()
        assert SourceClient(server.url, limits=QUICK).get_json("") == [1]
        assert time.monotonic() - started >= 1.0


def test_a_wait_beyond_the_deadline_is_not_waited_for() -> None:
    started = time.monotonic()
    failure = failure_of(always(429, Retry_After="3600"))
    assert time.monotonic() - started < 1
    assert failure.kind is FailureKind.RATE_LIMITED
    assert failure.retry_after_seconds == 3600


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


def test_a_silent_source_times_out_and_is_not_asked_again() -> None:
    failure = failure_of(lambda _: time.sleep(2))
    assert failure.kind is FailureKind.TIMEOUT
    assert "silent for 0.5 s" in failure.message


def trickle_chunked_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response_only(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"400\r\n")
    for _ in range(100):
        handler.wfile.write(b" ")
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


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    def broken(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, b'{"a"', **{"Content-Length": "50"})
        handler.close_connection = True

    with serving(in_turn(broken, always(200, b"[1]"))) as server:
        assert SourceClient(server.url, limits=QUICK).get_json("") == [1]
    assert failure_of(broken).kind is FailureKind.UNREACHABLE
