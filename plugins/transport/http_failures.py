"""What a failed request means, in words that tell a person who has to act."""

import re
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

import orjson
import requests

from plugins.transport.failures import FailureKind
from plugins.transport.redaction import shorten

TLS_ALERT = "\x15\x03"
"""How the record begins with which TLS refuses a connection."""
SPEAKS_TLS = "it speaks TLS: write https:// in url"
_WANTS_TLS = re.compile(
    rb"HTTP request to an HTTPS server"  # Go: Prometheus, Argo CD, Grafana, Kubernetes
    rb"|plain HTTP request was sent to HTTPS port"  # nginx
    rb"|speaking plain HTTP to an SSL-enabled server port"  # Apache
    rb"|combination of host and port requires TLS",  # Tomcat
    re.IGNORECASE,
)
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


def meaning_of_refusal(status: int, body: bytes, *, limited: bool) -> tuple[FailureKind, str]:
    """Return the kind of failure that a refusal stands for, and what to do about it.

    A server that speaks TLS answers a plain request with a 400 of its own, if it says anything.
    """
    if status == 400 and _WANTS_TLS.search(body[:2000]):
        return FailureKind.MISCONFIGURED, SPEAKS_TLS
    return meaning(status, limited=limited)


def own_words(body: bytes) -> str:
    """Return what the server itself says of an error, shortened; empty for a web page and for `{}`."""
    if is_html(body):
        return ""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return shorten(body[:1000].decode(errors="replace"), 300)
    if not document:
        return ""
    if isinstance(document, dict):
        for key in ("error_description", "error", "message", "detail"):  # OAuth's `error` is but a code
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


def meaning_of_error(error: requests.RequestException, silence_seconds: float) -> tuple[FailureKind, str]:
    """Return the kind of failure that an error on the way to an answer stands for, and what it says in words."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return FailureKind.UNREACHABLE, "it did not take the connection in time"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return FailureKind.TIMEOUT, f"it was silent for {silence_seconds:g} s"
    if isinstance(error, requests.exceptions.ProxyError):
        return FailureKind.UNREACHABLE, cause(error)
    if isinstance(error, requests.exceptions.SSLError):
        return FailureKind.MISCONFIGURED, f"no trusted TLS connection: {cause(error)}; {_tls_remedy(error)}"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return FailureKind.BAD_ANSWER, "it sent a body that cannot be unpacked"
    if speaks_no_http(error):
        return _of_no_http(error)
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return FailureKind.UNREACHABLE, cause(error) + _hint_of_tls(error)
    return FailureKind.MISCONFIGURED, cause(error)


def _of_no_http(error: BaseException) -> tuple[FailureKind, str]:
    """Say what came back in the place of HTTP."""
    if TLS_ALERT in str(innermost(error)):
        return FailureKind.MISCONFIGURED, SPEAKS_TLS
    return FailureKind.BAD_ANSWER, f"it does not speak HTTP: {cause(error)}"


def _hint_of_tls(error: requests.RequestException) -> str:
    """Say what else may be behind a connection that was closed without a word: some TLS servers end a plain one so."""
    closed = isinstance(innermost(error), RemoteDisconnected | ConnectionResetError)
    plain = str(getattr(error.request, "url", "")).startswith("http://")
    return "; if it speaks TLS, write https:// in url" if closed and plain else ""


def _tls_remedy(error: BaseException) -> str:
    """Say what to do about a TLS connection that did not come about."""
    text = str(innermost(error)).lower()
    if "wrong version number" in text or "unknown protocol" in text:
        return "it speaks plain HTTP: write http:// in url"
    if "hostname mismatch" in text or "doesn't match" in text or "ip address mismatch" in text:
        return "write the name that its certificate is for in url"
    if "expired" in text:
        return "its certificate has to be renewed"
    return "trust its certificate authority: name its file in REQUESTS_CA_BUNDLE"


def speaks_no_http(error: BaseException) -> bool:
    """Say whether what came back was no HTTP at all."""
    inner = innermost(error)
    return isinstance(inner, HTTPException) and not isinstance(inner, BROKEN_OFF)
