"""Compressed request bodies: inflated before any view reads them, within the limit that binds every body."""

import zlib
from io import BytesIO

from flask import Flask, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wsgi import get_input_stream

from portal_backend.core.errors import Fault, InvalidInput

HEADER = "HTTP_CONTENT_ENCODING"
WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""What zlib is told of each encoding that is taken; Express takes the same."""


def init_app(app: Flask) -> None:
    """Inflate the body of every request that says it is compressed; goes behind what refuses strangers."""
    app.before_request(_inflate_body)


def _inflate_body() -> None:
    environ = request.environ
    encoding = environ.get(HEADER, "").strip().lower()
    if encoding in {"", "identity"}:
        return
    window = WINDOWS.get(encoding)
    if window is None:
        known = " or ".join(WINDOWS)
        raise UnsupportedMediaType(
            f"The body has the content encoding {encoding[:50]!r}; send it plain, or as {known}."
        )
    limit = request.max_content_length
    body = inflate(get_input_stream(environ, max_content_length=limit).read(), window, limit)
    del environ[HEADER]
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def inflate(data: bytes, window: int, limit: int | None) -> bytes:
    """Return what compressed bytes hold; never more than `limit` bytes are made of them.

    Raises InvalidInput where they are damaged, RequestEntityTooLarge where they hold more.
    """
    parts: list[bytes] = []
    left = None if limit is None else limit + 1
    while data:
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
