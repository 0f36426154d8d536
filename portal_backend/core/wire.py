"""Request bodies: there whole and inflated before any view reads them, within the limit that binds every body."""

import zlib
from io import BytesIO
from typing import Any

from flask import Flask, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from portal_backend.core.bodies import CHUNKED, Bodies, has_body
from portal_backend.core.errors import Fault, InvalidInput

EXTENSION = "portal_bodies"
HEADER = "HTTP_CONTENT_ENCODING"
WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""What zlib is told of each encoding that is taken; Express takes the same."""


MAX_MEMBERS = 100
"""Parts that a gzip body may be put together of: each costs a copy of what comes after it."""


def init_app(app: Flask) -> None:
    """Take the body of every request; goes behind what refuses strangers."""
    bodies = app.extensions[EXTENSION] = Bodies()

    def take_body() -> None:
        environ = request.environ
        if not has_body(environ):
            return
        body = _inflated(environ, bodies.take(environ, request.max_content_length))
        environ.pop(CHUNKED, None)
        environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}

    app.before_request(take_body)


def share_threads(app: Flask, at_once: int) -> None:
    """Answer so many requests at a time, and let those that wait for their bodies keep no other from its turn.

    The server has to have `MOST_WAITING` threads more.
    """
    bodies: Bodies = app.extensions[EXTENSION]
    app.wsgi_app = bodies.in_turn(app.wsgi_app, at_once)  # type: ignore[method-assign, assignment]  # as Flask's own page has it
    bodies.watch()


def _inflated(environ: dict[str, Any], body: bytes) -> bytes:
    encoding = environ.get(HEADER, "").strip().lower()
    if encoding in {"", "identity"}:
        return body
    window = WINDOWS.get(encoding)
    if window is None:
        known = " or ".join(WINDOWS)
        raise UnsupportedMediaType(
            f"The body has the content encoding {encoding[:50]!r}; send it plain, or as {known}."
        )
    del environ[HEADER]
    return inflate(body, window, request.max_content_length)


def inflate(data: bytes, window: int, limit: int | None) -> bytes:
    """Return what compressed bytes hold; never more than `limit` bytes are made of them.

    Raises InvalidInput where they are damaged, RequestEntityTooLarge where they hold more.
    """
    parts: list[bytes] = []
    left = None if limit is None else limit + 1
    while data:
        if len(parts) == MAX_MEMBERS:
            raise _damaged(f"it is put together of more than {MAX_MEMBERS} parts")
        inflating = zlib.decompressobj(window)
        try:
            part = inflating.decompress(data, left or 0)
        except zlib.error as error:
            raise _damaged(str(error)) from error
        parts.append(part)
        if left is not None:
            left -= len(part)
            if left <= 0:
                raise RequestEntityTooLarge(f"The body holds more than {limit} bytes once it is inflated.")
        if not inflating.eof:
            raise _damaged("it ends too soon")
        data = inflating.unused_data if window > zlib.MAX_WBITS else b""
    return b"".join(parts)


def _damaged(why: str) -> InvalidInput:
    message = f"cannot be inflated: {why}"
    return InvalidInput(f"The body {message}.", [Fault("Content-Encoding", message)])
