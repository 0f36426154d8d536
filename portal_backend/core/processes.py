"""Pure work done by other processes beside this one: Python computes on one core per process, whatever its threads.

    with other_processes() as run:
        for verdicts in run(judge_batch, batches):   # in the order of the batches
            write(session, verdicts)

They are forked by a small process of their own, which is started afresh, imports what it is told (`import_there`) and
stays: they have no connection, lock or thread of ours, and a worker with many threads may ask for them. The first time
costs some tenths of a second, so they are started only where there are more than FEW items, or at once where the caller
knows that there will be. Until they are up, and whenever the next result is not there yet, this process works along.
The function stands at the top level of a module that imports little; items and results travel pickled, so they are
plain values: batches of some 10 to 200 ms of work each.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, Generic, Protocol, TypeVar

from portal_backend.core.memory import keep_what_is_loaded

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger(__name__)

START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
ENVIRONMENT = "PORTAL_PROCESSES"
"""How many processes work on what is large, this one included; by default as many as there are cores, up to MOST."""
MOST = 8
"""More would only wait: all that they get and give goes through this process."""
FEW = 2
"""Items that are not worth starting a process for."""
AHEAD = 6
"""Items for each other process that are taken before the caller has the first of their results."""
GIVEN = 3
"""Of these, how many are given to it at once; the rest waits for whoever has time."""


class Run(Protocol):
    """Applies a function to each item."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
        """Yield the results in order; an exception of the function is raised when its item's turn comes.

        Items are taken only as fast as results are, so that neither pile up.
        """


def others_wanted() -> int:
    """Return how many processes may work beside this one: PORTAL_PROCESSES less one, or one for each further core."""
    wanted = os.environ.get(ENVIRONMENT, "")
    if wanted.isdecimal():
        return max(0, int(wanted) - 1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(0, min(cores, MOST) - 1)


def import_there(modules: Sequence[str]) -> None:
    """Have the modules of functions imported once for all processes that are going to be started."""
    multiprocessing.set_forkserver_preload(list(modules))


@contextmanager
def other_processes(count: int | None = None, soon: Callable[..., Any] | None = None) -> Iterator[Run]:
    """Lend `count` processes (by default those that may be had) for the block; they end with it, or with this process.

    `soon` is a function that much will be asked of: they start at once then, and import what it takes meanwhile.
    Where there are none, because of one core only or because none can be started, all is done here.
    """
    others = _Others(others_wanted() if count is None else count)
    try:
        if soon is not None:
            others.prepare(soon)
        yield others.run
    finally:
        others.end()


class _Task(Generic[Item, Result]):
    """An item that waits, is given away, or is done."""

    def __init__(self, function: Callable[[Item], Result], item: Item) -> None:
        self._function = function
        self._item = item
        self._future: Future[Result] | None = None

    def waits(self) -> bool:
        """Say whether nobody has it."""
        return self._future is None

    def is_done(self) -> bool:
        """Say whether its result is there."""
        return self._future is not None and self._future.done()

    def give(self, pool: ProcessPoolExecutor) -> None:
        """Give it to another process."""
        self._future = pool.submit(self._function, self._item)

    def take_back(self) -> bool:
        """Say whether it waits now, where it was given away and nobody has begun with it."""
        if self._future is None or not self._future.cancel():
            return False
        self._future = None
        return True

    def do_here(self) -> None:
        """Do it in this process."""
        self._future = Future()
        try:
            self._future.set_result(self._function(self._item))
        except Exception as error:  # noqa: BLE001 (raised when it is this item's turn)
            self._future.set_exception(error)

    def result(self) -> Result:
        """Return the result, waiting for it; raises what the function raised."""
        if self._future is None:
            return self._function(self._item)
        try:
            return self._future.result()
        except (BrokenProcessPool, CancelledError):
            log.warning("a process that worked for this one was killed; its work is done here")
            return self._function(self._item)


class _Others:
    """Processes that are started when there is something to do for them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None

    def run(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
        """See `Run`."""
        rest = iter(items)
        first = [] if self._pool else list(islice(rest, FEW + 1))
        if self._pool or (len(first) > FEW and self._start()):
            return self._share(function, chain(first, rest))
        return map(function, chain(first, rest))

    def prepare(self, function: Callable[..., Any]) -> None:
        """Start the processes, and have them import what a function takes."""
        try:
            for _ in range(self._count):
                if self._start() and self._pool:
                    self._pool.submit(_import, function)
        except (OSError, BrokenProcessPool) as error:
            self._give_up(error)

    def end(self) -> None:
        """End the processes; what nobody has begun with is left undone."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _share(self, function: Callable[[Item], Result], rest: Iterator[Item]) -> Iterator[Result]:
        tasks: deque[_Task[Item, Result]] = deque()
        while True:
            for item in islice(rest, self._count * AHEAD - len(tasks)):
                tasks.append(_Task(function, item))
                self._give(tasks)
            if not tasks:
                return
            while not tasks[0].is_done() and (mine := _left(tasks)):
                mine.do_here()
                self._give(tasks)
            yield tasks.popleft().result()

    def _give(self, tasks: Iterable[_Task[Item, Result]]) -> None:
        """Keep the other processes supplied."""
        under_way = sum(not task.waits() and not task.is_done() for task in tasks)
        free = self._count * GIVEN - under_way
        for task in islice([task for task in tasks if task.waits()], max(0, free)):
            if self._pool is None:
                return
            try:
                task.give(self._pool)
            except (OSError, BrokenProcessPool) as error:
                self._give_up(error)

    def _start(self) -> bool:
        """Say whether there are other processes, made on the first call."""
        if self._pool is None and self._count > 0:
            try:
                if multiprocessing.current_process().daemon:
                    raise OSError("a process that is daemonic may not start others")
                self._pool = ProcessPoolExecutor(self._count, multiprocessing.get_context(START), _begin)
            except (OSError, ImportError, NotImplementedError) as error:
                self._give_up(error)
        return self._pool is not None

    def _give_up(self, error: Exception) -> None:
        log.warning("no other process can be used, all is done in this one: %s", error)
        self.end()
        self._pool = None


def _left(tasks: Sequence[_Task[Item, Result]]) -> _Task[Item, Result] | None:
    """Return what nobody does yet: the first that waits, or the last that can be had back."""
    waiting = (task for task in tasks if task.waits())
    return next(waiting, None) or next((task for task in reversed(tasks) if task.take_back()), None)


def _begin() -> None:
    """Prepare a process that works for another one: Ctrl-C is the other's to handle, and it ends when that one does."""
    keep_what_is_loaded()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _import(_function: Callable[..., Any]) -> None:
    """Do nothing: whoever was handed the function has imported its module."""


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
