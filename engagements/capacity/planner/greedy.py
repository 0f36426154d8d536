"""The default plan: the upgrade that brings most for what it takes, again and again, and swaps that pay. Pure.

Needs no solver and can be followed by hand. It starts from today's support, first hands back what no limit has room
for, then upgrades, then lets a service give way where another brings more.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from engagements.capacity.planner.assignment import Assignment
from engagements.capacity.planner.problem import Choice, Problem, Resource, name_of, shown

MOST_SWAPS = 400
MOST_TRIED = 64
"""Barred upgrades that each round of swaps looks at, the greatest first."""
Worth = Callable[[Choice, Choice], float]


def repaired(problem: Problem) -> tuple[Problem, Assignment]:
    """Return today's support brought within the limits, and the problem with as many moves as that takes.

    Each step hands back, or reduces, what loses least for the room that it makes.
    """
    state = Assignment(problem, problem.today)
    while state.over() or state.teams_over_stacks():
        relief = min(_relief(state), default=None)
        if relief is None:
            state = Assignment(_resigned(state), state.picks)
            continue
        _, index, pick = relief
        state.pick(index, pick)
    problem = state.problem
    wider = replace(problem, moves_cap=max(problem.moves_cap, state.moves))
    return wider, Assignment(wider, state.picks)


def _resigned(state: Assignment) -> Problem:
    """Return the problem with the first limit passed widened to what is used: nobody may give way on it."""
    problem, over = state.problem, state.over()
    if over:
        key = over[0]
        used, cap = shown(key, state.used[key]), shown(key, problem.caps[key])
        said = f"{name_of(key[0])} of {key[1]}: {used} are used, the limit is {cap}, and nothing may give way."
        caps = {**problem.caps, key: state.used[key]}
        return replace(problem, caps=caps, overruns=(*problem.overruns, said))
    team = state.teams_over_stacks()[0]
    known = state.distinct(team)
    said = f"stacks of {team}: {known} are known, the limit is {problem.stack_caps[team]}, and nothing may give way."
    return replace(problem, stack_caps={**problem.stack_caps, team: known}, overruns=(*problem.overruns, said))


def solve(problem: Problem, start: Assignment) -> Assignment:
    """Return a feasible plan that is no worse than the feasible one it starts from."""
    best = start
    for weighing in (_by_scarcity, _by_share, _by_gain):
        state = Assignment(problem, start.picks)
        improve(state, weighing(problem))
        if state.gain > best.gain:
            best = state
    return best


def improve(state: Assignment, worth: Worth | None = None) -> None:
    """Upgrade and swap until neither brings anything more."""
    weighing = worth or _by_scarcity(state.problem)
    _upgrade(state, weighing)
    for _ in range(MOST_SWAPS):
        if not _swap(state):
            return
        _upgrade(state, weighing)


def _by_scarcity(problem: Problem) -> Worth:
    """Weigh an upgrade's gain against the share of each limit that it takes; the more wanted a limit, the dearer."""
    return _against(problem, *_prices(problem))


def _by_share(problem: Problem) -> Worth:
    """Weigh an upgrade's gain against the share of each limit that it takes."""
    return _against(problem, {key: 1 / max(1, cap) for key, cap in problem.caps.items()}, 1 / max(1, problem.moves_cap))


def _against(problem: Problem, prices: Mapping[Resource, float], price_of_move: float) -> Worth:
    def worth(now: Choice, then: Choice) -> float:
        released = dict(now.uses)
        cost = 1e-6 + (then.move - now.move) * price_of_move
        for key, amount in then.uses:
            cost += max(0, amount - released.get(key, 0)) * prices[key]
        if then.stack and then.stack != now.stack:
            cost += 0.1 / max(1, problem.stack_caps[then.stack[0]])
        return (then.gain - now.gain) / max(cost, 1e-6)

    return worth


def _prices(problem: Problem) -> tuple[dict[Resource, float], float]:
    """Return the price of one unit of each limit, and of a move: how often over all services together want it."""
    wanted: dict[Resource, float] = {}
    moves = 0
    for few in problem.choices:
        asks = [dict(choice.uses) for choice in few]
        teams = max(1, len({choice.team for choice in few if choice.team}))
        for key in {key for each in asks for key in each}:
            wanted[key] = wanted.get(key, 0.0) + max(each.get(key, 0) for each in asks) / teams
        moves += any(choice.move and choice.gain > 0 for choice in few)
    prices = {key: wanted.get(key, 0.0) / max(1, cap) / max(1, cap) for key, cap in problem.caps.items()}
    return prices, moves / max(1, problem.moves_cap) / max(1, problem.moves_cap)


