"""What a connector is: the page that somebody who writes one needs to read.

A connector turns one kind of system (Prometheus, Argo CD, ...) into facts and events about services. It asks the
system once for all services and joins the answers to them in memory. It knows no database and no web framework: the
host schedules it, gives it an HTTP client with the source's address and credentials, and stores what it yields.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from marshmallow import Schema

from plugins.transport.failures import FailureKind, PullFailed

if TYPE_CHECKING:  # this page itself stays free of HTTP
    from plugins.http_client import SourceClient

__all__ = [
    "AnnotationSpec",
    "Batch",
    "Connector",
    "Event",
    "EventSpec",
    "Fact",
    "FactSpec",
    "FactType",
    "FactValue",
    "FailureKind",
    "PullContext",
    "PullFailed",
    "PullFault",
    "Target",
]


class FactType(StrEnum):
    """The type of a fact's value. A bool is never a number."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    DATETIME = "datetime"
    """An RFC 3339 string in UTC."""
    SET = "set"
    """A sorted list of distinct strings."""


@dataclass(frozen=True)
class FactSpec:
    """Declares a fact: what it measures, in which unit, and for how long an observation of it may be trusted."""

    key: str
    type: FactType
    unit: str
    """`ratio` (0 to 1), `seconds`, `bytes`, `requests_per_second`, `hours`, `days`, `count`, or empty."""
    description: str
    max_age: timedelta
    """An observation older than this is stale: a check that needs it is unknown."""


@dataclass(frozen=True)
class AnnotationSpec:
    """An entity annotation that ties a service to this system."""

    key: str
    description: str
    example: str = ""
    """A value as it may stand in a catalog file: `portal sources check` shows it to those who have none yet."""
    needed: bool = False
    """True: a service without it, and without any other that is needed, is not looked for. False: it narrows or widens
    what is found, or the entity's name counts in its place."""


@dataclass(frozen=True)
class EventSpec:
    """A kind of event that the connector writes into a service's history."""

    kind: str
    description: str


@dataclass(frozen=True)
class Target:
    """A service to observe, as the catalog knows it."""

    ref: str
    """Entity reference, lower case: `component:default/checkout`."""
    name: str
    annotations: Mapping[str, str] = field(default_factory=dict)


FactValue = bool | int | float | str | list[str]


@dataclass(frozen=True)
class Fact:
    """One observation of one service."""

    ref: str
    key: str
    value: FactValue
    observed_at: datetime
    """When the system observed it, not when we asked."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a service."""

    ref: str
    source_event_id: str
    """The system's own id: the same id never enters the history twice."""
    kind: str
    occurred_at: datetime
    summary: str
    link: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PullFault:
    """A part of a pull that failed while the rest went on."""

    scope: str
    """What could not be read: a query, a page, an application."""
    message: str


@dataclass(frozen=True)
class Batch:
    """What a pull yields: stored in one transaction together with the cursor, if one is given."""

    facts: Sequence[Fact] = ()
    events: Sequence[Event] = ()
    faults: Sequence[PullFault] = ()
    unmatched: Sequence[str] = ()
    """The system's own names (label values, applications) that no service claims; a sample is shown to people."""
    cursor: str | None = None
    """Where the next pull may start; None keeps the last one."""


@dataclass(frozen=True)
class PullContext:
    """All that a connector is given for one pull or check."""

    source: str
    """The configured name of the source."""
    client: "SourceClient"
    options: Mapping[str, Any]
    """The source's `options:`, loaded by the connector's options schema."""
    targets: Sequence[Target]
    now: datetime
    cursor: str | None = None
    base_dir: Path = Path()
    """The folder of portal.yaml: relative file paths in options start here."""
    reconcile: bool = False
    """Time to read the whole source again, as on its first pull, once a day by default. It concerns connectors that
    read only what is new since the cursor: the cursor is given all the same, for what nobody but it remembers."""


class Connector(ABC):
    """Base of every connector. One instance serves all sources of its kind and keeps no state between pulls."""

    name: ClassVar[str]
    """The word in `plugin:`; also the entry point's name."""
    title: ClassVar[str]
    facts: ClassVar[Sequence[FactSpec]] = ()
    events: ClassVar[Sequence[EventSpec]] = ()
    annotations: ClassVar[Sequence[AnnotationSpec]] = ()
    permissions: ClassVar[Sequence[str]] = ()
    """What the credentials must be allowed to do, in the system's own words."""
    options_schema: ClassVar[type[Schema]] = Schema
    """Checks `options:` in the configuration; unknown keys are refused."""
    is_pulled: ClassVar[bool] = True
    """False for one whose sources are posted to."""
    declaring_option: ClassVar[str] = "facts"
    """The option whose entries declare facts, one each; a fault of a declaration names it."""

    def declared(self, options: Mapping[str, Any]) -> Sequence[FactSpec]:
        """Return facts that a source declares under its loaded `options`, beside `facts`, which all sources have."""
        del options
        return ()

    @abstractmethod
    def check(self, context: PullContext) -> str:
        """Try the address and the credentials; return a sentence on what answered. Raises PullFailed."""

    @abstractmethod
    def pull(self, context: PullContext) -> Iterator[Batch]:
        """Yield what the source knows of the targets. Raises PullFailed; what was yielded before stays stored."""
