"""Asking web servers: each address checked and pinned, bounded in size and time, no token for a stranger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.places.hosts import UrlPolicy, host_of, port_of, split_url

MAX_BYTES = 10 * 1024 * 1024
TOTAL_SECONDS = 30.0


@dataclass(frozen=True)
class Limits:
    """What one question may cost."""

    body_bytes: int = MAX_BYTES
    total_seconds: float = TOTAL_SECONDS
    """From the first byte of the request to the last of the answer, redirects included."""


@dataclass(frozen=True)
class Answer:
    """What a server said in the end."""

    url: str
    """Where it was said, after redirects."""
    status: int
    reason: str
    headers: Mapping[str, str]
    """Names are found in any case."""
    body: bytes
    wait_seconds: float | None = None
    """How long the server asks to be left alone."""


@dataclass(frozen=True)
class Question:
    """A request."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    """Sent by POST where it is given."""


def ask(question: Question, policy: UrlPolicy, limits: Limits) -> Answer:
    """Return the answer, redirects followed one by one: each new address must be allowed like the first.

    Raises Unreadable where the address is refused, nobody answers, or the answer is too large or too slow.
    """
    from catalog.places import connections  # with the HTTP library, which a check of files does without

    return connections.ask(question, policy, limits)


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL; raises Unreadable where it is none."""
    parts = split_url(url)
    return parts.scheme, host_of(parts), port_of(parts)
