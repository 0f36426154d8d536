"""The HTTP client that a connector is handed: one session per source and pull.

It only ever reads. Every way in which a source can fail comes out as PullFailed, whose message names no secret.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import orjson
import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_environ_proxies, select_proxy

from plugins.transport.conditional import Kept, KeptAnswers, key_of, worth_keeping
from plugins.transport.deadline import Deadline
from plugins.transport.failures import FailureKind, PullFailed
from plugins.transport.http_failures import is_html, meaning_of_error, meaning_of_refusal, own_words
from plugins.transport.redaction import redact, shorten
from plugins.transport.retrying import RETRIED_STATUSES, asks_to_wait, backoff_seconds
from plugins.transport.timed_transport import TimedAdapter
from portal_backend.core.config import SourceAuth

USER_AGENT = "portal-backend"
MAX_REDIRECTS = 3
MAX_PAGES = 2000
"""Of one list: a server that names a next page for ever is not asked for as long as the deadline lets."""
CHUNK_BYTES = 64 * 1024
NUL, REPLACEMENT = rb"\u0000", rb"\ufffd"
"""PostgreSQL stores no NUL in a text: one in a name would fail every run of the source."""

UNSENDABLE = (
    "auth: the secret holds a line break, or another sign that no HTTP header may carry; see that it is the token alone"
)

Parameters = Mapping[str, Any] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Limits:
    """What a source may cost us."""

    connect_seconds: float = 5.0
    read_seconds: float = 60.0
    """The longest silence of a source; a heavy query is silent until it is done."""
    total_seconds: float = 240.0
    """For everything that one client asks, waiting and retries included."""
    body_bytes: int = 64 * 1024 * 1024
    """Of one answer, unpacked."""
    attempts: int = 4


class SourceClient:
    """Talks to one source, with its address, credentials, limits and deadline. The deadline starts with the client."""

    def __init__(
        self,
        url: str,
        auth: SourceAuth | None = None,
        limits: Limits | None = None,
        *,
        probing: bool = False,
        kept: KeptAnswers | None = None,
    ) -> None:
        self.requests_made = 0
        """Requests sent so far, retries and redirects included."""
        self._unproven = probing
        """Until the first answer nothing is sent twice: the source was left alone for failing again and again."""
        self._kept = kept
        """Answers of earlier pulls that came with an ETag; None keeps none."""
        self._url = url
        self._limits = limits or Limits()
        self._deadline = Deadline(self._limits.total_seconds)
        self._auth = auth or SourceAuth()
        self._credentials: _Credentials | None = None
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, TimedAdapter(self._deadline, self._limits.read_seconds))

    def __enter__(self) -> "SourceClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get_json(self, path: str, params: Parameters | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """Return the JSON answer to a GET of `path` below the source's URL. Raises PullFailed."""
        return self._json(self._read("GET", path, params=params, headers=headers))

    def get_pages(
        self, path: str, params: Parameters | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[Any]:
        """Yield the JSON answers of all pages, each of which names the next by a `Link` header with `rel="next"`.

        Raises PullFailed, also when pages name each other in circles or without an end, or the next one is at another
        host. A next page that says of itself `results="false"`, as Sentry's does, is none.
        """
        self._prepare()
        url, seen = _join(self._url, path), set[str]()
        parts = {"params": params, "headers": headers}
        while True:
            body, following = self._answer("GET", url, path, parts)
            yield self._json(body)
            if not following:
                return
            seen.add(url)
            url, parts = self._at_home(urljoin(url, following), "names its next page at"), {"headers": headers}
            if url in seen or len(seen) >= MAX_PAGES:
                endless = "has pages that go in circles" if url in seen else f"names a page behind {MAX_PAGES:,} others"
                raise self._failed(FailureKind.BAD_ANSWER, f"{self.describe(path)} {endless}")

    def get_text(self, path: str, params: Parameters | None = None, headers: Mapping[str, str] | None = None) -> str:
        """Return the answer to a GET of `path` below the source's URL as UTF-8 text. Raises PullFailed."""
        body = self._read("GET", path, params=params, headers=headers)
        try:
            return body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise self._failed(FailureKind.BAD_ANSWER, f"{self.describe(path)} answered no UTF-8 text") from error

    def post_form_json(self, path: str, data: Parameters, headers: Mapping[str, str] | None = None) -> Any:
        """Return the JSON answer to a question that is too long for a URL, sent as a form. Raises PullFailed.

        It is retried like a GET: only for questions that change nothing (a PromQL query).
        """
        return self._json(self._read("POST", path, data=data, headers=headers))

    def post_json(self, path: str, document: Any, headers: Mapping[str, str] | None = None) -> Any:
        """Return the JSON answer to a question that an API takes as a JSON document. Raises PullFailed.

        It is retried like a GET: only for questions that change nothing (a report, a search).
        """
        return self._json(self._read("POST", path, json=document, headers=headers))

    def describe(self, path: str = "") -> str:
        """Return the address of `path` for a message: without credentials and without a query."""
        return redact(_join(self._url, path).partition("?")[0])

    def _read(self, method: str, path: str, **parts: Any) -> bytes:
        self._prepare()
        return self._answer(method, _join(self._url, path), path, parts)[0]

    def _answer(self, method: str, url: str, path: str, parts: Mapping[str, Any]) -> tuple[bytes, str]:
        """Ask until there is an answer, the attempts are used up, or the deadline is too near to wait for.

        Beside the body comes where its `Link` header says that the next page is, empty when it names none. Where an
        answer is kept from before, the source is only asked whether it still holds.
        """
        if self._kept is None or method != "GET":
            response, body = self._insist(method, url, path, parts)
            return body, _following(response)
        key = key_of(url, parts.get("params"), parts.get("headers"))
        before = self._kept.get(key)
        if before:
            parts = {**parts, "headers": {**(parts.get("headers") or {}), "If-None-Match": before.etag}}
        response, body = self._insist(method, url, path, parts)
        if before and response.status_code == requests.codes.not_modified:
            self._kept.put(key, before)
            return before.body, before.following
        if etag := worth_keeping(response, body):
            self._kept.put(key, Kept(etag, body, _following(response)))
        return body, _following(response)

    def _insist(self, method: str, url: str, path: str, parts: Mapping[str, Any]) -> tuple[requests.Response, bytes]:
        """Ask again as often as is worth while; return the answer and its body."""
        attempts = 1 if self._unproven else self._limits.attempts
        for attempt in range(1, attempts + 1):
            try:
                response = self._follow(method, url, parts)
                body = self._accept(response, path)
                self._unproven = False
                return response, body
            except PullFailed as failure:
                if not _worth_retrying(failure) or attempt == attempts:
                    raise
                wait = failure.retry_after_seconds
                wait = backoff_seconds(attempt, random.random()) if wait is None else wait  # noqa: S311
                if wait >= self._deadline.remaining():
                    raise
                time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _prepare(self) -> None:
        """Check the address and resolve the credentials, once."""
        if self._credentials is not None:
            return
        address = urlsplit(self._url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise PullFailed(FailureKind.MISCONFIGURED, "url must be an http:// or https:// address")
        if address.username or address.password:
            raise PullFailed(FailureKind.MISCONFIGURED, "url carries a user or password; write them under auth")
        self._credentials = _Credentials(self._auth)

    def _follow(self, method: str, url: str, parts: Mapping[str, Any]) -> requests.Response:
        """Send a request and follow redirects, but never to another host: they would carry our credentials there."""
        response = self._send(method, url, parts)
        for _ in range(MAX_REDIRECTS):
            if not response.is_redirect:
                return response
            target = urljoin(url, response.headers["location"])
            response.close()
            url = self._at_home(target, "redirects to")
            parts = {**parts, "params": None}  # the target brings its own
            response = self._send(method, url, parts)
        response.close()
        raise self._failed(FailureKind.BAD_ANSWER, f"{self.describe()} redirects in circles")

    def _at_home(self, target: str, how: str) -> str:
        """Return an address that a source named; raises PullFailed when it is elsewhere: our credentials would leak."""
        if _origin(target) != _origin(self._url):
            raise self._failed(
                FailureKind.MISCONFIGURED,
                f"{self.describe()} {how} {urlsplit(target).hostname}: it moved, or it wants a sign-in; "
                "set url to where the API itself answers",
            )
        return target

    def _send(self, method: str, url: str, parts: Mapping[str, Any]) -> requests.Response:
        remaining = self._deadline.remaining()
        if remaining <= 0:
            raise self._out_of_time()
        self.requests_made += 1
        timeout = (min(self._limits.connect_seconds, remaining), min(self._limits.read_seconds, remaining))
        try:
            return self._session.request(
                method, url, auth=self._credentials, timeout=timeout, stream=True, allow_redirects=False, **parts
            )
        except requests.RequestException as error:
            raise self._translated(error) from None

    def _accept(self, response: requests.Response, path: str) -> bytes:
        """Return the body of a good answer; raises PullFailed for any other."""
        with response:
            body = self._body(response)
        if response.ok:
            return body
        raise self._refusal(response, path, body)

    def _body(self, response: requests.Response) -> bytes:
        chunks, size = [], 0
        try:
            for chunk in response.iter_content(CHUNK_BYTES):
                size += len(chunk)
                if size > self._limits.body_bytes:
                    raise self._failed(
                        FailureKind.BAD_ANSWER,
                        f"{self.describe()} answered more than {self._limits.body_bytes:,} bytes, which are not read; "
                        "narrow the question by the source's options",
                    )
                chunks.append(chunk)
        except requests.RequestException as error:
            raise self._translated(error) from None
        return b"".join(chunks)

    def _json(self, body: bytes) -> Any:
        try:
            return orjson.loads(body.replace(NUL, REPLACEMENT))
        except orjson.JSONDecodeError:
            sample = shorten(body[:400].decode(errors="replace"), 80)
            what = (
                "a web page instead of JSON (a sign-in page, or not the API's address)" if is_html(body) else "no JSON"
            )
            raise self._failed(FailureKind.BAD_ANSWER, f"{self.describe()} answered {what}: {sample!r}") from None

    def _refusal(self, response: requests.Response, path: str, body: bytes) -> PullFailed:
        """Say what a status of 300 or more means, with the server's own words."""
        wait = asks_to_wait(response)
        kind, remedy = meaning_of_refusal(response.status_code, body, limited=wait is not None)
        said = own_words(body)
        pause = f"; it asks for a pause of {wait:.0f} s" if wait else ""
        said = f" ({said})" if said else ""
        message = f"{self.describe(path)} answered {response.status_code}: {remedy}{pause}{said}"
        return self._failed(kind, message, status=response.status_code, retry_after_seconds=wait)

    def _translated(self, error: requests.RequestException) -> PullFailed:
        """Turn an error on the way into a failure that says who has to act."""
        host = urlsplit(self._url).netloc
        if self._deadline.remaining() <= 0:
            return self._out_of_time()
        kind, words = meaning_of_error(error, self._limits.read_seconds)
        if isinstance(error, requests.exceptions.ProxyError):
            words = f"{self._through_proxy()}: {words}"
        return self._failed(kind, f"{host}: {words}")

    def _through_proxy(self) -> str:
        proxy = select_proxy(self._url, get_environ_proxies(self._url, no_proxy=None)) or "of the environment"
        return f"the proxy {proxy} does not let us through (HTTP_PROXY, HTTPS_PROXY; NO_PROXY leaves hosts out)"

    def _out_of_time(self) -> PullFailed:
        return self._failed(
            FailureKind.TIMEOUT, f"{self.describe()} was not done within {self._limits.total_seconds:g} s"
        )

    def _failed(self, kind: FailureKind, message: str, **details: Any) -> PullFailed:
        secrets = self._credentials.secrets if self._credentials else ()
        return PullFailed(kind, shorten(redact(message, secrets), 600), **details)


class _Credentials(AuthBase):
    """Puts the source's credentials on each request (and keeps requests from looking for others in ~/.netrc)."""

    def __init__(self, auth: SourceAuth) -> None:
        try:
            self._token = auth.token.reveal() if auth.token else None
            self._password = auth.password.reveal() if auth.password else None
            self._value = auth.value.reveal() if auth.value else None
        except LookupError as error:
            raise PullFailed(FailureKind.MISCONFIGURED, f"auth: the secret cannot be had: {error.args[0]}") from None
        if not all(_is_header_text(secret) for secret in (self._token, self._value) if secret):
            raise PullFailed(FailureKind.MISCONFIGURED, UNSENDABLE)
        self._username, self._header = auth.username, auth.header
        self.secrets = [secret for secret in (self._token, self._password, self._value) if secret]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        elif self._username is not None:
            HTTPBasicAuth(self._username.encode(), (self._password or "").encode())(request)
        if self._header and self._value:
            request.headers[self._header] = self._value
        return request


def _is_header_text(secret: str) -> bool:
    """Say whether a header may carry a secret: the libraries would show one that it may not in their errors."""
    return secret.isascii() and secret.isprintable()


def _worth_retrying(failure: PullFailed) -> bool:
    if failure.status is None:
        return failure.kind is FailureKind.UNREACHABLE
    return failure.status in RETRIED_STATUSES or failure.kind is FailureKind.RATE_LIMITED


def _following(response: requests.Response) -> str:
    """Return where the next page is. Sentry names one behind the last too, and says that it holds no results."""
    following = response.links.get("next", {})
    return "" if following.get("results") == "false" else str(following.get("url") or "")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _join(base: str, path: str) -> str:
    """Return `path` below the base URL, whose own path and query stay."""
    if not path:
        return base
    parts = urlsplit(base)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path.lstrip('/')}"))
