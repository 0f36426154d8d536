"""Which URLs may be read: hosts and paths of an allow-list, and nothing of the inside that it does not name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from catalog.places.faults import Unreadable
from portal_backend.core.addresses import addresses_of, is_local_name, is_metadata, is_public, literal_address

PORTS = {"http": 80, "https": 443}
ANY_PORT = "*"
REMEDY = "name the host in catalog.reading.allow of portal.yaml to permit it"


@dataclass(frozen=True)
class AllowedHost:
    """An entry of the allow-list."""

    host: str
    """`example.com`, `example.com:8443`, `example.com:*` (every port) or `*.example.com` (its subdomains)."""
    paths: tuple[str, ...] = ()
    """What the path must begin with; empty for every path."""

    @property
    def names_one_host(self) -> bool:
        """Whether the entry means one host: only such a one may be in a private network."""
        return not self.host.startswith("*.")

    def matches(self, host: str, port: int, scheme: str) -> bool:
        """Say whether a host and its port are meant; without a port, the scheme's own is."""
        name, _, written = _split(self.host.lower())
        if written != ANY_PORT and port != (int(written) if written else PORTS[scheme]):
            return False
        return host == name if self.names_one_host else host.endswith(name[1:])

    def permits(self, path: str) -> bool:
        """Say whether a path of the host may be read."""
        return not self.paths or path.startswith(self.paths)


@dataclass(frozen=True)
class Proxy:
    """What stands between this machine and the outside. It resolves the names that it is asked for."""

    url: str
    """`http://proxy.example.com:3128`, a user and password in it where the proxy wants them."""
    direct: tuple[AllowedHost, ...] = ()
    """Hosts that are asked without it."""

    def serves(self, host: str, port: int, scheme: str) -> bool:
        """Say whether a host is asked through the proxy."""
        return not any(one.matches(host, port, scheme) for one in self.direct)


