"""A plan with its reasons: what was chosen, what was not and which limit bars it, what one more SRE would buy. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engagements.capacity.limits import Limit
from engagements.capacity.planner import greedy, optimum
from engagements.capacity.planner.assignment import Assignment
from engagements.capacity.planner.offers import Offers
from engagements.capacity.planner.problem import (
    POINT,
    Choice,
    Key,
    Option,
    PlanInput,
    PlanService,
    PlanTeam,
    Problem,
    basis_of_team,
    build,
    caps_of_team,
    must_stay,
    name_of,
    natural,
    one_off,
    with_one_more,
)
from engagements.capacity.planner.waiting import Waiting
from engagements.capacity.settings import CapacitySettings

MAIN_QUESTION = 0.75
"""The share of the solver's time that is for the plan itself."""
ORDER = {option: place for place, option in enumerate(Option)}
"""From least support to most."""
MOST_ASKED = 100
"""Teams of which it is asked what one more SRE would buy."""


class Method(StrEnum):
    """How a plan is made."""

    GREEDY = "greedy"
    OPTIMUM = "optimum"


@dataclass(frozen=True)
class Rejection:
    """An option that would bring more, and what bars it."""

    option: Option
    gain: float
    binding: tuple[str, ...]
    """`gate`, or the limits that have no room: `pages_per_shift`, `operations_hours`, `project_sres`, `stacks`,
    `consultation_hours`, `moves`; `switch_cost` when it would not be worth the change; `search` when the solver's
    time ended before it was tried."""
    sentence: str


@dataclass(frozen=True)
class PlanRow:
    """What the plan proposes for one service."""

    service: PlanService
    option: Option
    team: str | None
    act: str
    """`start`, `raise`, `lower`, `hand_back`, `move_team` or `keep`."""
    gain: float
    """Points of value, after the cost of the change."""
    basis: str
    """How the points follow, with the numbers filled in, to be checked by hand."""
    uses: dict[str, float]
    """What it takes of each limit, in the limit's unit."""
    stands: str
    """Why the plan had no choice, empty where it had."""
    rejected: tuple[Rejection, ...]
    sentence: str


@dataclass(frozen=True)
class LimitUse:
    """A limit under the plan."""

    limit: str
    whose: str
    cap: float
    used: float
    words: str
    basis: str
    """How the cap follows, with the numbers filled in, to be checked by hand."""

    @property
    def binds(self) -> bool:
        """Say whether nothing is left of it."""
        return self.used >= self.cap


@dataclass(frozen=True)
class OneMore:
    """What one more SRE in a team would buy."""

    team: str
    gain: float
    """More points of value."""
    services: tuple[str, ...]
    """Services that would get more support than in the plan."""
    sentence: str


@dataclass(frozen=True)
class Plan:
    """A recommendation. People decide on its rows."""

    method: Method
    gap: float | None
    """How far below the optimum it can be at most; None when nobody looked for the optimum."""
    reproducible: bool
    """False when the solver's time ended its search: another machine may find another plan."""
    value: float
    value_today: float | None
    """The points of today's support; None where today's support passes a limit."""
    rows: tuple[PlanRow, ...]
    limits: tuple[LimitUse, ...]
    moves: int
    moves_cap: int
    overruns: tuple[str, ...]
    one_more: tuple[OneMore, ...]
    sentence: str


Solver = Callable[[Problem, Assignment, Waiting, Collection[Key]], tuple[Assignment, float | None, bool]]
"""Solves a problem from a feasible start, of which it is known what waits for room but for some limits."""


def make_plan(given: PlanInput, method: Method = Method.GREEDY, one_more: bool = True) -> Plan:
    """Return the plan of an input. Raises SolverMissing when the optimum is asked for without its solver."""
    problem, start = greedy.repaired(build(given))
    offers = Offers(problem.choices)
    questions = len(given.teams) + 1 if one_more else 1
    solver = _solver(method, given.settings.optimum_seconds, questions)
    state, gap, reproducible = solver(problem, start, Waiting(start, offers), ())
    found = _one_more(given, problem, state, solver, offers) if one_more else ()
    services = sorted(given.services, key=lambda service: service.ref)
    rows = [_row(service, index, state, given) for index, service in enumerate(services)]
    return Plan(
        method=method,
        gap=gap,
        reproducible=reproducible,
        value=state.gain / POINT,
        value_today=_value_today(problem),
        rows=tuple(rows),
        limits=_limits(state, given),
        moves=state.moves,
        moves_cap=problem.moves_cap,
        overruns=problem.overruns,
        one_more=found,
        sentence=_said(method, gap, reproducible),
    )


