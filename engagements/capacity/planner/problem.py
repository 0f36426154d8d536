"""What a plan decides on, in whole numbers: services with their choices, limits with their caps. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from engagements.capacity.limits import Limit, TeamKind, TeamLimits, load_share, steady_hours
from engagements.capacity.settings import CapacitySettings


class Option(StrEnum):
    """What SRE can do for a service, from least to most."""

    NONE = "none"
    CONSULT = "consult"
    PLATFORM = "platform"
    FULL = "full"


POINT = 100
"""Points of value are counted in hundredths, so that sums are exact and equal everywhere."""
SCALES = {Limit.PAGES: 1000, Limit.HOURS: 10, Limit.PROJECTS: 100}
CONSULTATION = "consultation_hours"
SCALE_OF_CONSULTATION = 10


@dataclass(frozen=True)
class Pin:
    """A choice that stands: the plan plans around it."""

    option: Option
    team: str | None
    why: str


@dataclass(frozen=True)
class PlanService:
    """A service as the plan sees it."""

    ref: str
    value: float
    """What it would gain from SRE, 0 to 100 (triage)."""
    confidence: float = 1.0
    owner: str | None = None
    criticality: str | None = None
    current: Option = Option.NONE
    current_team: str | None = None
    pages_per_shift: float | None = None
    stack: str | None = None
    lifecycle: str | None = None
    on_platform: bool = False
    """Its framework is one that a platform supports already: taking it over is the short way."""
    teams: tuple[str, ...] | None = None
    """The teams that it may go to; None means any."""
    gates: Mapping[Option, tuple[str, ...]] = field(default_factory=dict)
    """What excludes an option, whatever its value. What the service has today is never excluded."""
    hand_back_rules: tuple[str, ...] = ()
    """Of D1 to D5, those that are met."""
    pin: Pin | None = None
    engaged: bool = False
    """An engagement with it is running: its project is counted in the team's ledger already."""
    queue_rank: int | None = None


@dataclass(frozen=True)
class PlanTeam:
    """A team as the plan sees it."""

    limits: TeamLimits
    committed_sre_quarters: float = 0.0
    """What running projects still take within the horizon."""


@dataclass(frozen=True)
class PlanInput:
    """All that a plan rests on."""

    services: tuple[PlanService, ...]
    teams: tuple[PlanTeam, ...]
    settings: CapacitySettings = CapacitySettings()
    consultation_hours_per_quarter: float = 40.0
    """Of each owning team."""


Resource = tuple[str, str]
"""A limit and whose it is: a team's, or an owner's hours of consultation."""
Key = tuple[str, str]
"""What may bar a choice: a resource, the stacks of a team, or the moves."""
STACKS = "stacks"
MOVES: Key = ("moves", "")


@dataclass(frozen=True)
class Choice:
    """One option of a service with one team."""

    option: Option
    team: str | None
    gain: int
    """Hundredths of points, after what the change costs."""
    uses: tuple[tuple[Resource, int], ...] = ()
    stack: tuple[str, str] | None = None
    """A team and a stack that it has to know."""
    move: bool = False

    @cached_property
    def amounts(self) -> Mapping[Resource, int]:
        """What it takes of each limit."""
        return dict(self.uses)


@dataclass(frozen=True)
class Problem:
    """The plan as an assignment: one choice for each service, within the caps."""

    refs: tuple[str, ...]
    """In order; ties go to the first."""
    choices: tuple[tuple[Choice, ...], ...]
    """Of each service, least support first; a service whose choice stands has one."""
    today: tuple[int, ...]
    """The choice of each service that changes least."""
    caps: Mapping[Resource, int]
    stack_caps: Mapping[str, int]
    moves_cap: int
    overruns: tuple[str, ...] = ()
    """Limits that what stands exceeds already, in words; the plan adds nothing to them."""


def build(given: PlanInput) -> Problem:
    """Return the problem of an input. The order of services and teams in the input makes no difference."""
    services = sorted(given.services, key=lambda service: service.ref)
    teams = {team.limits.ref: team for team in sorted(given.teams, key=lambda team: team.limits.ref)}
    choices = tuple(tuple(_choices(service, teams, given)) for service in services)
    caps = _caps(services, teams, given)
    stack_caps = {ref: team.limits.max_stacks for ref, team in teams.items()}
    fixed = [few[0] for few in choices if len(few) == 1]
    caps, stack_caps, overruns = _room_for_what_stands(fixed, caps, stack_caps)
    return Problem(
        refs=tuple(service.ref for service in services),
        choices=choices,
        today=tuple(_today(service, few) for service, few in zip(services, choices, strict=True)),
        caps=caps,
        stack_caps=stack_caps,
        moves_cap=max(given.settings.moves_per_quarter * given.settings.horizon_quarters, _moves(fixed)),
        overruns=overruns,
    )


