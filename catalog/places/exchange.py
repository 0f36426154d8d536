"""What is said to a web server and by it: the question, what it may cost, the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.places.hosts import host_of, port_of, split_url

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


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL; raises Unreadable where it is none."""
    parts = split_url(url)
    return parts.scheme, host_of(parts), port_of(parts)
