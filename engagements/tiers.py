"""The four support tiers and the moves between them: what is legal, by whom, and on which conditions.

Pure: the caller gathers the circumstances, this says whether a move is allowed and, where it is not, everything that
stands in its way and how to get past it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from portal_backend.core.principal import Principal, Role


class Tier(StrEnum):
    """Who helps a service; says nothing of how important or how ready it is."""

    DOCUMENTATION = "documentation"
    """The production guide. Every registered service has it."""
    CONSULTATION = "consultation"
    """SRE gives advice, within a budget of hours."""
    FULL_SRE = "full_sre"
    """SRE runs the service in production."""
    PLATFORM = "platform"
    """SRE runs the platform below it; its developers are on call for what it does."""


class Cause(StrEnum):
    """What brings a move about."""

    REQUEST = "request"
    """Somebody asks for it."""
    ONBOARDED = "onboarded"
    """An engagement went from onboarding to active."""
    DISENGAGED = "disengaged"
    """A disengagement was completed."""


ENDING_LIFECYCLES = frozenset({"deprecation", "abandoned", "unsupported"})
UNIFORM_CAPABILITIES = ("logging", "monitoring", "configuration", "controls")
"""What a platform makes uniform for every service on it (SRE book, chapter 32)."""

CONSULTATION_HOURS_PER_QUARTER = 40.0
"""Hours of advice that a team may have in a quarter; a setting."""


@dataclass(frozen=True)
class Circumstances:
    """What the guards look at. None means that nobody knows, and what nobody knows meets no guard."""

    cause: Cause = Cause.REQUEST
    lifecycle: str | None = None
    owner: str | None = None
    dev_lead_consent: str = ""
    """Who leads the development and agreed to the move, by name."""
    consultation_hours_used: float | None = None
    """Hours of advice that the owning team had in this quarter."""
    consultation_hours_per_quarter: float = CONSULTATION_HOURS_PER_QUARTER
    major_revision: str | None = None
    """The major revision of the service that runs now, where it names one."""
    prr_completed_on: date | None = None
    """When a production readiness review was completed."""
    prr_revision: str | None = None
    """The major revision that was reviewed."""
    conformance_passed: bool | None = None
    """Whether the framework's conformance tests pass."""
    capabilities: dict[str, bool | None] = field(default_factory=dict)
    """Of each uniform capability, whether the service uses the platform's."""
    oncall_split_agreed: bool | None = None
    """Whether the split of on-call duties between SRE and development is on record."""
    framework_supported: bool | None = None
    """Whether the service is on a framework version that is supported."""
    framework_engagement: str = ""
    """The open engagement of the model `framework`, where another than it asks for the move."""


@dataclass(frozen=True)
class Obstacle:
    """A guard that a move does not pass: which, why, and what would meet it."""

    guard: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Decision:
    """Whether a move may be made. `changes` is false when the service is in the wanted tier already."""

    current: Tier
    wanted: Tier
    changes: bool
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def allowed(self) -> bool:
        """Say whether nothing stands in the way."""
        return not self.obstacles

    @property
    def only_role_missing(self) -> bool:
        """Say whether somebody else could make the very same move now."""
        return {obstacle.guard for obstacle in self.obstacles} == {"role"}


Guard = Callable[[Principal, Circumstances], Iterator[Obstacle]]


@dataclass(frozen=True)
class Move:
    """A legal move: what brings it about, who may make it, and what must hold."""

    cause: Cause
    roles: frozenset[Role]
    guards: tuple[Guard, ...]


def _development_agrees(principal: Principal, circumstances: Circumstances) -> Iterator[Obstacle]:
    """Support is agreed, never imposed (Google's "CRE life lessons" on takeovers)."""
    if principal.has_role(Role.DEV_LEAD) or circumstances.dev_lead_consent:
        return
    yield Obstacle(
        "development_agrees",
        "Nobody has said that the development lead agrees, and support that is imposed fails.",
        "Let the development lead ask, or name in `consented_by` who of them agreed.",
    )


