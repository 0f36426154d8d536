"""What each choice leads to: the choices above it, those below it, and what they want. Pure.

It depends on the choices alone, neither on the limits nor on what is chosen, so that all questions about the same
services (one for each team, and each way of weighing) share it.
"""

from collections.abc import Sequence

from engagements.capacity.planner.problem import MOVES, STACKS, Choice, Key, Resource

Rise = tuple[int, int, int]
"""What an upgrade gains (negative: the greatest first), the service, the choice."""
Giver = tuple[int, int, int, frozenset[Key]]
"""What giving way loses, the service, its lesser choice, and the limits that it holds something of."""


class Offers:
    """The upgrades and the lesser choices of each choice, found when they are first asked for and then remembered."""

    def __init__(self, choices: Sequence[Sequence[Choice]]) -> None:
        self.choices = choices
        self._rises: dict[tuple[int, int], tuple[Rise, ...]] = {}
        self._givers: dict[tuple[int, int], tuple[Giver, ...]] = {}
        self._wanted: tuple[dict[Resource, float], int] | None = None

    def rises(self, index: int, pick: int) -> tuple[Rise, ...]:
        """Return the upgrades of a service from a choice, the greatest first."""
        found = self._rises.get((index, pick))
        if found is None:
            few = self.choices[index]
            gain = few[pick].gain
            found = tuple(sorted((gain - then.gain, index, to) for to, then in enumerate(few) if then.gain > gain))
            self._rises[index, pick] = found
        return found

    def givers(self, index: int, pick: int) -> tuple[Giver, ...]:
        """Return the ways in which a service could give way from a choice; none where it holds nothing."""
        found = self._givers.get((index, pick))
        if found is None:
            few = self.choices[index]
            now = few[pick]
            holds = _holds(now) if len(few) > 1 else frozenset()
            found = tuple(
                (now.gain - then.gain, index, to, holds)
                for to, then in enumerate(few)
                if holds and then.gain <= now.gain and to != pick and eases(now, then)
            )
            self._givers[index, pick] = found
        return found

    def wanted(self) -> tuple[dict[Resource, float], int]:
        """Return how much of each limit all services together want, and how many of them a move would serve."""
        if self._wanted is None:
            wanted: dict[Resource, float] = {}
            for few in self.choices:
                most: dict[Resource, int] = {}
                for choice in few:
                    for key, amount in choice.uses:
                        most[key] = max(amount, most.get(key, 0))
                teams = max(1, len({choice.team for choice in few if choice.team}))
                for key, amount in most.items():
                    wanted[key] = wanted.get(key, 0.0) + amount / teams
            movable = sum(any(choice.move and choice.gain > 0 for choice in few) for few in self.choices)
            self._wanted = wanted, movable
        return self._wanted


def eases(now: Choice, then: Choice) -> bool:
    """Say whether a choice takes no more of any limit than another, so that it never passes one."""
    return all(amount <= now.amounts.get(key, 0) for key, amount in then.uses) and then.stack in {None, now.stack}


def _holds(choice: Choice) -> frozenset[Key]:
    keys: list[Key] = [key for key, _ in choice.uses]
    if choice.stack:
        keys.append((STACKS, choice.stack[0]))
    if choice.move:
        keys.append(MOVES)
    return frozenset(keys)


def freed(now: Choice, then: Choice) -> list[Key]:
    """Return what may bar less once a choice is given up for another.

    A stack that comes or goes may let another choice of its team fit either way: a stack that is known costs nothing.
    """
    amounts = then.amounts
    keys: list[Key] = [key for key, amount in now.uses if amount > amounts.get(key, 0)]
    if now.stack != then.stack:
        keys += [(STACKS, stack[0]) for stack in (now.stack, then.stack) if stack]
    if now.move and not then.move:
        keys.append(MOVES)
    return keys
