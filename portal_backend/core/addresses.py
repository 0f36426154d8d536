"""Which IP addresses are those of the public Internet, and where names lead."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

NAT64 = IPv6Network("64:ff9b::/96")
LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".localdomain")
GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is given out; beside it lie loopback, site-local and translated addresses that lead inside."""
METADATA = frozenset(
    map(ip_address, ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"))
)
"""Metadata services of clouds outside the link-local range (Alibaba, Oracle, Azure; AWS and Google over IPv6)."""


def literal_address(host: str) -> str | None:
    """Return the IP address that a host is by its form; None for a name.

    Connections take more forms than the usual ones: `127.1`, `0x7f000001` and `2130706433` are 127.0.0.1.
    """
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def is_public(text: str) -> bool:
    """Say whether an IP address is one of the public Internet, also where it wraps an IPv4 address."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST and address not in NAT64:
        return False
    if address.is_multicast or address in METADATA:
        return False
    return address.is_global and all(inner.is_global and inner not in METADATA for inner in _wrapped(address))


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
