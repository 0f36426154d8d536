"""One attempt at one message: a POST to an address that was checked, within a time that no receiver can stretch."""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from scorecards.webhooks.addresses import BadAddress, Target, read_url, resolve
from scorecards.webhooks.settings import LONGEST_WAIT, WebhookSettings

USER_AGENT = "portal-backend-webhooks"


@dataclass(frozen=True)
class Outcome:
    """How an attempt went."""

    status: int | None = None
    error: str | None = None
    """None when it was delivered."""
    retry_after: timedelta | None = None
    """For how long the receiver asks to be left alone."""
    gone: bool = False
    """The receiver says that it wants no more messages (status 410)."""


def send(url: str, headers: Mapping[str, str], body: bytes, settings: WebhookSettings) -> Outcome:
    """Send a message and say how it went; never raises. Redirects are not followed: they could lead anywhere."""
    try:
        target = read_url(url, settings.allow_private_addresses)
        connection = _connect(target, resolve(target, settings.allow_private_addresses), settings.timeout_seconds)
    except BadAddress as error:
        return Outcome(error=str(error))
    except (OSError, ValueError) as error:
        return Outcome(error=f"no connection: {_words(error)}")
    watch = threading.Timer(settings.timeout_seconds, _cut, [connection.sock])
    watch.daemon = True
    watch.start()
    try:
        if isinstance(connection.sock, ssl.SSLSocket):
            connection.sock.do_handshake()
        given = {**headers, "Content-Type": "application/json", "User-Agent": USER_AGENT, "Connection": "close"}
        connection.request("POST", target.path, body, given)
        return _outcome(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Outcome(error=f"no answer: {_words(error)}")
    finally:
        watch.cancel()
        connection.close()


def _connect(target: Target, addresses: Sequence[str], seconds: float) -> http.client.HTTPConnection:
    """Connect to one of the addresses, as the host that the URL names."""
    failure: OSError = OSError("the name has no address")
    for address in addresses:
        try:
            plain = socket.create_connection((address, target.port), seconds)
        except OSError as error:
            failure = error
            continue
        connection = http.client.HTTPConnection(target.host, target.port, timeout=seconds)
        connection.sock = _secured(plain, target.host) if target.secure else plain
        return connection
    raise failure


def _secured(plain: socket.socket, host: str) -> ssl.SSLSocket:
    """Return the socket made ready for TLS; the handshake comes when the time is being watched."""
    context = ssl.create_default_context()
    return context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)


def _cut(sock: socket.socket | None) -> None:
    """End a connection that has used up its time."""
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _outcome(response: http.client.HTTPResponse) -> Outcome:
    status = response.status
    if 200 <= status < 300:
        return Outcome(status)
    if 300 <= status < 400:
        return Outcome(status, f"the receiver answered {status}, a redirect, and redirects are not followed")
    wait = _retry_after(response.getheader("Retry-After")) if status in {429, 503} else None
    return Outcome(status, f"the receiver answered {status}", wait, gone=status == 410)


def _retry_after(text: str | None) -> timedelta | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 9:
        return None
    return min(timedelta(seconds=int(text)), LONGEST_WAIT)


def _words(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