def _by_gain(_problem: Problem) -> Worth:
    return lambda now, then: float(then.gain - now.gain)


def _upgrade(state: Assignment, worth: Worth) -> None:
    """Take the best upgrade that fits, as long as there is one; equal ones in the order of the references."""
    heap = [entry for index in range(len(state.picks)) for entry in _upgrades(state, index, worth)]
    heapq.heapify(heap)
    while heap:
        _, index, pick, seen = heapq.heappop(heap)
        if state.picks[index] == seen and state.fits(index, pick):
            state.pick(index, pick)
            for entry in _upgrades(state, index, worth):
                heapq.heappush(heap, entry)


def _upgrades(state: Assignment, index: int, worth: Worth) -> Iterator[tuple[float, int, int, int]]:
    now = state.choice(index)
    for pick, then in enumerate(state.problem.choices[index]):
        if then.gain > now.gain:
            yield -round(worth(now, then), 6), index, pick, state.picks[index]


def _swap(state: Assignment) -> bool:
    """Make the first swap that pays: a service gives way, wholly or partly, and a barred upgrade takes its room."""
    barred = sorted(
        (state.choice(index).gain - then.gain, index, pick)
        for index, choices in enumerate(state.problem.choices)
        for pick, then in enumerate(choices)
        if then.gain > state.choice(index).gain
    )
    givers = _givers(state)
    return any(_make_way(state, givers, index, pick, -loss) for loss, index, pick in barred[:MOST_TRIED])


Giver = tuple[int, int, int, frozenset[tuple[str, str]]]
"""What giving way loses, the service, its lesser choice, and the limits that it holds something of."""


def _make_way(state: Assignment, givers: Sequence[Giver], index: int, pick: int, gain: int) -> bool:
    """Let the service that loses least, and less than the upgrade brings, give way to it; say whether one did."""
    wanted = {(limit, whose) for limit, whose, _ in state.obstacles(index, pick)}
    for loss, other, lower, holds in givers:
        if loss >= gain:
            return False
        if other == index or not holds & wanted:
            continue
        before = state.picks[other]
        state.pick(other, lower)
        if state.moves <= state.problem.moves_cap and state.fits(index, pick):
            state.pick(index, pick)
            return True
        state.pick(other, before)
    return False


def _givers(state: Assignment) -> list[Giver]:
    """Return who could give way, and how; what loses least first."""
    found = []
    for other, choices in enumerate(state.problem.choices):
        now = state.choice(other)
        if len(choices) > 1 and (holds := _holds(now)):
            found += [
                (now.gain - then.gain, other, lower, holds)
                for lower, then in enumerate(choices)
                if then.gain <= now.gain and lower != state.picks[other] and _eases(now, then)
            ]
    return sorted(found, key=lambda giver: giver[:3])


def _holds(choice: Choice) -> frozenset[tuple[str, str]]:
    keys = [key for key, _ in choice.uses]
    if choice.stack:
        keys.append(("stacks", choice.stack[0]))
    if choice.move:
        keys.append(("moves", ""))
    return frozenset(keys)


def _eases(now: Choice, then: Choice) -> bool:
    """Say whether a choice takes no more of any limit than another, so that it never passes one."""
    released = dict(now.uses)
    return all(amount <= released.get(key, 0) for key, amount in then.uses) and then.stack in {None, now.stack}


def _relief(state: Assignment) -> Iterator[tuple[tuple[float, str], int, int]]:
    """Yield each lesser choice that relieves the first limit passed: what it costs for each unit, service, choice."""
    over, teams = state.over(), state.teams_over_stacks()
    for index, choices in enumerate(state.problem.choices):
        now = state.choice(index)
        for pick, then in enumerate(choices):
            if len(choices) == 1 or pick == state.picks[index] or not _eases(now, then):
                continue
            eased = _eased(over[0], now, then) if over else _stack_eased(teams[0], now, then, state)
            if eased > 0:
                yield ((now.gain - then.gain) / eased, state.problem.refs[index]), index, pick


def _eased(key: Resource, now: Choice, then: Choice) -> float:
    return dict(now.uses).get(key, 0) - dict(then.uses).get(key, 0)


def _stack_eased(team: str, now: Choice, then: Choice, state: Assignment) -> float:
    """Return how far dropping a service goes towards dropping its stack: the fewer share it, the further."""
    if now.stack is None or now.stack[0] != team or then.stack is not None:
        return 0.0
    return 1 / state.stacks[team][now.stack[1]]
