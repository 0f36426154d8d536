"""The three state machines: which transitions there are, who makes them, what must hold, what the history says. Pure.

The drawings in docs/states are made from these tables.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from engagements.lifecycle import guards as g
from engagements.lifecycle import takeover_guards as t
from engagements.lifecycle.guards import REVIEW_COMPLETE, Guard
from engagements.lifecycle.states import CLOSED, INITIAL, PAUSED, Case, EngagementState, Model, State
from engagements.tiers import Obstacle
from portal_backend.core.principal import Role

DEV_LEAD, SRE, SRE_LEAD, MANAGER = Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER
PLATFORM, LAUNCH = Role.PLATFORM_OWNER, Role.LAUNCH_COORDINATOR


@dataclass(frozen=True)
class Transition:
    """A legal step from one state to another."""

    source: State
    to: str
    """A state; `paused` for the pause of the source state."""
    roles: frozenset[Role]
    guards: tuple[Guard, ...] = ()
    event: str = "engagement.phase_entered"
    """The kind of the event that the history gets."""
    needs: tuple[str, ...] = ()
    """What of the request's body it looks at."""
    effect: str = ""
    """What it changes besides the state."""


@dataclass(frozen=True)
class Machine:
    """All transitions of one model."""

    model: Model
    initial: State
    transitions: tuple[Transition, ...] = field(default=())

    def leaving(self, state: State) -> list[Transition]:
        """Return the transitions out of a state."""
        return [each for each in self.transitions if each.source is state]

    def find(self, state: State, to: str) -> Transition | None:
        """Return the transition between two states, if there is one."""
        return next((each for each in self.leaving(state) if each.to == to), None)

    def states(self) -> list[State]:
        """Return every state, in the order in which the transitions name them."""
        named = [self.initial, *(state for each in self.transitions for state in (each.source, each.to))]
        return list(dict.fromkeys(State(state) for state in named if state != PAUSED))


def step(source: State, to: State, *roles: Role, guards: Iterable[Guard] = (), **more: object) -> Transition:
    """Return a transition in the order in which people say it."""
    return Transition(source, to, frozenset(roles), tuple(guards), **more)  # type: ignore[arg-type]


S = State
_TAKEOVER = (
    *(t.both_sides_agree, t.responsibilities_transferred, t.backup, t.developers_share, t.pager_shadow),
    *(t.tier_full_sre, g.readiness, g.no_open_blocker, g.waivers_named),
)
_DISENGAGE = (t.force_allowed, t.outcome, g.reason, t.outcome_holds, t.forecast_captured, t.ladder, t.notice)
_DISENGAGE_NEEDS = ("outcome", "reason", "tier", "notice_until", "forced", "evidence")
_NOTICE = "gives notice; the service keeps its tier until it is handed back"
_REVIEWED = "the review counts as completed, of the major revision that runs"


def _review(source: State, *more: Guard, roles: Iterable[Role] = (SRE_LEAD,)) -> Transition:
    return step(
        source, S.TRAINING, *roles, guards=(*REVIEW_COMPLETE, *more), needs=("waivers", "reason"), effect=_REVIEWED
    )


def _disengaging(source: State, *more: Guard) -> Transition:
    return step(
        source,
        S.DISENGAGING,
        SRE_LEAD,
        MANAGER,
        guards=(*_DISENGAGE, *more),
        event="disengagement.started",
        needs=_DISENGAGE_NEEDS,
        effect=_NOTICE,
    )