@dataclass(frozen=True)
class UrlPolicy:
    """Which URLs may be read. The default permits every host of the public Internet."""

    allow: tuple[AllowedHost, ...] | None = None
    """Where it is given, only these hosts and the trusted ones may be read; None: every public host too."""
    trusted: tuple[AllowedHost, ...] = ()
    """The hosts of the integrations. Where the list names one of them too, its paths hold."""
    proxy: Proxy | None = None
    """Who is asked instead of the hosts themselves; only for hosts that are named one by one."""

    def refusal(self, url: str) -> str | None:
        """Say why a URL may not be read, as far as the URL itself shows; None where it does not."""
        try:
            parts = split_url(url)
        except Unreadable as error:
            return str(error)
        host, port = host_of(parts), port_of(parts)
        entries = [one for one in self.allow or () if one.matches(host, port, parts.scheme)]
        entries = entries or list(self._entries(host, port, parts.scheme))
        if self._is_unseen(host, port, parts.scheme):
            return (
                f"{url} may not be read: the proxy resolves {host}, so that nobody here sees where it leads; name this "
                "very host in catalog.reading.allow of portal.yaml, or in catalog.reading.no_proxy"
            )
        if entries:
            if any(entry.permits(parts.path or "/") for entry in entries):
                return self._refused_literal(host, entries)
            return f"{url} may not be read: catalog.reading.allow permits other paths of {host} only"
        if self.allow is not None:
            return f"{url} may not be read: {host} is not among the allowed hosts; {REMEDY}"
        return self._refused_inside(host)

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy through which a URL is asked; None where its host is asked itself."""
        parts = split_url(url)
        if self.proxy is None or not self.proxy.serves(host_of(parts), port_of(parts), parts.scheme):
            return None
        return self.proxy.url

    def addresses(self, host: str, port: int, scheme: str) -> list[str]:
        """Return the addresses that may be connected to for a host; raises Unreadable where one of them may not be.

        The connection is made to one of these, not to the name again: a name that answers differently the second
        time (DNS rebinding) gains nothing.
        """
        try:
            found = addresses_of(host, port)
        except OSError as error:
            raise Unreadable(f"{host} cannot be resolved: {error.strerror or error}") from error
        entries = list(self._entries(host, port, scheme))
        named = any(entry.names_one_host for entry in entries)
        for address in found:
            literal = address == host
            if is_metadata(address) and not (named and literal):
                raise Unreadable(f"{host} leads to {address}, a link-local or metadata address, which is never read")
            if not named and not is_public(address):
                raise Unreadable(f"{host} leads to {address}, an address of a private network; {REMEDY}")
        return found

    def _entries(self, host: str, port: int, scheme: str) -> Iterable[AllowedHost]:
        return (one for one in (*self.trusted, *(self.allow or ())) if one.matches(host, port, scheme))

    def _is_unseen(self, host: str, port: int, scheme: str) -> bool:
        """Say whether a proxy would resolve a host that no entry names: it may lead anywhere."""
        if self.proxy is None or not self.proxy.serves(host, port, scheme):
            return False
        return not any(entry.names_one_host for entry in self._entries(host, port, scheme))

    def _refused_literal(self, host: str, entries: Sequence[AllowedHost]) -> str | None:
        return None if any(entry.names_one_host for entry in entries) else self._refused_inside(host)

    def _refused_inside(self, host: str) -> str | None:
        literal = literal_address(host)
        public = is_public(literal) if literal else not is_local_name(host)
        return None if public else f"{host} is an address of a private network, which is not read; {REMEDY}"


def split_url(url: str) -> SplitResult:
    """Take an http(s) URL apart; raises Unreadable for what no server should be asked."""
    try:
        parts = urlsplit(url)
        port_of(parts)
    except (ValueError, KeyError) as error:
        raise Unreadable(f"{url} is no http or https URL") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise Unreadable(f"{url} is no http or https URL")
    if parts.username is not None or parts.password is not None:
        raise Unreadable(f"The URL of {parts.hostname} carries a user or password; configure a token for its host")
    if (
        not parts.hostname.isascii()
        or "%" in parts.hostname
        or "\\" in url
        or any(sign <= " " or sign == "\x7f" for sign in url)
    ):
        raise Unreadable(f"{url} holds signs that a URL has only percent-encoded (a host name: as punycode)")
    if {".", ".."}.intersection(fully_unquoted(parts.path).split("/")):
        raise Unreadable(f"{url} holds a step . or .. in its path; write the path itself")
    return parts


def fully_unquoted(path: str) -> str:
    """Return a path with every layer of percent-encoding removed."""
    while (shorter := unquote(path)) != path:
        path = shorter
    return path.replace("\\", "/")


def host_of(parts: SplitResult) -> str:
    """Return the host as rules compare it: lower case, without a final dot."""
    return (parts.hostname or "").rstrip(".")


def port_of(parts: SplitResult) -> int:
    """Return the port, the scheme's own where none is written."""
    port = parts.port
    return PORTS[parts.scheme] if port is None else port


def is_host_pattern(text: str) -> bool:
    """Say whether a text can be the `host` of an entry."""
    name, colon, port = _split(text)
    if colon and port != ANY_PORT and not (port.isdigit() and 0 < int(port[:6]) < 65536):
        return False
    bare = name.removeprefix("*.")
    try:
        ip_address(bare)
    except ValueError:
        allowed = set("abcdefghijklmnopqrstuvwxyz0123456789-._")
        return 0 < len(bare) < 254 and allowed.issuperset(bare.lower()) and not bare.startswith((".", "-"))
    return bare == name


def _split(text: str) -> tuple[str, str, str]:
    """Return name, colon and port; an IPv6 address stands in brackets where a port follows."""
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return name, rest[:1], rest[1:]
    if text.count(":") > 1:
        return text, "", ""
    return text.partition(":")
