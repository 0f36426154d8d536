"""The default plan: the upgrade that brings most for what it takes, again and again, and swaps that pay. Pure.

Needs no solver and can be followed by hand. It starts from today's support, first hands back what no limit has room
for, then upgrades, then lets a service give way where another brings more.
"""

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, starmap

from engagements.capacity.planner.assignment import Assignment
from engagements.capacity.planner.offers import Giver, Offers, Rise, eases
from engagements.capacity.planner.problem import Choice, Key, Problem, Resource, name_of, shown
from engagements.capacity.planner.waiting import Waiting, Worth

MOST_SWAPS = 400
MOST_TRIED = 64
"""Barred upgrades that each round of swaps looks at, the greatest first."""


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


def solve(
    problem: Problem, start: Assignment, begun: Waiting | None = None, roomier: Collection[Key] = ()
) -> Assignment:
    """Return a feasible plan that is no worse than the feasible one it starts from.

    `begun` is what waits in `start`, where somebody knows it, but for the limits in `roomier`, which are wider here.
    """
    waiting = begun or Waiting(start, Offers(problem.choices))
    best = start
    for weighing in (_by_scarcity, _by_share, _by_gain):
        state = Assignment(problem, start.picks)
        if not _improve(state, weighing(problem, waiting.offers), waiting.over(state, roomier)):
            break  # Nothing fits and no swap pays: in another order of trying nothing does either.
        if state.gain > best.gain:
            best = state
    return best


def improve(state: Assignment, offers: Offers | None = None) -> None:
    """Upgrade and swap until neither brings anything more."""
    known = offers or Offers(state.problem.choices)
    _improve(state, _by_scarcity(state.problem, known), Waiting(state, known))


def _improve(state: Assignment, worth: Worth, waiting: Waiting) -> bool:
    """Upgrade and swap until neither brings anything more; say whether anything changed."""
    changed = waiting.take(worth)
    for _ in range(MOST_SWAPS):
        if not _swap(state, waiting):
            break
        changed = True
        waiting.take(worth)
    return changed


def _by_scarcity(problem: Problem, offers: Offers) -> Worth:
    """Weigh an upgrade's gain against the share of each limit that it takes; the more wanted a limit, the dearer.

    The price of one unit of a limit, and of a move, is how often over all services together want it.
    """
    wanted, movable = offers.wanted()
    prices = {key: wanted.get(key, 0.0) / max(1, cap) / max(1, cap) for key, cap in problem.caps.items()}
    return _against(problem, prices, movable / max(1, problem.moves_cap) / max(1, problem.moves_cap))


def _by_share(problem: Problem, _offers: Offers) -> Worth:
    """Weigh an upgrade's gain against the share of each limit that it takes."""
    return _against(problem, {key: 1 / max(1, cap) for key, cap in problem.caps.items()}, 1 / max(1, problem.moves_cap))


def _by_gain(_problem: Problem, _offers: Offers) -> Worth:
    return lambda now, then: float(then.gain - now.gain)


def _against(problem: Problem, prices: Mapping[Resource, float], price_of_move: float) -> Worth:
    def worth(now: Choice, then: Choice) -> float:
        released = now.amounts
        cost = 1e-6 + (then.move - now.move) * price_of_move
        for key, amount in then.uses:
            cost += max(0, amount - released.get(key, 0)) * prices[key]
        if then.stack and then.stack != now.stack:
            cost += 0.1 / max(1, problem.stack_caps[then.stack[0]])
        return (then.gain - now.gain) / max(cost, 1e-6)

    return worth


def _swap(state: Assignment, waiting: Waiting) -> bool:
    """Make the first swap that pays: a service gives way, wholly or partly, and a barred upgrade takes its room."""
    rises = [found for index, pick in enumerate(state.picks) if (found := waiting.offers.rises(index, pick))]
    first = heapq.nsmallest(MOST_TRIED, rises)
    barred = heapq.nsmallest(MOST_TRIED, chain.from_iterable(found[:MOST_TRIED] for found in first))
    givers = sorted(chain.from_iterable(starmap(waiting.offers.givers, enumerate(state.picks))))
    return any(_make_way(state, givers, rise, waiting) for rise in barred)


def _make_way(state: Assignment, givers: Sequence[Giver], rise: Rise, waiting: Waiting) -> bool:
    """Let the service that loses least, and less than the upgrade brings, give way to it; say whether one did."""
    loses, index, pick = rise
    wanted = frozenset(state.bars(index, pick))
    for loss, other, lower, holds in givers:
        if loss >= -loses:
            return False
        if other == index or not wanted or not wanted <= holds:
            continue
        before, was = state.picks[other], state.picks[index]
        state.pick(other, lower)
        if state.moves <= state.problem.moves_cap and state.fits(index, pick):
            state.pick(index, pick)
            waiting.changed(other, before)
            waiting.changed(index, was)
            return True
        state.pick(other, before)
    return False


def _relief(state: Assignment) -> Iterator[tuple[tuple[float, str], int, int]]:
    """Yield each lesser choice that relieves the first limit passed: what it costs for each unit, service, choice."""
    over, teams = state.over(), state.teams_over_stacks()
    for index, choices in enumerate(state.problem.choices):
        now = state.choice(index)
        for pick, then in enumerate(choices):
            if len(choices) == 1 or pick == state.picks[index] or not eases(now, then):
                continue
            eased = _eased(over[0], now, then) if over else _stack_eased(teams[0], now, then, state)
            if eased > 0:
                yield ((now.gain - then.gain) / eased, state.problem.refs[index]), index, pick


def _eased(key: Resource, now: Choice, then: Choice) -> float:
    return now.amounts.get(key, 0) - then.amounts.get(key, 0)


def _stack_eased(team: str, now: Choice, then: Choice, state: Assignment) -> float:
    """Return how far dropping a service goes towards dropping its stack: the fewer share it, the further."""
    if now.stack is None or now.stack[0] != team or then.stack is not None:
        return 0.0
    return 1 / state.stacks[team][now.stack[1]]