def with_one_more(problem: Problem, given: PlanInput, team: PlanTeam) -> Problem:
    """Return a problem of an input in which a team has one SRE more; its choices are the same, and no cap is lower."""
    limits = team.limits
    projects = None if limits.project_sres is None else limits.project_sres + 1
    grown = replace(team, limits=replace(limits, headcount=limits.headcount + 1, project_sres=projects))
    caps = {key: max(cap, problem.caps[key]) for key, cap in caps_of_team(grown, given.settings).items()}
    return replace(problem, caps={**problem.caps, **caps})


def _today(service: PlanService, choices: Sequence[Choice]) -> int:
    for index, choice in enumerate(choices):
        if choice.option is service.current and not choice.move:
            return index
    return 0


def _choices(service: PlanService, teams: Mapping[str, PlanTeam], given: PlanInput) -> Iterator[Choice]:
    if service.pin is not None:
        yield _choice(service, service.pin.option, service.pin.team, given)
        return
    if must_stay(service) or (service.current is not Option.NONE and service.current_team not in teams):
        yield _choice(service, service.current, service.current_team, given)
        return
    for option in Option:
        for team in _teams_for(service, option, teams):
            if option is service.current or not service.gates.get(option):
                yield _choice(service, option, team, given)


def must_stay(service: PlanService) -> bool:
    """Say whether SRE runs it and may not drop it: existential, and no rule of handing back is met."""
    return service.current is Option.FULL and service.criticality == "T0" and not service.hand_back_rules


def _teams_for(service: PlanService, option: Option, teams: Mapping[str, PlanTeam]) -> Sequence[str | None]:
    """Return who could give a service an option. A supported service stays with its team."""
    if option is Option.NONE:
        return [None]
    if service.current is not Option.NONE:
        return [service.current_team]
    allowed = [ref for ref in teams if service.teams is None or ref in service.teams]
    of_kind = [ref for ref in allowed if teams[ref].limits.kind is TeamKind.PLATFORM]
    if option is Option.PLATFORM and of_kind:
        return of_kind
    return [ref for ref in allowed if teams[ref].limits.kind is TeamKind.SERVICE]


def one_off(service: PlanService, option: Option, settings: CapacitySettings) -> float:
    """Return the SRE-quarters that a change to an option takes (SRE book, chapter 32); 0 when it is no step up."""
    if service.engaged or option is service.current or option in {Option.NONE, Option.CONSULT}:
        return 0.0
    if option is Option.PLATFORM:
        up = service.current in {Option.NONE, Option.CONSULT}
        return float(settings.framework_sres * settings.framework_quarters) if up else 0.0
    if service.on_platform:
        return float(settings.framework_sres * settings.framework_quarters)
    return float(settings.onboarding_sres * settings.onboarding_quarters)


def _choice(service: PlanService, option: Option, team: str | None, given: PlanInput) -> Choice:
    settings = given.settings
    move = (option is not service.current or team != service.current_team) and not service.engaged
    gain = round(service.value * settings.option_gains[option] * POINT)
    if move:
        gain -= round(settings.switch_cost * POINT)
    if team is None:
        return Choice(option, team, gain, move=move)
    pages = settings.assumed_pages_per_shift if service.pages_per_shift is None else service.pages_per_shift
    reaching, hours = pages * settings.page_shares[option], steady_hours(option, pages, settings)
    share = load_share(option, service.lifecycle, settings)
    amounts: dict[Resource, int] = {
        (Limit.PAGES, team): _up(reaching * share * SCALES[Limit.PAGES]),
        (Limit.HOURS, team): _up(hours * share * SCALES[Limit.HOURS]),
        (Limit.PROJECTS, team): _up(one_off(service, option, settings) * SCALES[Limit.PROJECTS]),
    }
    if option is Option.CONSULT and service.owner:
        hours = settings.steady_hours_per_quarter[option]
        amounts[CONSULTATION, service.owner] = _up(hours * SCALE_OF_CONSULTATION)
    stack = (team, service.stack) if service.stack and option in {Option.PLATFORM, Option.FULL} else None
    return Choice(option, team, gain, tuple((key, amount) for key, amount in amounts.items() if amount), stack, move)


