"""What is judged and by what: the six axes, the levels, a check, the catalogue of checks, a service. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from scorecards.rules.tree import Rule

MAX_LEVEL = 4


class Axis(StrEnum):
    """The six concerns of a production readiness review (SRE book, chapter 32)."""

    ARCHITECTURE = "architecture"
    OBSERVABILITY = "observability"
    EMERGENCY = "emergency"
    CAPACITY = "capacity"
    CHANGE = "change"
    PERFORMANCE = "performance"


AXIS_TITLES: Mapping[Axis, str] = {
    Axis.ARCHITECTURE: "Architecture and dependencies",
    Axis.OBSERVABILITY: "Instrumentation and monitoring",
    Axis.EMERGENCY: "Emergency response",
    Axis.CAPACITY: "Capacity",
    Axis.CHANGE: "Change management",
    Axis.PERFORMANCE: "Performance",
}

LEVEL_MEANINGS: Mapping[str, str] = {
    "L0": "below registered",
    "L1": "registered, basic",
    "L2": "operable",
    "L3": "ready for SRE support",
    "L4": "exemplary",
}

REQUIRED_LEVELS: Mapping[str, int] = {"T0": 3, "T1": 3, "T2": 2, "T3": 1}
"""The everyday expectation by criticality: after Mercari's checklist, whose required items grow with the SLO."""


class Criticality(StrEnum):
    """What a failing check bars: blockers and majors bar their level, minors only the highest, L4."""

    BLOCKER = "blocker"
    MAJOR = "major"
    MINOR = "minor"


class Effort(StrEnum):
    """How long the fix usually takes one engineer who knows the service; an estimate, used to break ties only."""

    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"


class Status(StrEnum):
    """A check's verdict on a service. Unknown is neither a pass nor a fail."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


def level_name(level: int | None) -> str | None:
    """Write a level as the outside sees it, `L2`."""
    return None if level is None else f"L{level}"


@dataclass(frozen=True)
class Condition:
    """A rule, and the sentence that says why it does not hold."""

    rule: Rule
    otherwise: str
    action: str = ""
    """What makes it hold, where waiting does not."""


@dataclass(frozen=True)
class Check:
    """One question about a service, the rule that answers it from facts, and what a person is told."""

    id: str
    title: str
    question: str
    axis: Axis
    level: int
    weight: int
    criticality: Criticality
    version: int
    owner: str
    sources: tuple[str, ...]
    """Where the question comes from: books, published checklists."""
    why: str
    how_to_fix: tuple[str, ...]
    guide: str
    effort: Effort
    rule: Rule
    passes: str
    fails: str | Mapping[str, str]
    """One sentence, or one for each fact whose condition may fail."""
    applies_to: Condition | None = None
    needs: Condition | None = None
    """Must hold before the rule means anything, such as a number of deploys before their failure rate does."""
    max_age: Mapping[str, timedelta] = field(default_factory=dict)
    """Narrows for how long an observation of a fact is trusted."""
    if_missing: Mapping[str, str] = field(default_factory=dict)
    """What supplies a fact that its source does not report for a service."""
    definition: Mapping[str, Any] = field(default_factory=dict)
    """As written in the file."""
    digest: str = ""
    """Digest of all that decides the verdict: tells a changed rule from a changed service, whatever `version` says."""

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Every fact that the verdict rests on."""
        needed = self.needs.rule.facts if self.needs else ()
        return tuple(dict.fromkeys((*self.rule.facts, *needed)))

    @cached_property
    def bars(self) -> int | None:
        """The lowest level that the check bars while it does not pass; None when it bars none."""
        return next((level for level in range(self.level, MAX_LEVEL + 1) if self.counts_at(level)), None)

    def counts_at(self, level: int) -> bool:
        """Say whether the check must pass for a level: its own level is at most that, and minors count at L4 only."""
        return self.level <= level and (self.criticality is not Criticality.MINOR or level == MAX_LEVEL)


@dataclass(frozen=True)
class CheckCatalogue:
    """All checks, in a fixed order."""

    checks: Mapping[str, Check]
    version: str
    """Digest of every check's definition: two catalogues that judge alike and say the same have the same."""

    @cached_property
    def highest_level(self) -> int:
        """The highest level that any check asks for: nothing can be shown above it."""
        return max((check.level for check in self.checks.values()), default=0)


@dataclass(frozen=True)
class Subject:
    """A service as it is judged."""

    ref: str
    name: str
    title: str = ""
    kind: str = "component"
    namespace: str = "default"
    type: str | None = None
    lifecycle: str | None = None
    criticality: str | None = None
    owner: str | None = None
    system: str | None = None
    tags: Sequence[str] = ()
    service_dependencies: Sequence[str] = ()
    """The services that it depends on, and those it names that the catalog does not know."""
    unknown_dependencies: Sequence[str] = ()
    """Those of them that the catalog does not know."""