_TAIL = (
    step(S.ANALYSIS, S.IMPROVEMENT, SRE, SRE_LEAD, guards=(g.items_answered, g.incident_review)),
    step(S.IMPROVEMENT, S.ANALYSIS, SRE, SRE_LEAD, guards=(g.reason,), needs=("reason",)),
    _review(S.IMPROVEMENT),
    step(S.TRAINING, S.IMPROVEMENT, SRE, SRE_LEAD, guards=(g.reason,), needs=("reason",)),
    step(S.TRAINING, S.ONBOARDING, SRE, SRE_LEAD, guards=(g.review_lead, t.rotation_known, t.trainings_held)),
    step(S.ONBOARDING, S.IMPROVEMENT, SRE, SRE_LEAD, guards=(g.reason,), needs=("reason",)),
    step(
        S.ONBOARDING,
        S.ACTIVE,
        SRE_LEAD,
        DEV_LEAD,
        guards=_TAKEOVER,
        needs=("waivers",),
        effect="the service moves to the tier full_sre",
    ),
    step(
        S.ACTIVE,
        S.ANALYSIS,
        SRE,
        SRE_LEAD,
        guards=(g.reason,),
        needs=("reason",),
        effect="a new round of the review begins; the service keeps its tier",
    ),
    _disengaging(S.ACTIVE),
    step(
        S.DISENGAGING,
        S.DISENGAGED,
        SRE_LEAD,
        MANAGER,
        guards=(t.force_allowed, t.notice_over, t.responsibilities_back, t.duties, t.lessons, t.tier_afterwards),
        event="disengagement.completed",
        needs=("tier", "forced"),
        effect="the service moves to the tier that was agreed, and the engagement is closed",
    ),
)


def _declined(
    *sources: State, roles: Iterable[Role] = (MANAGER,), more: Iterable[Guard] = ()
) -> tuple[Transition, ...]:
    return tuple(
        step(
            source,
            S.DECLINED,
            *roles,
            guards=(g.reason, g.alternative_tier, g.not_taken_over, *more),
            event="engagement.declined",
            needs=("reason", "alternative_tier"),
            effect="the engagement is closed; the alternative tier is an offer, taken up with POST …/tier",
        )
        for source in sources
    )


def _withdrawn(
    *sources: State, roles: Iterable[Role] = (DEV_LEAD, SRE_LEAD, MANAGER), more: Iterable[Guard] = ()
) -> tuple[Transition, ...]:
    return tuple(
        step(
            source,
            S.WITHDRAWN,
            *roles,
            guards=(g.reason, g.not_taken_over, *more),
            event="engagement.withdrawn",
            needs=("reason",),
            effect="the engagement is closed",
        )
        for source in sources
    )


def _pausable(*sources: State) -> tuple[Transition, ...]:
    pauses = []
    for source in sources:
        pauses.append(
            Transition(
                source,
                PAUSED,
                frozenset({DEV_LEAD, SRE_LEAD, MANAGER}),
                (g.reason,),
                "engagement.paused",
                ("reason", "pause_until"),
                f"it rests; the same people resume it with `to: {source}`",
            )
        )
    return tuple(pauses)


_SIMPLE_EXITS = (S.REQUESTED, S.ACCEPTED, S.ENGAGEMENT, S.ANALYSIS, S.IMPROVEMENT, S.TRAINING, S.ONBOARDING)
SIMPLE_PRR = Machine(
    Model.SIMPLE_PRR,
    INITIAL[Model.SIMPLE_PRR],
    (
        step(
            S.REQUESTED,
            S.ACCEPTED,
            MANAGER,
            guards=(g.importance, g.usage_forecast, g.development_agrees, g.staffing, g.sre_team, g.not_ending),
            event="engagement.accepted",
            needs=("sre_team",),
            effect="it is queued while the team has no room",
        ),
        step(S.ACCEPTED, S.ENGAGEMENT, SRE_LEAD, MANAGER, guards=(g.room,), needs=("sre_team",)),
        step(S.ENGAGEMENT, S.ANALYSIS, SRE, SRE_LEAD, guards=(g.agreement_signed, g.reviewers_named, g.slo_defined)),
        *_TAIL,
        *_declined(*_SIMPLE_EXITS),
        *_withdrawn(*_SIMPLE_EXITS),
        *_pausable(*_SIMPLE_EXITS),
    ),
)

