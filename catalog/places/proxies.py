"""Which proxy the catalog's questions go through: the configured one, or that of the environment. Pure."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from catalog.places.hosts import AllowedHost, Proxy, is_host_pattern

ENVIRONMENT = "environment"
"""Written in the place of a proxy's URL: HTTPS_PROXY, HTTP_PROXY and NO_PROXY say it, in either case."""
NAMES = ("https_proxy", "http_proxy", "all_proxy")
SCHEMES = frozenset({"http", "https"})


def is_proxy_url(text: str) -> bool:
    """Say whether a text is the address of a proxy."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in SCHEMES and bool(parts.hostname) and port != 0 and parts.path in {"", "/"}


def make_proxy(written: str | None, direct: Sequence[str], environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy of a setting, with the hosts that are asked without it; None where there is none.

    Raises ValueError where the environment names something that is no proxy.
    """
    hosts = [AllowedHost(host) for host in direct]
    if written == ENVIRONMENT:
        values = {name.lower(): value.strip() for name, value in environment.items()}
        written = next((values[name] for name in NAMES if values.get(name)), None)
        excepted = [entry.strip() for entry in values.get("no_proxy", "").split(",")]
        if written and not is_proxy_url(written):
            raise ValueError(
                "the environment's HTTPS_PROXY or HTTP_PROXY is no URL such as http://proxy.example.com:3128"
            )
        if "*" in excepted:
            return None
        hosts += [host for entry in excepted for host in _hosts(entry)]
    return Proxy(written, tuple(hosts)) if written else None


def _hosts(entry: str) -> list[AllowedHost]:
    """Return the hosts of an entry of NO_PROXY: a name means its subdomains too."""
    name, colon, port = entry.removeprefix("*").removeprefix(".").partition(":")
    patterns = [f"{host}:{port if colon else '*'}" for host in (name, f"*.{name}")]
    return [AllowedHost(pattern) for pattern in patterns if name and is_host_pattern(pattern)]
