"""What a failed request means, in words that tell a person who has to act."""

import re
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import orjson

from plugins.transport.failures import FailureKind
from plugins.transport.redaction import shorten

BROKEN_OFF = (RemoteDisconnected, IncompleteRead)
"""What the standard library counts as a fault of the protocol, while the connection merely ended early."""


def meaning(status: int, *, limited: bool) -> tuple[FailureKind, str]:
    """Return the kind of failure that a status stands for, and what to do about it."""
    if status == 429 or (status == 403 and limited):
        return FailureKind.RATE_LIMITED, "too many requests; collect less often"
    if status in {401, 407}:
        return FailureKind.CREDENTIALS, "the credentials are missing or not accepted; check auth"
    if status == 403:
        return FailureKind.PERMISSION, "the credentials may not read this; grant the permissions the connector lists"
    if status in {404, 405, 410}:
        return FailureKind.MISCONFIGURED, "nothing answers there; check that url is the root of the API"
    if status in {502, 503, 504}:
        return FailureKind.UNREACHABLE, "it is not available now"
    if status >= 500:
        return FailureKind.BAD_ANSWER, "it failed to answer; its own log says why"
    return FailureKind.BAD_ANSWER, "it refused the question"


def own_words(body: bytes) -> str:
    """Return what the server itself says of an error, shortened; empty for a web page."""
    if is_html(body):
        return ""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return shorten(body[:1000].decode(errors="replace"), 300)
    if isinstance(document, dict):
        for key in ("error", "message", "detail", "error_description"):
            if isinstance(document.get(key), str):
                return shorten(document[key], 300)
    return shorten(body[:1000].decode(errors="replace"), 300)


def is_html(body: bytes) -> bool:
    """Say whether a body is a web page, or XML."""
    return body[:200].lstrip().lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


def innermost(error: BaseException) -> BaseException:
    """Return the reason that the libraries wrapped up."""
    nested = getattr(error, "reason", None) or next((a for a in error.args if isinstance(a, BaseException)), None)
    return innermost(nested) if isinstance(nested, BaseException) else error


def cause(error: BaseException) -> str:
    """Return the innermost reason in words: `Connection refused` rather than a pool's story."""
    inner = innermost(error)
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    # urllib3 begins with the connection's own repr: `<…>: ` of old, `Connection(host=…, port=…): ` now.
    return shorten(re.sub(r"^(<[^>]*>|\w+\(host=[^)]*\)): ", "", text) or type(inner).__name__, 200)


def speaks_no_http(error: BaseException) -> bool:
    """Say whether what came back was no HTTP at all."""
    inner = innermost(error)
    return isinstance(inner, HTTPException) and not isinstance(inner, BROKEN_OFF)
