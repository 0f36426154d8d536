"""Whether a text is an absolute URL by the WHATWG URL standard, which browsers and Backstage apply. Pure."""

import ipaddress
import re
from urllib.parse import unquote_to_bytes

from catalog.format.domain_names import to_ascii

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
SPECIAL_SCHEMES = frozenset({"http", "https", "ws", "wss", "ftp"})
C0_AND_SPACE = "".join(map(chr, range(0x21)))
FORBIDDEN_IN_HOST = frozenset("\0\t\n\r #/:<>?@[\\]^|")
FORBIDDEN_IN_DOMAIN = FORBIDDEN_IN_HOST | frozenset("%\x7f") | frozenset(map(chr, range(0x20)))
FILE_HOST = re.compile(r"[/\\]{2}([^/\\?#]*)")
DRIVE = re.compile(r"[A-Za-z][:|]")
NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
MAX_PORT = 65535


def is_absolute_url(text: str) -> bool:
    """Say whether the text is a URL without a base: it has a scheme and, where one is due, a good host."""
    text = re.sub(r"[\t\n\r]", "", text.strip(C0_AND_SPACE))
    match = SCHEME.fullmatch(text)
    if match is None:
        return False
    scheme, rest = match.group(1).lower(), match.group(2)
    if scheme in SPECIAL_SCHEMES:
        return _has_good_authority(re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0], special=True)
    if scheme == "file":
        return _has_good_file_host(rest)
    if not rest.startswith("//"):
        return True
    authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
    return not authority or _has_good_authority(authority, special=False)


def _has_good_file_host(rest: str) -> bool:
    named = FILE_HOST.match(rest)
    host = named.group(1) if named else ""
    return not host or DRIVE.fullmatch(host) is not None or _is_host(host)


def _has_good_authority(authority: str, *, special: bool) -> bool:
    host, port = _split_port(authority.rpartition("@")[2])
    if port and not (port.isascii() and port.isdigit() and int(port[-9:]) <= MAX_PORT and len(port.lstrip("0")) <= 5):
        return False
    if not host:
        return False
    if special or host.startswith("["):
        return _is_host(host)
    return FORBIDDEN_IN_HOST.isdisjoint(host)


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return host.endswith("]") and _is_ipv6(host[1:-1])
    return _is_domain(host)


def _split_port(host_and_port: str) -> tuple[str, str]:
    bracket = host_and_port.rfind("]")
    colon = host_and_port.find(":", bracket + 1)
    if colon == -1:
        return host_and_port, ""
    return host_and_port[:colon], host_and_port[colon + 1 :]


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_domain(host: str) -> bool:
    domain = to_ascii(unquote_to_bytes(host).decode("utf-8", errors="replace"))
    if not domain or not FORBIDDEN_IN_DOMAIN.isdisjoint(domain):
        return False
    labels = domain.removesuffix(".").split(".")
    return _is_ipv4(labels) if NUMBER.fullmatch(labels[-1]) else True


def _is_ipv4(labels: list[str]) -> bool:
    """Read the forms that browsers take: one to four numbers, decimal, octal or hexadecimal."""
    if len(labels) > 4 or not all(NUMBER.fullmatch(label) for label in labels):
        return False
    try:
        numbers = [_ipv4_number(label) for label in labels]
    except ValueError:
        return False
    return all(number <= 255 for number in numbers[:-1]) and numbers[-1] < 256 ** (5 - len(numbers))


def _ipv4_number(label: str) -> int:
    if label[:2].lower() == "0x":
        return int(label[2:] or "0", 16)
    if label.startswith("0") and len(label) > 1:
        return int(label, 8)
    return int(label[:12])
