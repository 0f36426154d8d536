"""Request bodies, taken whole before any view reads them: within the limit, and with nothing missing at their end.

The web server hands a request over as soon as its head is there, and cannot be told to stop waiting for the body. A
thread that waits for one which never comes is lost; as many such requests as there are threads would be the end of a
process that looks alive.
"""

import logging
import os
import threading
import time
from typing import Any

from werkzeug.wsgi import get_content_length, get_input_stream

from portal_backend.core.errors import Fault, InvalidInput

WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
CHUNKED = "HTTP_TRANSFER_ENCODING"
ARRIVAL_SECONDS = 30.0
"""Once every thread has waited this long for a body, the process makes room for a new one (as gunicorn's `timeout`)."""
WATCH_SECONDS = 5.0
STUCK = 70
"""The exit status of such a process."""

log = logging.getLogger(__name__)


class Bodies:
    """Takes the bodies of the requests of one process, and knows which threads wait for one."""

    def __init__(self) -> None:
        self._waiting: dict[int, float] = {}
        """Since when, on the monotonic clock, by the thread's number."""

    def take(self, environ: dict[str, Any], limit: int | None) -> bytes:
        """Return the body of a request.

        Raises RequestEntityTooLarge for one of more than `limit` bytes, and InvalidInput for one that the caller broke
        off: what is there of it may look like a request of its own.
        """
        thread = threading.get_ident()
        self._waiting[thread] = time.monotonic()
        try:
            body = get_input_stream(environ, max_content_length=limit).read()
        finally:
            del self._waiting[thread]
        announced = get_content_length(environ)
        if len(body) < (1 if announced is None else announced):
            message = f"ends too soon, after {len(body)} of {announced or 'at least 1'} bytes"
            raise InvalidInput(f"The body {message}; send the request again.", [Fault("body", message)])
        return body

    def all_stuck(self, threads: int, now: float) -> bool:
        """Say whether as many threads wait for a body, and each since long before `now` on the monotonic clock."""
        waiting = [now - since for since in list(self._waiting.values())]
        return len(waiting) >= threads and min(waiting) > ARRIVAL_SECONDS

    def watch(self, threads: int) -> None:
        """End this process, for the web server to replace it, whenever all of its threads are stuck."""
        threading.Thread(target=self._watch, args=(threads,), daemon=True).start()

    def _watch(self, threads: int) -> None:
        while not self.all_stuck(threads, time.monotonic()):
            time.sleep(WATCH_SECONDS)
        log.critical("every thread waits for a request body that does not come; this process makes room for a new one")
        os._exit(STUCK)


def has_body(environ: dict[str, Any]) -> bool:
    """Say whether a request announces a body that a view may read."""
    announced = environ.get("CONTENT_LENGTH", "") not in {"", "0"} or CHUNKED in environ
    return announced and environ["REQUEST_METHOD"] not in WITHOUT_BODY