def _hours_left(_principal: Principal, circumstances: Circumstances) -> Iterator[Obstacle]:
    budget, used = circumstances.consultation_hours_per_quarter, circumstances.consultation_hours_used
    if circumstances.owner is None:
        yield Obstacle(
            "consultation_hours",
            "The service has no owner, so no team's hours can be counted.",
            "Name the owning team in the catalog (spec.owner).",
        )
    elif used is None:
        yield Obstacle(
            "consultation_hours",
            f"How many hours of advice {circumstances.owner} has had this quarter is not known.",
            "Record the team's consultations (events `consultation.held` with details.hours).",
        )
    elif used >= budget:
        yield Obstacle(
            "consultation_hours",
            f"{circumstances.owner} has had {used:g} of {budget:g} hours of advice this quarter: 0 hours are left.",
            "Wait for the next quarter, or have the SRE manager raise the budget.",
        )


def _conformance(_principal: Principal, circumstances: Circumstances) -> Iterator[Obstacle]:
    if circumstances.conformance_passed:
        return
    yield Obstacle(
        "conformance",
        _in_words(
            circumstances.conformance_passed,
            no="The framework's conformance tests fail.",
            unknown="No source says whether the framework's conformance tests pass.",
        ),
        "Make the conformance run pass on a supported version of the framework and report it (fw.conformance.pass).",
    )


def _capabilities(_principal: Principal, circumstances: Circumstances) -> Iterator[Obstacle]:
    for name in UNIFORM_CAPABILITIES:
        present = circumstances.capabilities.get(name)
        if present:
            continue
        yield Obstacle(
            f"capability_{name}",
            _in_words(
                present,
                no=f"The service does not use the platform's {name}.",
                unknown=f"No source says whether the service uses the platform's {name}.",
            ),
            f"Use the platform's {name} module: adopt a registered one, or report it (fw.capability.{name}).",
        )


def _oncall_split(_principal: Principal, circumstances: Circumstances) -> Iterator[Obstacle]:
    if circumstances.oncall_split_agreed:
        return
    yield Obstacle(
        "oncall_split",
        "No split of on-call duties between SRE and development is on record.",
        "Agree which alerts are the platform's and which the service's: PUT its …/oncall-split with `routes`.",
    )


def _framework_left_support(_principal: Principal, circumstances: Circumstances) -> Iterator[Obstacle]:
    if circumstances.framework_supported is False:
        return
    yield Obstacle(
        "framework_left_support",
        "No source says whether the service's framework version is still supported."
        if circumstances.framework_supported is None
        else "The service's framework version is supported.",
        "A service leaves the platform tier when its framework leaves support (fw.version.supported is false).",
    )


def _reviewed(_principal: Principal, circumstances: Circumstances) -> Iterator[Obstacle]:
    if circumstances.prr_completed_on is None:
        yield Obstacle(
            "review_completed",
            "No production readiness review of the service is completed.",
            "Complete a review: full SRE support is impossible without one.",
        )
    elif circumstances.prr_revision != circumstances.major_revision:
        yield Obstacle(
            "review_of_running_revision",
            f"The review of {circumstances.prr_completed_on} was of major revision "
            f"{circumstances.prr_revision or '(not named)'}; {circumstances.major_revision or '(not named)'} runs now.",
            "Review the revision that runs.",
        )


def _not_ending(_principal: Principal, circumstances: Circumstances) -> Iterator[Obstacle]:
    if circumstances.lifecycle in ENDING_LIFECYCLES:
        yield Obstacle(
            "lifecycle",
            f"The service is in {circumstances.lifecycle}: it gets no new full SRE support.",
            "Keep the tier it has, or correct its lifecycle in the catalog.",
        )


def _by_the_framework_engagement(_principal: Principal, circumstances: Circumstances) -> Iterator[Obstacle]:
    """One way leads onto the platform and off it while an engagement is under way: the engagement's own."""
    engagement = circumstances.framework_engagement
    if engagement:
        yield Obstacle(
            "framework_engagement",
            f"The engagement {engagement} decides on the platform: the tier follows it.",
            f"Move the engagement: POST /api/engagements/{engagement}/transitions with `to: platform_active` to enter "
            "the platform, with `to: withdrawn` to leave it.",
        )


def _in_words(value: bool | None, no: str, unknown: str) -> str:
    return unknown if value is None else no


