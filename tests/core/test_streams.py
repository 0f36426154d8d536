"""Long answers: few at a time, and a failure of the first part is an error."""

from collections.abc import Iterator

import pytest
from flask import Flask

from portal_backend.core.errors import InvalidInput, Unavailable
from portal_backend.core.streams import MOST_STREAMS, streamed

LONG = (b"first,", b"last")


@pytest.fixture(autouse=True)
def asked():
    with Flask("streams").test_request_context():
        yield


def failing() -> Iterator[bytes]:
    raise InvalidInput("It cannot begin.")
    yield b""


def test_slow_readers_leave_room_for_others_and_each_that_ends_or_gives_up_makes_some():
    slow = [streamed(LONG) for _ in range(MOST_STREAMS)]
    with pytest.raises(Unavailable, match="send the same request again later"):
        streamed(LONG)
    assert b"".join(slow.pop()) == b"first,last"
    slow.append(streamed(LONG))
    with pytest.raises(Unavailable):
        streamed(LONG)
    slow.pop().close()
    assert b"".join(streamed(LONG)) == b"first,last"


def test_what_fails_at_once_is_an_error_and_keeps_no_place():
    for _ in range(MOST_STREAMS + 1):
        with pytest.raises(InvalidInput):
            streamed(failing())
    assert [b"".join(streamed(())) for _ in range(MOST_STREAMS + 1)][-1] == b""
