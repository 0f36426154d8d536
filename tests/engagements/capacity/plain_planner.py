"""The greedy plan in its plain form, which tries every upgrade again after each change: the quick one must equal it."""

import heapq
from dataclasses import replace

from engagements.capacity.planner.assignment import Assignment
from engagements.capacity.planner.problem import build

MOST_SWAPS = 400
MOST_TRIED = 64


def plain_one_more(given, problem, base):
    """Return what one more SRE in each team would buy: a team, points in hundredths, the picks."""
    found = []
    for team in sorted(given.teams, key=lambda each: each.limits.ref):
        more = replace(
            team.limits,
            headcount=team.limits.headcount + 1,
            project_sres=None if team.limits.project_sres is None else team.limits.project_sres + 1,
        )
        others = [each for each in given.teams if each is not team]
        roomier = build(replace(given, teams=(*others, replace(team, limits=more))))
        wider = replace(
            roomier,
            caps={key: max(cap, problem.caps[key]) for key, cap in roomier.caps.items()},
            stack_caps={ref: max(cap, problem.stack_caps[ref]) for ref, cap in roomier.stack_caps.items()},
            moves_cap=max(roomier.moves_cap, problem.moves_cap),
        )
        state = plain_solve(wider, Assignment(wider, base.picks))
        found.append((team.limits.ref, max(0, state.gain - base.gain), state.picks))
    return found


def plain_solve(problem, start):
    """Return a feasible plan that is no worse than the feasible one it starts from."""
    best = start
    for weighing in (_by_scarcity, _by_share, _by_gain):
        state = Assignment(problem, start.picks)
        improve(state, weighing(problem))
        if state.gain > best.gain:
            best = state
    return best


def improve(state, worth=None):
    """Upgrade and swap until neither brings anything more."""
    weighing = worth or _by_scarcity(state.problem)
    _upgrade(state, weighing)
    for _ in range(MOST_SWAPS):
        if not _swap(state):
            return
        _upgrade(state, weighing)


def _by_scarcity(problem):
    """Weigh an upgrade's gain against the share of each limit that it takes; the more wanted a limit, the dearer."""
    return _against(problem, *_prices(problem))


def _by_share(problem):
    """Weigh an upgrade's gain against the share of each limit that it takes."""
    return _against(problem, {key: 1 / max(1, cap) for key, cap in problem.caps.items()}, 1 / max(1, problem.moves_cap))


def _against(problem, prices, price_of_move):
    def worth(now, then):
        released = dict(now.uses)
        cost = 1e-6 + (then.move - now.move) * price_of_move
        for key, amount in then.uses:
            cost += max(0, amount - released.get(key, 0)) * prices[key]
        if then.stack and then.stack != now.stack:
            cost += 0.1 / max(1, problem.stack_caps[then.stack[0]])
        return (then.gain - now.gain) / max(cost, 1e-6)

    return worth


def _prices(problem):
    """Return the price of one unit of each limit, and of a move: how often over all services together want it."""
    wanted = {}
    moves = 0
    for few in problem.choices:
        asks = [dict(choice.uses) for choice in few]
        teams = max(1, len({choice.team for choice in few if choice.team}))
        for key in {key for each in asks for key in each}:
            wanted[key] = wanted.get(key, 0.0) + max(each.get(key, 0) for each in asks) / teams
        moves += any(choice.move and choice.gain > 0 for choice in few)
    prices = {key: wanted.get(key, 0.0) / max(1, cap) / max(1, cap) for key, cap in problem.caps.items()}
    return prices, moves / max(1, problem.moves_cap) / max(1, problem.moves_cap)


def _by_gain(_problem):
    return lambda now, then: float(then.gain - now.gain)


def _upgrade(state, worth):
    """Take the best upgrade that fits, as long as there is one; equal ones in the order of the references."""
    heap = [entry for index in range(len(state.picks)) for entry in _upgrades(state, index, worth)]
    heapq.heapify(heap)
    while heap:
        _, index, pick, seen = heapq.heappop(heap)
        if state.picks[index] == seen and state.fits(index, pick):
            state.pick(index, pick)
            for entry in _upgrades(state, index, worth):
                heapq.heappush(heap, entry)


def _upgrades(state, index, worth):
    now = state.choice(index)
    for pick, then in enumerate(state.problem.choices[index]):
        if then.gain > now.gain:
            yield -round(worth(now, then), 6), index, pick, state.picks[index]


def _swap(state):
    """Make the first swap that pays: a service gives way, wholly or partly, and a barred upgrade takes its room."""
    barred = sorted(
        (state.choice(index).gain - then.gain, index, pick)
        for index, choices in enumerate(state.problem.choices)
        for pick, then in enumerate(choices)
        if then.gain > state.choice(index).gain
    )
    givers = _givers(state)
    return any(_make_way(state, givers, index, pick, -loss) for loss, index, pick in barred[:MOST_TRIED])


def _make_way(state, givers, index, pick, gain):
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


def _givers(state):
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


def _holds(choice):
    keys = [key for key, _ in choice.uses]
    if choice.stack:
        keys.append(("stacks", choice.stack[0]))
    if choice.move:
        keys.append(("moves", ""))
    return frozenset(keys)


def _eases(now, then):
    """Say whether a choice takes no more of any limit than another, so that it never passes one."""
    released = dict(now.uses)
    return all(amount <= released.get(key, 0) for key, amount in then.uses) and then.stack in {None, now.stack}