_EARLY_EXITS = (S.CANDIDATE, S.ACCEPTED, S.DESIGN, S.BUILD, S.LAUNCH, S.POST_LAUNCH, S.TRAINING, S.ONBOARDING)
EARLY = Machine(
    Model.EARLY,
    INITIAL[Model.EARLY],
    (
        step(
            S.CANDIDATE,
            S.ACCEPTED,
            MANAGER,
            guards=(g.criterion, g.development_agrees, g.sre_team, g.not_ending),
            event="engagement.accepted",
            needs=("sre_team",),
            effect="it is queued while the team has no room",
        ),
        step(
            S.ACCEPTED, S.DESIGN, SRE_LEAD, MANAGER, guards=(g.reviewers_named, g.room), needs=("reviewers", "sre_team")
        ),
        step(S.DESIGN, S.BUILD, SRE, SRE_LEAD, guards=(g.design_review, g.trade_offs)),
        step(S.BUILD, S.LAUNCH, SRE, SRE_LEAD, LAUNCH, guards=(g.launch_checklist, g.launch_blockers)),
        _review(S.BUILD),
        step(S.LAUNCH, S.POST_LAUNCH, SRE, SRE_LEAD, LAUNCH, guards=(g.launched,)),
        _review(S.LAUNCH),
        _review(S.POST_LAUNCH, g.watched_long_enough, roles=(SRE, SRE_LEAD)),
        *(_disengaging(each, t.launch_is_old_enough) for each in (S.ACCEPTED, S.DESIGN, S.BUILD, S.LAUNCH)),
        _disengaging(S.POST_LAUNCH, t.launch_is_old_enough, g.watched_long_enough),
        *(_disengaging(each, t.launch_is_old_enough) for each in (S.TRAINING, S.ONBOARDING, S.ANALYSIS, S.IMPROVEMENT)),
        *_TAIL,
        *_declined(*_EARLY_EXITS),
        *_withdrawn(*_EARLY_EXITS),
        *_pausable(*_EARLY_EXITS, S.ANALYSIS, S.IMPROVEMENT),
    ),
)

_LEAVING = (DEV_LEAD, SRE_LEAD, MANAGER, PLATFORM)
FRAMEWORK = Machine(
    Model.FRAMEWORK,
    INITIAL[Model.FRAMEWORK],
    (
        step(S.ASSESSING, S.ADOPTING, DEV_LEAD, guards=(t.modules_chosen,)),
        step(S.ADOPTING, S.CONFORMANT, DEV_LEAD, PLATFORM, guards=(t.conformance_passes,)),
        step(
            S.CONFORMANT,
            S.PLATFORM_ACTIVE,
            PLATFORM,
            guards=(t.tier_platform,),
            effect="the service moves to the tier platform",
        ),
        step(S.CONFORMANT, S.ADOPTING, DEV_LEAD, PLATFORM, guards=(t.conformance_lost, g.reason), needs=("reason",)),
        step(
            S.PLATFORM_ACTIVE,
            S.ADOPTING,
            *(DEV_LEAD, PLATFORM),
            guards=(t.conformance_lost, g.reason),
            needs=("reason",),
            effect="the service keeps its tier",
        ),
        step(
            S.PLATFORM_ACTIVE,
            S.REQUESTED,
            *(DEV_LEAD, SRE, SRE_LEAD),
            guards=(g.development_agrees, g.reason),
            event="engagement.requested",
            needs=("reason",),
            effect="it goes on as a simple_prr; items that the framework satisfies are inherited",
        ),
        *_declined(S.ASSESSING, roles=(PLATFORM, MANAGER)),
        *_declined(S.ADOPTING, S.CONFORMANT, roles=(PLATFORM, MANAGER), more=(t.tier_documentation,)),
        *_withdrawn(S.ASSESSING, roles=_LEAVING),
        *_withdrawn(S.ADOPTING, S.CONFORMANT, roles=_LEAVING, more=(t.tier_documentation,)),
        step(
            S.PLATFORM_ACTIVE,
            S.WITHDRAWN,
            PLATFORM,
            guards=(g.reason, t.tier_documentation),
            event="engagement.withdrawn",
            needs=("reason",),
            effect="the service moves to the tier documentation, and the engagement is closed",
        ),
        *_pausable(S.ASSESSING, S.ADOPTING, S.CONFORMANT),
    ),
)