def _solver(method: Method, seconds: float, questions: int) -> Solver:
    """Return how to solve; most of the solver's time is for the plan, the other questions share the rest."""
    share = [seconds if questions == 1 else seconds * MAIN_QUESTION]
    asked: list[Problem] = []

    def exactly(
        problem: Problem, start: Assignment, begun: Waiting, roomier: Collection[Key]
    ) -> tuple[Assignment, float | None, bool]:
        begin = start if asked else greedy.solve(problem, start, begun, roomier)
        asked.append(problem)
        solved = optimum.solve(problem, begin, share[0])
        share[0] = seconds * (1 - MAIN_QUESTION) / max(1, questions - 1)
        state = solved.assignment
        if not solved.proven:
            greedy.improve(state, begun.offers)
        return state, solved.gap, solved.proven

    def greedily(
        problem: Problem, start: Assignment, begun: Waiting, roomier: Collection[Key]
    ) -> tuple[Assignment, float | None, bool]:
        return greedy.solve(problem, start, begun, roomier), None, True

    return exactly if method is Method.OPTIMUM else greedily


def _said(method: Method, gap: float | None, reproducible: bool) -> str:
    if method is Method.GREEDY:
        return "Made step by step by the upgrade that brings most for what it takes; how far it is from the optimum "\
            "only the solver can say."  # fmt: skip
    if gap == 0:
        return "The optimum: no other plan within the limits brings more."
    return f"The best plan found in the time given; another could bring at most {gap:.2%} more." + (
        "" if reproducible else " Another machine may find another."
    )


def _value_today(problem: Problem) -> float | None:
    today = Assignment(problem, problem.today)
    return today.gain / POINT if today.feasible() else None


def _one_more(
    given: PlanInput, problem: Problem, base: Assignment, solver: Solver, offers: Offers
) -> tuple[OneMore, ...]:
    """Solve again with one more SRE in each team. The plan itself stays possible then: the answer is never less.

    The choices are the same each time, and so is what waits for room anywhere but in the team that grew.
    """
    waiting, found = Waiting(base, offers), []
    for team in _asked(given.teams, base):
        wider = with_one_more(problem, given, team)
        start = Assignment(wider, base.picks)
        grown = [key for key, cap in wider.caps.items() if cap > problem.caps[key]]
        state, _, _ = solver(wider, start, waiting, grown)
        found.append(_bought(team.limits.ref, base, state))
    return tuple(found)


def _asked(teams: Sequence[PlanTeam], state: Assignment) -> list[PlanTeam]:
    """Return the teams that are asked about, in order: where there are too many, those nearest to a limit."""

    def fullness(team: PlanTeam) -> tuple[float, str]:
        caps = {key: cap for key, cap in state.problem.caps.items() if key[1] == team.limits.ref}
        return -max((state.used[key] / max(1, cap) for key, cap in caps.items()), default=0.0), team.limits.ref

    some = teams if len(teams) <= MOST_ASKED else sorted(teams, key=fullness)[:MOST_ASKED]
    return sorted(some, key=lambda each: each.limits.ref)


def _bought(team: str, base: Assignment, state: Assignment) -> OneMore:
    gain = max(0, state.gain - base.gain) / POINT
    more = tuple(
        base.problem.refs[index]
        for index, (before, after) in enumerate(zip(base.picks, state.picks, strict=True))
        if before != after and ORDER[state.choice(index).option] > ORDER[base.choice(index).option]
    )
    if gain <= 0:
        why = "no support that is worth more waits for its room alone"
        return OneMore(team, 0.0, (), f"One more SRE in {team} would buy nothing: {why}.")
    names = f": {', '.join(more[:10])}" + (f" and {len(more) - 10} more" if len(more) > 10 else "") if more else ""
    return OneMore(team, gain, more, f"One more SRE in {team} would buy {gain:g} points{names}.")


def _limits(state: Assignment, given: PlanInput) -> tuple[LimitUse, ...]:
    problem, basis = state.problem, _basis_of_caps(state.problem, given)
    found = [
        LimitUse(key[0], key[1], natural(key, cap), natural(key, state.used[key]), name_of(key[0]), basis[key])
        for key, cap in sorted(problem.caps.items())
    ]
    stacks = Limit.STACKS.value
    found += [
        LimitUse(stacks, team, float(cap), float(state.distinct(team)), "distinct stacks", basis[stacks, team])
        for team, cap in sorted(problem.stack_caps.items())
    ]
    return tuple(found)


def _basis_of_caps(problem: Problem, given: PlanInput) -> dict[tuple[str, str], str]:
    """Return how each cap follows; what stands already may have raised it."""
    basis = dict.fromkeys(problem.caps, f"{given.consultation_hours_per_quarter:g} hours for each owner")
    for team in given.teams:
        ref, settings = team.limits.ref, given.settings
        caps = {**caps_of_team(team, settings), (Limit.STACKS.value, ref): team.limits.max_stacks}
        now = {**problem.caps, (Limit.STACKS.value, ref): problem.stack_caps[ref]}
        for limit, said in basis_of_team(team, settings).items():
            raised = ", raised to what stands" if now[limit, ref] > caps[limit, ref] else ""
            basis[limit, ref] = f"{said}{raised}"
    return basis


