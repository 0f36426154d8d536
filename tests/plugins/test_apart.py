"""A connector that blocks where no time-out of the portal reaches it."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext

import pytest

from plugins import apart
from plugins.contract import Batch, FailureKind, PullFailed


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """What the blocking connectors wait for, so that no thread outlives its test."""
    event = threading.Event()
    yield event
    event.set()
    deadline = time.monotonic() + 10
    while apart.left_behind() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert apart.left_behind() == {}


def read(source: str, begin, seconds: float = 5) -> list[str | None]:
    with closing(apart.each(source, begin, seconds, nullcontext)) as batches:
        return [batch.cursor for batch in batches]


def test_what_a_connector_yields_comes_in_its_order():
    assert read("a", lambda: iter([Batch(cursor="1"), Batch(cursor="2")])) == ["1", "2"]
    assert read("a", lambda: iter(())) == []


def test_what_it_raises_is_raised_after_what_it_had_yielded():
    def failing():
        yield Batch(cursor="1")
        raise PullFailed(FailureKind.PERMISSION, "no")

    seen = []
    with pytest.raises(PullFailed, match="no"), closing(apart.each("a", failing, 5, nullcontext)) as batches:
        seen.extend(batch.cursor for batch in batches)
    with pytest.raises(PullFailed, match="end the whole process"):
        read("a", lambda: sys.exit("enough"))


def test_one_that_blocks_is_given_up_and_not_started_again_beside_itself(released):
    started = []

    def blocking():
        started.append(threading.current_thread())
        yield Batch(cursor="before")
        released.wait(60)

    seen = []
    given_up = pytest.raises(PullFailed, match="no time-out of the portal reaches it")
    with given_up as failed, closing(apart.each("stuck", blocking, 0.2, nullcontext)) as batches:
        seen.extend(batch.cursor for batch in batches)
    assert (seen, failed.value.kind) == (["before"], FailureKind.TIMEOUT)
    assert list(apart.left_behind()) == ["stuck"]
    with pytest.raises(PullFailed, match="is not started again beside that one"):
        read("stuck", blocking)
    assert len(started) == 1
    assert read("another", lambda: iter([Batch(cursor="1")])) == ["1"]

    released.set()
    started[0].join(10)
    assert apart.left_behind() == {}
    assert read("stuck", lambda: iter([Batch(cursor="again")])) == ["again"]


def test_only_the_waiting_for_the_connector_counts():
    def quick():
        for number in range(3):
            yield Batch(cursor=str(number))

    seen = []
    with closing(apart.each("a", quick, 0.5, nullcontext)) as batches:
        for batch in batches:
            time.sleep(0.25)  # what storing takes
            seen.append(batch.cursor)
    assert seen == ["0", "1", "2"]


def test_a_reader_that_stops_early_ends_the_connector_and_its_thread():
    ended = threading.Event()

    def endless():
        try:
            while True:
                yield Batch(cursor="more")
        finally:
            ended.set()

    with closing(apart.each("a", endless, 5, nullcontext)) as batches:
        assert next(batches).cursor == "more"
    assert ended.wait(10)
    assert apart.left_behind() == {}