_ASK = frozenset({Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER})
_FIT_FOR_PLATFORM = (_conformance, _capabilities, _oncall_split)
_PLATFORM = Move(Cause.REQUEST, frozenset({Role.PLATFORM_OWNER}), (_by_the_framework_engagement, *_FIT_FOR_PLATFORM))
_TAKEOVER = Move(Cause.ONBOARDED, frozenset({Role.SRE_LEAD, Role.DEV_LEAD}), (_reviewed, _not_ending))
_HAND_BACK_ROLES = frozenset({Role.SRE_LEAD, Role.SRE_MANAGER})
_HAND_BACK = Move(Cause.DISENGAGED, _HAND_BACK_ROLES, ())

MOVES: dict[tuple[Tier, Tier], Move] = {
    (Tier.DOCUMENTATION, Tier.CONSULTATION): Move(Cause.REQUEST, _ASK, (_development_agrees, _hours_left)),
    (Tier.CONSULTATION, Tier.DOCUMENTATION): Move(Cause.REQUEST, _ASK, ()),
    (Tier.DOCUMENTATION, Tier.PLATFORM): _PLATFORM,
    (Tier.CONSULTATION, Tier.PLATFORM): _PLATFORM,
    (Tier.PLATFORM, Tier.DOCUMENTATION): Move(
        Cause.REQUEST,
        frozenset({Role.PLATFORM_OWNER}),
        (_by_the_framework_engagement, _framework_left_support),
    ),
    (Tier.DOCUMENTATION, Tier.FULL_SRE): _TAKEOVER,
    (Tier.CONSULTATION, Tier.FULL_SRE): _TAKEOVER,
    (Tier.PLATFORM, Tier.FULL_SRE): _TAKEOVER,
    (Tier.FULL_SRE, Tier.DOCUMENTATION): _HAND_BACK,
    (Tier.FULL_SRE, Tier.CONSULTATION): _HAND_BACK,
    (Tier.FULL_SRE, Tier.PLATFORM): Move(Cause.DISENGAGED, _HAND_BACK_ROLES, _FIT_FOR_PLATFORM),
}
"""Every legal move. The only pair that is missing, platform to consultation, goes by way of documentation."""


def judge_move(current: Tier, wanted: Tier, principal: Principal, circumstances: Circumstances) -> Decision:
    """Say whether the principal may move a service between two tiers, with every guard that it does not pass.

    To stay in the same tier is always allowed and changes nothing.
    """
    if current == wanted:
        return Decision(current, wanted, changes=False)
    move = MOVES.get((current, wanted))
    if move is None:
        return Decision(current, wanted, changes=False, obstacles=(_no_such_move(current, wanted),))
    obstacles = [*_wrong_cause(move, circumstances), *_wrong_role(move, principal)]
    for guard in move.guards:
        obstacles += guard(principal, circumstances)
    return Decision(current, wanted, changes=not obstacles, obstacles=tuple(obstacles))


def _no_such_move(current: Tier, wanted: Tier) -> Obstacle:
    return Obstacle(
        "way",
        f"There is no way from {current} to {wanted}.",
        f"Move to {Tier.DOCUMENTATION} first, once the framework has left support; ask for {wanted} then.",
    )


_WAYS = {
    Cause.ONBOARDED: Obstacle(
        "way",
        "Full SRE support begins only when an engagement's onboarding is complete, never on request.",
        "Ask for an engagement: review, improvement, training and onboarding lead there. What SRE ran before this "
        "portal knew of it is recorded with `portal engagements import`.",
    ),
    Cause.DISENGAGED: Obstacle(
        "way",
        "Full SRE support ends only when a disengagement is complete, never on request.",
        "Start a disengagement: a reason, 30 days' notice, a live rotation of the developers, and the runbooks handed "
        "over lead there.",
    ),
    Cause.REQUEST: Obstacle(
        "way",
        "This move is made on request only, not as the effect of an engagement.",
        "Ask for it.",
    ),
}


def _wrong_cause(move: Move, circumstances: Circumstances) -> Iterator[Obstacle]:
    if circumstances.cause != move.cause:
        yield _WAYS[move.cause]


def _wrong_role(move: Move, principal: Principal) -> Iterator[Obstacle]:
    if principal.has_role(*move.roles):
        return
    roles = ", ".join(sorted(move.roles))
    yield Obstacle(
        "role",
        f"{principal.name} may not make this move: it takes one of the roles {roles}.",
        f"Let somebody with one of the roles {roles} make it.",
    )
