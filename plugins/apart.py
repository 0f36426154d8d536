"""Takes what a connector yields out of a thread of its own, and waits for it no longer than a run or a check may take.

The client that a connector is handed keeps its deadline. A connector that blocks elsewhere (a sleep, a socket of its
own) keeps none, and no thread can be ended from outside: it is left behind, so that it costs neither the run's lease
nor the worker. While it lives, its source is not read again by this process: there is never more than one for a source.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar

from plugins.contract import FailureKind, PullFailed
from portal_backend.core import clock

BLOCKED = (
    "the connector was not done after {seconds:g} s, and waits where no time-out of the portal reaches it (a sleep, a "
    "connection that is not context.client's): it was given up, and its thread left behind"
)
STILL_BLOCKED = (
    "the connector still waits in the run that was given up at {since}, where no time-out of the portal reaches it; it "
    "is not started again beside that one: mend the connector, and restart the worker"
)

ENDS_ALL = "the connector tried to end the whole process"

T = TypeVar("T")


class Blocked(PullFailed):
    """The connector itself waits for ever; its source may be well."""


@dataclass(frozen=True)
class _LeftBehind:
    thread: threading.Thread
    since: str


log = logging.getLogger(__name__)
_left_behind: dict[str, _LeftBehind] = {}
_registering = threading.Lock()


def left_behind() -> dict[str, str]:
    """Return the sources whose connector still blocks a thread of this process, with since when each was given up."""
    with _registering:
        for source in [source for source, left in _left_behind.items() if not left.thread.is_alive()]:
            del _left_behind[source]
        return {source: left.since for source, left in _left_behind.items()}


def one(source: str, ask: Callable[[], T], seconds: float) -> T:
    """Return what `ask` returns, which is called in another thread; raises as `each` does."""
    with closing(each(source, lambda: iter((ask(),)), seconds, nullcontext)) as answers:
        return next(answers)


def each(
    source: str,
    begin: Callable[[], Iterator[T]],
    seconds: float,
    surroundings: Callable[[], AbstractContextManager[object]],
) -> Generator[T, None, None]:
    """Yield what `begin` yields (no None), which is called in another thread and within `surroundings`.

    That thread works only while the next one is waited for; `seconds` bounds these waits together. Raises what the
    iterator raises, and Blocked when it takes longer, or when an earlier one of the source still blocks.
    """
    since = left_behind().get(source)
    if since:
        raise Blocked(FailureKind.TIMEOUT, STILL_BLOCKED.format(since=since))
    reader = _Reader(source, begin, surroundings)
    reader.start()
    left = seconds
    try:
        while True:
            asked_at = time.monotonic()
            found = reader.following(left)
            left -= time.monotonic() - asked_at
            if found is None:
                return
            yield found
    except queue.Empty:
        with _registering:
            _left_behind[source] = _LeftBehind(reader, clock.format_time(clock.now()))
            count = len(_left_behind)
        log.warning("a connector blocks a thread", extra={"portal": {"source": source, "threads_left_behind": count}})
        raise Blocked(FailureKind.TIMEOUT, BLOCKED.format(seconds=seconds)) from None
    finally:
        reader.wanted.put(False)


class _Reader(threading.Thread, Generic[T]):
    """Answers each `wanted` with the next of what is yielded, with None at the end, or with what was raised."""

    def __init__(
        self,
        source: str,
        begin: Callable[[], Iterator[T]],
        surroundings: Callable[[], AbstractContextManager[object]],
    ) -> None:
        super().__init__(name=f"pull-{source}", daemon=True)
        self.wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._begin = begin
        self._surroundings = surroundings
        self._answers: queue.SimpleQueue[T | BaseException | None] = queue.SimpleQueue()

    def following(self, seconds: float) -> T | None:
        """Return the next one; raises queue.Empty when there is none in time."""
        self.wanted.put(True)
        answer = self._answers.get(timeout=max(seconds, 0.0))
        if isinstance(answer, BaseException):
            raise answer if isinstance(answer, Exception) else PullFailed(FailureKind.BAD_ANSWER, ENDS_ALL) from answer
        return answer

    def run(self) -> None:
        """Work as long as somebody wants the next one."""
        try:
            with self._surroundings():
                found = self._begin()
                while self.wanted.get():
                    self._answers.put(next(found, None))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
            self._answers.put(error)