MACHINES = {machine.model: machine for machine in (SIMPLE_PRR, EARLY, FRAMEWORK)}


@dataclass(frozen=True)
class Decision:
    """Whether a transition may be made. Without one, none leads from the state to the target."""

    transition: Transition | None
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def allowed(self) -> bool:
        """Say whether nothing stands in the way."""
        return not self.obstacles

    @property
    def only_role_missing(self) -> bool:
        """Say whether somebody else could make the very same transition now."""
        return bool(self.obstacles) and {obstacle.guard for obstacle in self.obstacles} <= {"role", "review_lead"}


def judge(case: Case) -> Decision:
    """Say whether the wished transition may be made, with everything that stands in its way."""
    transition = way(case.engagement, case.wish.to)
    if transition is None:
        return Decision(None, (_no_way(case),))
    return Decision(transition, tuple(obstacles(transition, case)))


def way(engagement: EngagementState, wanted: str) -> Transition | None:
    """Return the transition from where an engagement is to the wanted state; None when there is none."""
    if engagement.paused and wanted == engagement.state:
        return resumption(engagement.state)
    return MACHINES[engagement.model].find(engagement.state, wanted)


def legal(engagement_model: Model, state: State, paused: bool) -> list[Transition]:
    """Return the transitions that a state has; a paused one is resumed or left for good."""
    leaving = MACHINES[engagement_model].leaving(state)
    if not paused:
        return leaving
    return [resumption(state), *(each for each in leaving if each.to in {S.DECLINED, S.WITHDRAWN})]


def resumption(state: State) -> Transition:
    """Return the end of a pause."""
    return Transition(
        state,
        state,
        frozenset({DEV_LEAD, SRE_LEAD, MANAGER}),
        (g.room_to_resume,),
        "engagement.resumed",
        effect="it goes on where it was",
    )


def obstacles(transition: Transition, case: Case) -> list[Obstacle]:
    """Return everything that stands in the way of a transition."""
    found = [*_paused(transition, case), *_wrong_role(transition, case)]
    for guard in transition.guards:
        found += [Obstacle(guard.name, wrong, remedy) for wrong, remedy in guard.failures(case)]
    return found


def _paused(transition: Transition, case: Case) -> list[Obstacle]:
    if not case.engagement.paused or transition.to in {S.DECLINED, S.WITHDRAWN, case.engagement.state}:
        return []
    state = case.engagement.state
    return [Obstacle("not_paused", "The engagement is paused.", f"Resume it first with `to: {state}`.")]


def _wrong_role(transition: Transition, case: Case) -> list[Obstacle]:
    if case.principal.has_role(*transition.roles):
        return []
    roles = ", ".join(sorted(transition.roles))
    message = f"{case.principal.name} may not make this transition: it takes one of the roles {roles}."
    return [Obstacle("role", message, f"Let somebody with one of the roles {roles} make it.")]


def _no_way(case: Case) -> Obstacle:
    engagement = case.engagement
    ways = [each.to for each in legal(engagement.model, engagement.state, engagement.paused)]
    if engagement.state in CLOSED:
        remedy = "The engagement is closed: ask for a new one with POST /api/engagements."
    else:
        remedy = f"Legal from {engagement.state} are: {', '.join(ways)}."
    return Obstacle("way", f"No transition leads from {engagement.state} to {case.wish.to}.", remedy)
