"""What is judged and by what: the six axes, the levels, a check, the catalogue of checks, a service. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any
from urllib.parse import quote

from plugins.contract import FactSpec
from scorecards.checks.ladder import Ladder
from scorecards.evidence.causes import ENTITY
from scorecards.rules.related import Question
from scorecards.rules.tree import Rule

MAX_LEVEL = 4
ADDRESSES = ("https://", "http://")


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
    WAIVED = "waived"
    """Somebody answers for doing without, until a date: counted on neither side of a ratio."""
    INHERITED = "inherited"
    """A framework module that the service uses satisfies the check."""


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
class Override:
    """What a later file changed about a check."""

    file: str
    reason: str
    """In the organisation's words; empty where the file gives none."""
    changes: Mapping[str, tuple[Any, Any]]
    """By field, `thresholds.most`: what stood there, and what stands there now; None where there is nothing."""


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
    """Every step; those that mend the condition on one fact only are told where it fails, see `steps_for`."""
    guide: str
    effort: Effort
    rule: Rule | None
    """None where no fact can show it and only an attestation answers (then `attested_for` is set)."""
    passes: str
    fails: str | Mapping[str, str]
    """One sentence, or one for each fact whose condition may fail; both are empty without a rule."""
    fixes: Mapping[str, str] = field(default_factory=dict)
    """Of a step that mends the condition on one fact: that fact."""
    applies_to: Condition | None = None
    needs: Condition | None = None
    """Must hold before the rule means anything, such as a number of deploys before their failure rate does."""
    max_age: Mapping[str, timedelta] = field(default_factory=dict)
    """Narrows for how long an observation of a fact is trusted."""
    if_missing: Mapping[str, str] = field(default_factory=dict)
    """What supplies a fact that its source does not report for a service."""
    attested_for: timedelta | None = None
    """An attestation not older than this answers where no source supplies the facts; None: none is taken."""
    confirms: str = ""
    """What whoever attests confirms, as a statement."""
    group: str = ""
    """The sub-group of its axis that it belongs to, such as `latency`; empty: none."""
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    """The named values of the rule, as written: what an organisation changes without copying the check."""
    introduced_at: date | None = None
    """When the check entered the catalogue."""
    enforce_from: date | None = None
    """Until this day (00:00 UTC) the check is in shadow: judged and shown, but counted for nothing."""
    enforce_until: date | None = None
    """From this day on it is in shadow again: a rule for a while."""
    related: Mapping[str, Question] = field(default_factory=dict)
    """What it asks of related entities, by the facts that answer it."""
    definition: Mapping[str, Any] = field(default_factory=dict)
    """As written in the file."""
    digest: str = ""
    """Digest of all that decides the verdict: tells a changed rule from a changed service, whatever `version` says."""
    overridden: tuple[Override, ...] = ()
    """By which files it was changed, in their order."""
    public_url: str = ""
    """Where people reach this product, without a slash at its end; empty: addresses begin at the server's root."""

    @cached_property
    def guide_url(self) -> str:
        """An address where its guide is read: what `guide` names if that is an address, else the check's page here."""
        return self.guide if self.guide.startswith(ADDRESSES) else f"{self.public_url}/pages/checks/{quote(self.id)}"

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Every fact that the verdict rests on."""
        judged = self.rule.facts if self.rule else ()
        needed = self.needs.rule.facts if self.needs else ()
        return tuple(dict.fromkeys((*judged, *needed)))

    @cached_property
    def entity_fields(self) -> tuple[str, ...]:
        """The paths into the entity that the check looks at: those of `applies_to`, and its facts below `entity.`."""
        asked = self.applies_to.rule.facts if self.applies_to else ()
        read = [key.removeprefix(ENTITY) for key in self.facts if key.startswith(ENTITY)]
        return tuple(dict.fromkeys([*(key for key in asked if "." in key), *read]))

    @cached_property
    def bars(self) -> int | None:
        """The lowest level that the check bars while it does not pass; None when it bars none."""
        return next((level for level in range(self.level, MAX_LEVEL + 1) if self.counts_at(level)), None)

    @cached_property
    def shadow_ends_at(self) -> datetime | None:
        """The moment from which the check counts; None when it always did."""
        return None if self.enforce_from is None else datetime.combine(self.enforce_from, time(), UTC)

    @cached_property
    def ends_at(self) -> datetime | None:
        """The moment from which the check counts no more; None when it always will."""
        return None if self.enforce_until is None else datetime.combine(self.enforce_until, time(), UTC)

    def steps_for(self, failing: Collection[str]) -> tuple[str, ...]:
        """Return what to do where the conditions on these facts fail."""
        fitting = tuple(step for step in self.how_to_fix if self.fixes.get(step) in {None, *failing})
        return fitting or self.how_to_fix

    def enforced(self, now: datetime) -> bool:
        """Say whether the check counts at `now`; else it is in shadow: judged and shown, counting for nothing."""
        has_begun = self.shadow_ends_at is None or now >= self.shadow_ends_at
        return has_begun and (self.ends_at is None or now < self.ends_at)

    def turns_at(self, now: datetime) -> datetime | None:
        """Return when the check begins to count or ceases to; None when neither is ahead."""
        return min((moment for moment in (self.shadow_ends_at, self.ends_at) if moment and moment > now), default=None)

    def counts_at(self, level: int) -> bool:
        """Say whether the check must pass for a level: its own level is at most that, and minors count at L4 only."""
        return self.level <= level and (self.criticality is not Criticality.MINOR or level == MAX_LEVEL)


@dataclass(frozen=True)
class Group:
    """A part of an axis, such as latency within performance."""

    id: str
    axis: Axis
    title: str


@dataclass(frozen=True)
class CatalogueFile:
    """One file of checks, parsed but not judged."""

    name: str
    content: Any


@dataclass(frozen=True)
class CheckCatalogue:
    """All checks, in a fixed order."""

    checks: Mapping[str, Check]
    version: str
    """Digest of every check's definition: two catalogues that judge alike and say the same have the same."""
    groups: Mapping[str, Group] = field(default_factory=dict)
    disabled: Mapping[str, str] = field(default_factory=dict)
    """Checks that an organisation has taken out, each with its reason."""
    declared: Mapping[str, FactSpec] = field(default_factory=dict)
    """Facts that the files themselves declare."""
    files: tuple[CatalogueFile, ...] = ()
    """What it was put together from, in order."""
    shares: tuple[float, ...] = ()
    """The share of the points that each level asks for, L1 first; empty: levels are barred by checks alone."""

    def served_at(self, public_url: str) -> "CheckCatalogue":
        """Return the catalogue of a product that people reach at this address (`Check.public_url`)."""
        checks = {name: replace(check, public_url=public_url) for name, check in self.checks.items()}
        return replace(self, checks=checks)

    @cached_property
    def related(self) -> Mapping[str, Question]:
        """What the checks ask of related entities, by the facts that answer it."""
        return {key: one for check in self.checks.values() for key, one in check.related.items()}

    @cached_property
    def ladder(self) -> Ladder:
        """What its levels ask for."""
        return Ladder(self.highest_level, self.shares)

    @cached_property
    def highest_level(self) -> int:
        """The highest level that any check asks for: nothing can be shown above it."""
        return max((check.level for check in self.checks.values()), default=0)

    def looks_at(self, field: str) -> bool:
        """Say whether the `applies_to` of any check looks at a field of the service."""
        return any(check.applies_to and field in check.applies_to.rule.facts for check in self.checks.values())

    @cached_property
    def entity_fields(self) -> frozenset[str]:
        """The paths into the catalog's entity, `spec.type`, that the checks look at beyond facts and plain fields."""
        return frozenset(path for check in self.checks.values() for path in check.entity_fields)


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
    tier: str | None = None
    """The support tier; None where nobody has told it."""
    related: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """By relation that some check asks along: the entities that it leads to (`evidence.related.Member`)."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The values at the paths into its entity that the catalogue's `entity_fields` names; absent ones are left out."""
