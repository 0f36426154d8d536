"""What the author of a connector gives: the connector, good answers of its system, and what they mean."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from plugins.contract import Connector, FactValue, Target


class NotConforming(AssertionError):
    """The connector broke a rule; the message says which, and how it came to light."""


class Ending(Enum):
    """How an answer comes to its end."""

    WHOLE = "whole"
    SILENT = "half of the body, then silence"
    CUT = "half of the body, then the connection is cut"


@dataclass(frozen=True)
class Question:
    """A request as the connector sent it."""

    number: int
    """Its place in the pull, from 0."""
    method: str
    path: str
    """Without the query, as it was sent: an escaped slash stays escaped."""
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    raw: str
    """Path and query as they were sent."""


@dataclass(frozen=True)
class Reply:
    """An answer of the system. `body` may come in pieces, with its Content-Length among the headers."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    ending: Ending = Ending.WHOLE


@dataclass(frozen=True)
class Paged:
    """Answers that a query parameter chooses: page numbers, offsets, or the tokens that the pages themselves name."""

    pages: Mapping[str, Any]
    """The JSON answers by the parameter's value."""
    parameter: str = "page"
    first: str = "1"
    """The value that a request without the parameter means."""
    past_end: Any = ()
    """The answer for any other value."""
    links: bool = False
    """Each page names the next one by a `Link` header with `rel="next"`, as `SourceClient.get_pages` reads it."""

    def asked(self, query: Mapping[str, Sequence[str]]) -> str:
        """Return which page a query asks for."""
        return (query.get(self.parameter) or [self.first])[0]

    def answer(self, query: Mapping[str, Sequence[str]]) -> Any:
        """Return the page that a query asks for."""
        return self.pages.get(self.asked(query), self.past_end)

    def following(self, query: Mapping[str, Sequence[str]]) -> str:
        """Return the query string of the page behind the one that a query asks for; empty behind the last one."""
        order = list(self.pages)
        place = order.index(self.asked(query)) + 1 if self.asked(query) in self.pages else len(order)
        return urlencode({**query, self.parameter: order[place]}, doseq=True) if place < len(order) else ""


@dataclass(frozen=True)
class Case:
    """A connector with good answers of its system: by path, by a function, or from a running system."""

    connector: Connector
    targets: Sequence[Target]
    """Services of which the answers tell something; two or more show that one's fault harms no other."""
    expected: Mapping[tuple[str, str], FactValue]
    """Facts, by entity reference and key, that the good answers mean; others may come beside them."""
    answers: Mapping[str, Any] = field(default_factory=dict)
    """JSON, or `Paged`, by path; any other path is answered by 404."""
    handler: Callable[[Question], Reply] | None = None
    """Answers instead of `answers`."""
    upstream: str = ""
    """The address of a running system, or of a double of it, that answers instead of both."""
    expected_events: Collection[str] = ()
    """`source_event_id`s that must be among the events."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """As they stand in portal.yaml."""
    secret: str = "conformance-secret-0f8e"  # noqa: S105 - opens nothing
    auth_header: str = ""
    """The header that carries the secret; `Authorization: Bearer` when empty."""
    now: datetime | None = None
    """When the pulls take place; the clock's time when None."""
    own_paths: Mapping[str, str] = field(default_factory=dict)
    """For systems that are asked thing by thing: the beginning of the paths of one service, by entity reference."""
