"""Which IP addresses are those of the public Internet, and where names lead."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

NAT64 = IPv6Network("64:ff9b::/96")
LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".localdomain")
METADATA = frozenset(map(ip_address, ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")))
"""Metadata services of clouds outside the link-local range (Alibaba, Oracle, AWS over IPv6)."""


def is_public(text: str) -> bool:
    """Say whether an IP address is one of the public Internet, also where it wraps an IPv4 address."""
    address = ip_address(text.partition("%")[0])
    return address.is_global and not address.is_multicast and all(inner.is_global for inner in _wrapped(address))


def is_metadata(text: str) -> bool:
    """Say whether an IP address is link-local, multicast, unspecified or a cloud's metadata service.

    No server of a private network has such an address for us to read from.
    """
    address = ip_address(text.partition("%")[0])
    return any(
        one.is_link_local or one.is_multicast or one.is_unspecified or one in METADATA
        for one in (address, *_wrapped(address))
    )


def is_local_name(host: str) -> bool:
    """Say whether a name is by its form one of this machine or of a private network."""
    return host == LOCAL_NAMES[0] or host.endswith(LOCAL_NAMES[1:])


def addresses_of(host: str, port: int) -> list[str]:
    """Return the IP addresses of a name, each once; raises OSError where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host} is no name") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _wrapped(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in inner if one is not None]
