"""Answers that are sent while they are read, and keep a database connection until whoever reads them has the end."""

from collections.abc import Iterable, Iterator
from itertools import chain
from threading import Semaphore

from flask import stream_with_context

from portal_backend.core.db import POOL_SIZE
from portal_backend.core.errors import Unavailable

MOST_STREAMS = POOL_SIZE
"""Of one process, half of its connections: slow readers are not to use up those that all other requests need."""
_free = Semaphore(MOST_STREAMS)


def streamed(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Return the parts as the body of a response; the first is read at once.

    So what fails at once is answered as an error, not as a torn body. Raises Unavailable while this process sends
    MOST_STREAMS others. Needs a request context.
    """
    counted = _counted(parts)
    first = next(counted, b"")
    return stream_with_context(chain([first], counted))


def _counted(parts: Iterable[bytes]) -> Iterator[bytes]:
    if not _free.acquire(blocking=False):
        raise Unavailable(
            f"{MOST_STREAMS} long answers are being sent by this process already; send the same request again later."
        )
    try:
        yield from parts
    finally:
        _free.release()
