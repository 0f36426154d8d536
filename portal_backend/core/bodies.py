"""Request bodies, taken whole before any view reads them: within the limit, and with nothing missing at their end.

The web server hands a request over as soon as its head is there, and cannot be told to stop waiting for the body: a
thread that waits for one cannot be called back. So there are more threads than requests that are answered at a time;
whoever waits for a body lets another request take the turn.
"""

import logging
import os
import threading
import time
from collections.abc import Iterable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from werkzeug.wsgi import get_content_length, get_input_stream

from portal_backend.core.errors import Fault, InvalidInput, Unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
CHUNKED = "HTTP_TRANSFER_ENCODING"
MOST_WAITING = 64
"""Requests of one process that may wait for their bodies at a time; one thread each."""
ARRIVAL_SECONDS = 30.0
"""Once that many have waited this long, the process makes room for a new one (as gunicorn's `timeout`)."""
WATCH_SECONDS = 5.0
STUCK = 70
"""The exit status of such a process."""

log = logging.getLogger(__name__)


class Bodies:
    """Takes the bodies of the requests of one process, and knows which threads wait for one."""

    def __init__(self) -> None:
        self._waiting: dict[int, float] = {}
        """Since when, on the monotonic clock, by the thread's number."""
        self._turns: SimpleQueue[None] | None = None
        """One item for each request that may be answered beside those that are; None where the server sees to that."""

    def take(self, environ: dict[str, Any], limit: int | None) -> bytes:
        """Return the body of a request.

        Raises RequestEntityTooLarge for one of more than `limit` bytes, InvalidInput for one that the caller broke off
        (what is there of it may look like a request of its own), and Unavailable while too many others wait.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable("Too many requests wait for the rest of their bodies; send the same request again later.")
        body = self._await(environ, limit)
        announced = get_content_length(environ)
        if len(body) < (1 if announced is None else announced):
            message = f"ends too soon, after {len(body)} of {announced or 'at least 1'} bytes"
            raise InvalidInput(f"The body {message}; send the request again.", [Fault("body", message)])
        return body

    def _await(self, environ: dict[str, Any], limit: int | None) -> bytes:
        thread = threading.get_ident()
        self._waiting[thread] = time.monotonic()
        if self._turns is not None:
            self._turns.put(None)
        try:
            return get_input_stream(environ, max_content_length=limit).read()
        finally:
            del self._waiting[thread]
            if self._turns is not None:
                self._turns.get()

    def in_turn(self, application: "WSGIApplication", at_once: int) -> "WSGIApplication":
        """Return the application for a server of more threads: it answers so many requests at a time.

        Those that wait for their bodies are not among them.
        """
        turns = self._turns = SimpleQueue()
        for _ in range(at_once):
            turns.put(None)

        def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            turns.get()
            try:
                return application(environ, start_response)
            finally:
                turns.put(None)

        return answer

    def all_stuck(self, now: float) -> bool:
        """Say whether as many threads wait for a body as may, each since long before `now` on the monotonic clock."""
        waiting = [now - since for since in list(self._waiting.values())]
        return len(waiting) >= MOST_WAITING and min(waiting) > ARRIVAL_SECONDS

    def watch(self) -> None:
        """End this process, for the web server to replace it, whenever no other body could be waited for."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self.all_stuck(time.monotonic()):
            time.sleep(WATCH_SECONDS)
        log.critical("too many requests wait for bodies that do not come; this process makes room for a new one")
        os._exit(STUCK)


def has_body(environ: dict[str, Any]) -> bool:
    """Say whether a request announces a body that a view may read."""
    announced = environ.get("CONTENT_LENGTH", "") not in {"", "0"} or CHUNKED in environ
    return announced and environ["REQUEST_METHOD"] not in WITHOUT_BODY