def _row(service: PlanService, index: int, state: Assignment, given: PlanInput) -> PlanRow:
    choice = state.choice(index)
    stands = _stands(service, given)
    rejected = () if stands else tuple(_rejections(service, index, state))
    act = _act(service, choice)
    return PlanRow(
        service=service,
        option=choice.option,
        team=choice.team,
        act=act,
        gain=choice.gain / POINT,
        basis=_basis(service, choice, given.settings),
        uses=_uses(choice),
        stands=stands,
        rejected=rejected,
        sentence=_sentence(service, choice, act, stands, rejected, given),
    )


def _basis(service: PlanService, choice: Choice, settings: CapacitySettings) -> str:
    change = f" − {settings.switch_cost:g} for the change" if choice.move else ""
    return f"{service.value:g} × {settings.option_gains[choice.option]:g}{change}"


def _uses(choice: Choice) -> dict[str, float]:
    return {str(key[0]): natural(key, amount) for key, amount in choice.uses}


def _stands(service: PlanService, given: PlanInput) -> str:
    if service.pin is not None:
        return service.pin.why
    if must_stay(service):
        return "It is T0 and SRE runs it: it is not dropped unless a rule of handing back is met."
    if service.current is not Option.NONE and service.current_team not in {team.limits.ref for team in given.teams}:
        return (
            "Which recorded team supports it is not known, so nothing is planned for it: name the team with the "
            "annotation sre.portal/sre-team, and record its capacity."
        )
    return ""


def _act(service: PlanService, choice: Choice) -> str:
    before, after = ORDER[service.current], ORDER[choice.option]
    if after == before:
        return "keep" if choice.team == service.current_team or choice.team is None else "move_team"
    if after > before:
        return "start" if service.current is Option.NONE else "raise"
    return "hand_back" if choice.option is Option.NONE else "lower"


def _rejections(service: PlanService, index: int, state: Assignment) -> list[Rejection]:
    """Return why each option that is worth more than the chosen one was not chosen."""
    chosen, few = state.choice(index), state.problem.choices[index]
    found = []
    for option in Option:
        offered = [pick for pick, choice in enumerate(few) if choice.option is option]
        if ORDER[option] <= ORDER[chosen.option]:
            continue
        if not offered:
            why = service.gates.get(option) or ("no team of the right kind is recorded",)
            found.append(Rejection(option, 0.0, ("gate",), f"{option}: excluded, {'; '.join(why)}."))
            continue
        found.append(_rejection(option, chosen, offered, index, state))
    return found


def _rejection(option: Option, chosen: Choice, offered: Sequence[int], index: int, state: Assignment) -> Rejection:
    pick = max(offered, key=lambda one: (state.problem.choices[index][one].gain, -one))
    gain = state.problem.choices[index][pick].gain / POINT
    if gain * POINT <= chosen.gain:
        return Rejection(option, gain, ("switch_cost",), f"{option}: would bring no more than it costs to change.")
    bars = {one: len(list(state.bars(index, one))) for one in offered}
    if not all(bars.values()):
        return Rejection(option, gain, ("search",), f"{option}: would fit; the search ended before it was tried.")
    least = list(state.obstacles(index, min(bars, key=bars.__getitem__)))
    names = tuple(dict.fromkeys(str(name) for name, _, _ in least))
    return Rejection(option, gain, names, f"{option}: no room, {'; '.join(text for _, _, text in least)}.")


_VERBS = {
    "start": "Start with {option} by {team}",
    "raise": "Raise it from {current} to {option} by {team}",
    "lower": "Lower it from {current} to {option} by {team}",
    "hand_back": "Hand it back ({current} until now)",
    "move_team": "Keep {option}, but by {team}",
    "keep": "Keep {option}",
}


def _sentence(
    service: PlanService, choice: Choice, act: str, stands: str, rejected: Sequence[Rejection], given: PlanInput
) -> str:
    said = _VERBS[act].format(option=choice.option, team=choice.team, current=service.current)
    if stands:
        return f"{said}: {stands}"
    takes = one_off(service, choice.option, given.settings) if choice.team else 0.0
    quarters = "SRE-quarter" if takes == 1 else "SRE-quarters"
    project = f", {takes:g} {quarters} of project work" if takes and choice.move else ""
    why = f" {rejected[-1].sentence[0].upper()}{rejected[-1].sentence[1:]}" if rejected else ""
    basis = _basis(service, choice, given.settings)
    return f"{said}: {choice.gain / POINT:g} points ({basis}){project}.{why}"
