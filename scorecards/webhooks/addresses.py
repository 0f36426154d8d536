"""Where webhooks may be sent: to http(s) addresses that do not lead back into our own network."""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from portal_backend.core.errors import Fault, InvalidInput

MAX_URL = 2_000
NAT64 = IPv6Network("64:ff9b::/96")
LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".localdomain")


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
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadAddress(f"{target.host} cannot be resolved") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private:
        for address in addresses:
            if not is_public(address):
                raise BadAddress(f"{target.host} leads to {address}, an address of a private network")
    return addresses


def is_public(text: str) -> bool:
    """Say whether an IP address is one of the public Internet, also where it wraps an IPv4 address."""
    address = ip_address(text.partition("%")[0])
    return address.is_global and not address.is_multicast and all(inner.is_global for inner in _wrapped(address))


def _wrapped(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in inner if one is not None]


def _refuse_private_host(host: str) -> None:
    if host == LOCAL_NAMES[0] or host.endswith(LOCAL_NAMES[1:]):
        raise BadAddress("is a name of a private network; `allow_private_addresses` permits that")
    try:
        public = is_public(host)
    except ValueError:
        return  # a name
    if not public:
        raise BadAddress("is an address of a private network; `allow_private_addresses` permits that")
