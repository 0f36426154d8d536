"""An engagement as plain values: its model, its state, and everything a guard may look at. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from engagements.lifecycle.circumstances import ReviewFacts
from engagements.lifecycle.settings import DEFAULTS, LifecycleSettings
from engagements.tiers import Circumstances as TierCircumstances
from engagements.tiers import Tier
from portal_backend.core.clock import parse_time
from portal_backend.core.principal import Principal


class Model(StrEnum):
    """The three ways in which SRE engages (SRE book, chapter 32)."""

    SIMPLE_PRR = "simple_prr"
    """A production readiness review of a service that runs already."""
    EARLY = "early"
    """SRE takes part from the design on."""
    FRAMEWORK = "framework"
    """The service is built on a platform whose parts passed the review once for all."""


class State(StrEnum):
    """Where an engagement is."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    ENGAGEMENT = "engagement"
    ANALYSIS = "analysis"
    IMPROVEMENT = "improvement"
    TRAINING = "training"
    ONBOARDING = "onboarding"
    ACTIVE = "active"
    DISENGAGING = "disengaging"
    DISENGAGED = "disengaged"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    CANDIDATE = "candidate"
    DESIGN = "design"
    BUILD = "build"
    LAUNCH = "launch"
    POST_LAUNCH = "post_launch"
    ASSESSING = "assessing"
    ADOPTING = "adopting"
    CONFORMANT = "conformant"
    PLATFORM_ACTIVE = "platform_active"


CLOSED = frozenset({State.DISENGAGED, State.DECLINED, State.WITHDRAWN})
PAUSED = "paused"
"""As the target of a transition: the engagement rests in the state that it is in."""

INITIAL = {Model.SIMPLE_PRR: State.REQUESTED, Model.EARLY: State.CANDIDATE, Model.FRAMEWORK: State.ASSESSING}


class Outcome(StrEnum):
    """How an engagement ended."""

    GRADUATED = "graduated"
    """Stable and cheap to keep: a success."""
    USAGE_BELOW_FORECAST = "usage_below_forecast"
    IMPORTANCE_FELL = "importance_fell"
    NEGLECTED = "neglected"
    MOSTLY_OPERATIONS = "mostly_operations"
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"


HAND_BACK_OUTCOMES = tuple(outcome for outcome in Outcome if outcome not in {Outcome.WITHDRAWN, Outcome.DECLINED})


class Side(StrEnum):
    """Who signs: each for those whom they lead."""

    DEV_LEAD = "dev_lead"
    SRE_LEAD = "sre_lead"


class Aspect(StrEnum):
    """What a takeover transfers, one by one (SRE book, chapter 32)."""

    OPERATIONS = "operations"
    ON_CALL = "on_call"
    CHANGE_MANAGEMENT = "change_management"
    ACCESS_RIGHTS = "access_rights"
    CAPACITY = "capacity"


class Holder(StrEnum):
    """Who has a responsibility."""

    DEV = "dev"
    SHARED = "shared"
    SRE = "sre"


class TrainingKind(StrEnum):
    """The four trainings of a rotation that takes a service over (SRE book, chapter 32)."""

    DESIGN_OVERVIEW = "design_overview"
    REQUEST_FLOW = "request_flow"
    PRODUCTION_SETUP = "production_setup"
    OPS_EXERCISE = "ops_exercise"


class Criterion(StrEnum):
    """What makes a service that is being built a candidate for early engagement (SRE book, chapter 32)."""

    BUSINESS_VALUE = "business_value"
    COMPLEXITY_OR_SCALE = "complexity_or_scale"
    PART_OF_SRE_RUN_SYSTEM = "part_of_sre_run_system"
    REWRITE_OF_SRE_RUN_SERVICE = "rewrite_of_sre_run_service"
    TEAM_ASKED = "team_asked"


class Duty(StrEnum):
    """What handing a service back takes besides the lessons."""

    DEV_ROTA_LIVE = "dev_rota_live"
    RUNBOOKS_HANDED = "runbooks_handed"
    REVERSE_TRAINING = "reverse_training"
    LEDGER_FREED = "ledger_freed"


