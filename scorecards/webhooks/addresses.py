"""Where webhooks may be sent: to http(s) addresses that do not lead back into our own network."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from portal_backend.core.addresses import addresses_of, is_local_name, is_public
from portal_backend.core.errors import Fault, InvalidInput

MAX_URL = 2_000


class BadAddress(ValueError):
    """Nothing is sent there; the message says why."""


@dataclass(frozen=True)
class Target:
    """A checked URL, taken apart."""

    secure: bool
    host: str
    port: int
    path: str
    """With the query."""


def read_url(url: str, allow_private: bool) -> Target:
    """Take a URL apart; raises BadAddress for what is no plain http(s) address, or plainly is a private one.

    What a name resolves to is checked at each sending, see `resolve`.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadAddress(f"is no URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or len(url) > MAX_URL:
        raise BadAddress("must be an http:// or https:// address")
    if not url.isascii() or any(sign <= " " or sign == "\x7f" for sign in url):
        raise BadAddress("must be plain ASCII without blanks; write other signs percent-encoded")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("must carry no user or password: messages are signed instead")
    if port == 0:
        raise BadAddress("has no port 0")
    host = parts.hostname.rstrip(".")
    if not allow_private:
        _refuse_private_host(host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme == "https", host, port or (443 if parts.scheme == "https" else 80), path)


def check_url(url: str, allow_private: bool) -> None:
    """Raise InvalidInput where `read_url` refuses a URL."""
    try:
        read_url(url, allow_private)
    except BadAddress as error:
        raise InvalidInput(f"url {error}", [Fault("url", str(error))]) from error


def resolve(target: Target, allow_private: bool) -> list[str]:
    """Return the addresses of a target; raises BadAddress unless every one may be sent to.

    The connection is then made to one of these, not to the name again: a name that answers differently the second time
    (DNS rebinding) gains nothing.
    """
    try:
        addresses = addresses_of(target.host, target.port)
    except OSError as error:
        raise BadAddress(f"{target.host} cannot be resolved") from error
    if not allow_private:
        for address in addresses:
            if not is_public(address):
                raise BadAddress(f"{target.host} leads to {address}, an address of a private network")
    return addresses


def _refuse_private_host(host: str) -> None:
    if is_local_name(host):
        raise BadAddress("is a name of a private network; `allow_private_addresses` permits that")
    try:
        public = is_public(host)
    except ValueError:
        return  # a name
    if not public:
        raise BadAddress("is an address of a private network; `allow_private_addresses` permits that")