def _caps(services: Sequence[PlanService], teams: Mapping[str, PlanTeam], given: PlanInput) -> dict[Resource, int]:
    caps: dict[Resource, int] = {}
    for team in teams.values():
        caps.update(caps_of_team(team, given.settings))
    for owner in sorted({service.owner for service in services if service.owner}):
        caps[CONSULTATION, owner] = _down(given.consultation_hours_per_quarter * SCALE_OF_CONSULTATION)
    return caps


def caps_of_team(team: PlanTeam, settings: CapacitySettings) -> dict[Resource, int]:
    """Return a team's caps within the plan's horizon, scaled to whole numbers."""
    capacity, ref = team.limits.capacity(settings), team.limits.ref
    quarters = capacity[Limit.PROJECTS] * settings.horizon_quarters - team.committed_sre_quarters
    return {
        (Limit.PAGES, ref): _down(capacity[Limit.PAGES] * SCALES[Limit.PAGES]),
        (Limit.HOURS, ref): _down(capacity[Limit.HOURS] * SCALES[Limit.HOURS]),
        (Limit.PROJECTS, ref): _down(max(0.0, quarters) * SCALES[Limit.PROJECTS]),
    }


def basis_of_team(team: PlanTeam, settings: CapacitySettings) -> dict[str, str]:
    """Return how each cap of a team follows, with the numbers filled in, to be checked by hand."""
    found = {limit.value: said for limit, said in team.limits.basis(settings).items()}
    taken = (
        f" − {team.committed_sre_quarters:g} SRE-quarters of what runs, 0 at least"
        if team.committed_sre_quarters
        else ""
    )
    projects = f"({found[Limit.PROJECTS]}) × {settings.horizon_quarters:g} quarters{taken}"
    return {**found, Limit.PROJECTS.value: projects}


def _room_for_what_stands(
    fixed: Sequence[Choice], caps: Mapping[Resource, int], stack_caps: Mapping[str, int]
) -> tuple[dict[Resource, int], dict[str, int], tuple[str, ...]]:
    """Raise the caps that choices which stand exceed, and say which those are."""
    used: dict[Resource, int] = {}
    stacks: dict[str, set[str]] = {}
    for choice in fixed:
        for key, amount in choice.uses:
            used[key] = used.get(key, 0) + amount
        if choice.stack:
            stacks.setdefault(choice.stack[0], set()).add(choice.stack[1])
    overruns = [
        f"{name_of(key[0])} of {key[1]}: what stands takes {shown(key, amount)}, the limit is "
        f"{shown(key, caps.get(key, 0))}."
        for key, amount in sorted(used.items())
        if amount > caps.get(key, 0)
    ]
    overruns += [
        f"stacks of {team}: what stands takes {len(known)}, the limit is {stack_caps.get(team, 0)}."
        for team, known in sorted(stacks.items())
        if len(known) > stack_caps.get(team, 0)
    ]
    wider = {**caps, **{key: max(amount, caps.get(key, 0)) for key, amount in used.items()}}
    wider_stacks = {
        **stack_caps,
        **{team: max(len(known), stack_caps.get(team, 0)) for team, known in stacks.items()},
    }
    return wider, wider_stacks, tuple(overruns)


def _moves(choices: Sequence[Choice]) -> int:
    return sum(choice.move for choice in choices)


def _up(amount: float) -> int:
    return math.ceil(amount - 1e-6)


def _down(amount: float) -> int:
    return math.floor(amount + 1e-6)


NAMES = {
    Limit.PAGES: "pages in a shift",
    Limit.HOURS: "operations hours in a quarter",
    Limit.PROJECTS: "project SRE-quarters within the horizon",
    CONSULTATION: "consultation hours in a quarter",
}


def name_of(limit: str) -> str:
    """Return a limit in words."""
    return NAMES[limit]


def natural(key: Resource, amount: int) -> float:
    """Return a counted amount in the limit's own unit."""
    scale = SCALE_OF_CONSULTATION if key[0] == CONSULTATION else SCALES[Limit(key[0])]
    return round(amount / scale, 3)


def shown(key: Resource, amount: int) -> str:
    """Write an amount of a limit."""
    return f"{natural(key, amount):g}"