class LadderStep(StrEnum):
    """What to try with a neglected service before the pager goes back (SRE workbook, chapter 18)."""

    NAMED_ENGINEERS = "named_engineers"
    RELIABILITY_HACKATHON = "reliability_hackathon"
    FEATURE_FREEZE = "feature_freeze"
    ALL_HANDS = "all_hands"


@dataclass(frozen=True)
class EngagementState:
    """One engagement. `document` holds its terms as JSON, a section each: `request`, `agreement`, `trainings` …"""

    id: str
    entity_ref: str
    model: Model
    state: State
    state_since: datetime
    requested_by: str
    requested_at: datetime
    paused: bool = False
    sre_team: str | None = None
    accepted_at: datetime | None = None
    queued: bool = False
    review_round: int = 1
    review_completed_at: datetime | None = None
    review_revision: str | None = None
    outcome: str | None = None
    closed_at: datetime | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0

    def section(self, name: str) -> dict[str, Any]:
        """Return a section of the terms that is an object; empty where nobody filled it."""
        return dict(self.document.get(name) or {})

    def items(self, name: str) -> list[dict[str, Any]]:
        """Return a section of the terms that is a list; empty where nobody filled it."""
        return list(self.document.get(name) or [])

    @property
    def reviewers(self) -> tuple[str, ...]:
        """Who reviews: as the agreement says, else as they were named when the design began."""
        return tuple(self.section("agreement").get("reviewers") or self.document.get("reviewers") or ())

    def moment(self, section: str, name: str) -> datetime | None:
        """Return a time out of the terms."""
        text = self.section(section).get(name)
        return parse_time(text) if text else None


@dataclass(frozen=True)
class Wish:
    """What somebody asks for: a target, and what the transition needs to be told."""

    to: str
    reason: str = ""
    sre_team: str | None = None
    reviewers: tuple[str, ...] = ()
    alternative_tier: Tier | None = None
    outcome: Outcome | None = None
    tier: Tier | None = None
    """Which tier the service goes back to."""
    notice_until: datetime | None = None
    pause_until: datetime | None = None
    forced: bool = False
    evidence: str = ""
    """What a statement that no source can measure rests on."""
    waivers: tuple[str, ...] = ()
    """Checks whose waivers the decision knows of and accepts."""


@dataclass(frozen=True)
class Rule:
    """What a rule of handing back says of a service: what speaks against it, and what nobody can measure."""

    against: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outside:
    """What the guards look at beyond the engagement itself."""

    tier: Tier = Tier.DOCUMENTATION
    tiers: TierCircumstances = field(default_factory=TierCircumstances)
    """What the guards of the tier move look at that this transition would bring about."""
    criticality: str | None = None
    triage_candidate: bool = False
    """Triage names the service as one that merits more support."""
    criteria: tuple[Criterion, ...] = ()
    """Criteria of early engagement that the catalog shows."""
    room: bool | None = None
    """Whether the team's ledger has room; None: no team is named."""
    room_sentence: str = ""
    level: str | None = None
    """`L0` to `L4`; None while nobody judged."""
    failing_blockers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Failing checks of severity blocker, by axis."""
    waived: tuple[str, ...] = ()
    """Checks that are waived now."""
    slo_declared: bool = False
    """A source says which objective the service has."""
    review: ReviewFacts = field(default_factory=ReviewFacts)
    rule: Rule = field(default_factory=Rule)
    """Of the wanted outcome."""


@dataclass(frozen=True)
class Case:
    """One engagement, one wish, whose it is and what holds: all that a guard may look at."""

    engagement: EngagementState
    wish: Wish
    principal: Principal
    outside: Outside
    now: datetime
    settings: LifecycleSettings = DEFAULTS

    @property
    def taken_over(self) -> bool:
        """Say whether SRE runs the service."""
        return self.outside.tier is Tier.FULL_SRE
