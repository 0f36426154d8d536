"""Statements that go on beside Python's own work, for a database that computes in processes of its own.

    with beside(session) as begin:
        for rows in ...:
            text = prepared(rows)                # while the rows before these are written
            begin(copy_in, session, text)

Inside the block one thread has the session, and nobody else may use it: it does what was begun in that order, so that
the transaction holds the same statements as if they had been waited for. At the end of the block all of it is done, and
the thread is gone; what one of the statements raised is raised to the caller, and nothing that was begun after that one
is done.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, Protocol, TypeVar

from sqlalchemy.orm import Session

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

THREAD = "beside"
"""What the thread's name begins with."""
AHEAD = 3
"""How much is begun and not done yet before whoever begins more has to wait: what waits is held in memory."""
TURN_SECONDS = 0.0005
"""For how long Python computes on while the thread has an answer of the database to take and the next rows to send: the
database would wait for that long."""
USUAL_TURN_SECONDS = sys.getswitchinterval()


class Begin(Protocol):
    """Has work done with the session, after all that was begun before it."""

    def __call__(
        self, work: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> "Future[Result]":
        """Return what waits for the work's result. Raises what work that was begun before has raised."""


@contextmanager
def beside(session: Session, worth_it: bool = True) -> Iterator[Begin]:
    """Lend a thread for the block that has the session.

    SQLite computes in the thread that asks, so there all is done at once, as it is where a thread is not worth it.
    """
    if not worth_it or session.connection().dialect.name == "sqlite":
        yield at_once
        return
    thread = _Thread()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield thread.begin
        thread.finish()
    finally:
        thread.end()
        sys.setswitchinterval(USUAL_TURN_SECONDS)


def at_once(
    work: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
) -> "Future[Result]":
    """Do the work here and now."""
    done: Future[Result] = Future()
    done.set_result(work(*args, **kwargs))
    return done


class _Thread:
    """Does one thing after the other, until one of them fails."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, THREAD)
        self._begun: deque[Future[Any]] = deque()
        self._failure: BaseException | None = None

    def begin(
        self, work: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> "Future[Result]":
        """See `Begin`."""
        while self._begun and (len(self._begun) >= AHEAD or self._begun[0].done()):
            self._begun.popleft().result()
        future = self._pool.submit(self._do, work, args, kwargs)
        self._begun.append(future)
        return future

    def finish(self) -> None:
        """Wait until all is done."""
        while self._begun:
            self._begun.popleft().result()

    def end(self) -> None:
        """Leave undone what is not begun with, and wait for the rest."""
        self._pool.shutdown(cancel_futures=True)

    def _do(self, work: Callable[..., Result], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Result:
        if self._failure is not None:
            raise self._failure
        try:
            return work(*args, **kwargs)
        except BaseException as error:
            self._failure = error
            raise
