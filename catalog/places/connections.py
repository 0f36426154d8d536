"""The connections behind `web.ask`: to the addresses that were checked, or through the operator's proxy."""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import requests
from urllib3 import PoolManager
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from catalog.places.exchange import Answer, Limits, Question, origin
from catalog.places.faults import Unreadable
from catalog.places.hosts import PORTS, UrlPolicy
from plugins.http_client import USER_AGENT
from plugins.transport.deadline import Deadline
from plugins.transport.retrying import asks_to_wait
from plugins.transport.timed_transport import TimedAdapter

CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_ADDRESSES = 4
"""Of one name that are tried."""
CHUNK_BYTES = 64 * 1024
CREDENTIALS = frozenset({"authorization", "private-token", "cookie"})

Addresses = Callable[[str, int], list[str]]


def ask(question: Question, policy: UrlPolicy, limits: Limits) -> Answer:
    """Return the answer like `web.ask`, which is how the catalog asks; raises Unreadable."""
    deadline = Deadline(limits.total_seconds)
    with _session(policy, deadline) as session:
        url, headers = question.url, dict(question.headers)
        for _ in range(MAX_REDIRECTS + 1):
            refused = policy.refusal(url)
            if refused:
                raise Unreadable(refused if url == question.url else f"{question.url} redirects: {refused}")
            answer = _once(session, Question(url, headers, question.json), policy, deadline, limits)
            target = answer.headers.get("Location")
            if answer.status not in REDIRECTS or not target:
                return answer
            following = _followed(url, target)
            if origin(following) != origin(url):
                headers = {name: value for name, value in headers.items() if name.lower() not in CREDENTIALS}
            url = following
    raise Unreadable(f"{question.url} redirects more than {MAX_REDIRECTS} times")


def _followed(url: str, target: str) -> str:
    try:
        following = urljoin(url, target)
        origin(following)
    except (ValueError, Unreadable) as error:
        raise Unreadable(f"{url} redirects to what is not read: {error}"[:1000]) from error
    return following


def _once(
    session: requests.Session, question: Question, policy: UrlPolicy, deadline: Deadline, limits: Limits
) -> Answer:
    proxy = policy.proxy_for(question.url)
    wait = max(0.1, min(READ_SECONDS, deadline.remaining()))
    try:
        with session.request(
            "GET" if question.json is None else "POST",
            question.url,
            headers=question.headers,
            json=question.json,
            stream=True,
            allow_redirects=False,
            proxies=dict.fromkeys(PORTS, proxy) if proxy else None,
            timeout=(min(CONNECT_SECONDS, wait), wait),
        ) as response:
            body = _body(response, question.url, deadline, limits)
            return Answer(
                question.url,
                response.status_code,
                response.reason or "",
                response.headers,
                body,
                asks_to_wait(response),
            )
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        if deadline.remaining() <= 0:
            raise _too_slow(question.url, limits) from error
        raise Unreadable(f"{question.url} cannot be read: {error}"[:1000]) from error


def _body(response: requests.Response, url: str, deadline: Deadline, limits: Limits) -> bytes:
    data = bytearray()
    while part := response.raw.read1(CHUNK_BYTES, decode_content=True):
        data += part
        if len(data) > limits.body_bytes:
            raise Unreadable(f"{url} has more than the {limits.body_bytes} bytes that are read; split it")
        if deadline.remaining() <= 0:
            raise _too_slow(url, limits)
    return bytes(data)


def _too_slow(url: str, limits: Limits) -> Unreadable:
    return Unreadable(f"{url} took longer than {limits.total_seconds:g} seconds")


def _session(policy: UrlPolicy, deadline: Deadline) -> requests.Session:
    """Make a session that takes nothing from the environment but the certificates to trust.

    A proxy of the environment would resolve names out of our sight, and ~/.netrc would send passwords along. The proxy
    that the policy names gets only what the policy lets it resolve.
    """
    session = requests.Session()
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    session.headers["User-Agent"] = USER_AGENT
    for scheme in PORTS:
        session.mount(f"{scheme}://", _PinnedAdapter(deadline, _of_scheme(policy, scheme)))
    return session


def _of_scheme(policy: UrlPolicy, scheme: str) -> Addresses:
    return lambda host, port: policy.addresses(host, port, scheme)


class _PinnedAdapter(TimedAdapter):
    """The transport, with each name resolved once, its addresses checked, and the connection made to one of them."""

    def __init__(self, deadline: Deadline, addresses: Addresses) -> None:
        self._addresses = addresses
        super().__init__(deadline, READ_SECONDS)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {
            scheme: _pinned(pool, self._addresses) for scheme, pool in manager.pool_classes_by_scheme.items()
        }


def _pinned(pool: Any, addresses: Addresses) -> Any:
    """Return a pool like the given one, whose connections go to checked addresses.

    The connection keeps the host's name, for which TLS still asks a certificate.
    """

    class PinnedConnection(pool.ConnectionCls):  # type: ignore[misc]
        _dns_host: str

        def _new_conn(self) -> Any:
            name, failure = self._dns_host, None
            for address in addresses(name.rstrip("."), self.port)[:MAX_ADDRESSES]:
                self._dns_host = address
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError) as error:
                    failure = error
                finally:
                    self._dns_host = name
            raise failure or OSError(f"{name} has no address")

    return type("PinnedPool", (pool,), {"ConnectionCls": PinnedConnection})
