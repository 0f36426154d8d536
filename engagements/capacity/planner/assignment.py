"""A choice for each service, and what of the limits it takes. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from engagements.capacity.planner.problem import MOVES, STACKS, Choice, Key, Problem, Resource, name_of, shown


class Assignment:
    """The choices made so far, with everything they use kept up to date."""

    def __init__(self, problem: Problem, picks: Sequence[int]) -> None:
        self.problem = problem
        self.picks = list(picks)
        self.used: Counter[Resource] = Counter()
        self.stacks: dict[str, Counter[str]] = {}
        self.moves = 0
        self.gain = 0
        for index in range(len(self.picks)):
            self._count(self.choice(index), 1)

    def choice(self, index: int) -> Choice:
        """Return the choice made for a service."""
        return self.problem.choices[index][self.picks[index]]

    def pick(self, index: int, pick: int) -> None:
        """Choose something else for a service."""
        self._count(self.choice(index), -1)
        self.picks[index] = pick
        self._count(self.choice(index), 1)

    def _count(self, choice: Choice, sign: int) -> None:
        for key, amount in choice.uses:
            self.used[key] += sign * amount
        if choice.stack:
            team, stack = choice.stack
            self.stacks.setdefault(team, Counter())[stack] += sign
        self.moves += sign * choice.move
        self.gain += sign * choice.gain

    def knows(self, team: str, stack: str) -> bool:
        """Say whether a team has to know a stack."""
        return team in self.stacks and self.stacks[team][stack] > 0

    def distinct(self, team: str) -> int:
        """Return how many stacks a team has to know."""
        return sum(1 for count in self.stacks.get(team, Counter()).values() if count)

    def fits(self, index: int, pick: int) -> bool:
        """Say whether a service could have another choice without any limit being passed by it."""
        return self.bar(index, pick) is None

    def bar(self, index: int, pick: int) -> Key | None:
        """Return a limit that bars a choice, None where it fits."""
        return next(self.bars(index, pick), None)

    def bars(self, index: int, pick: int) -> Iterator[Key]:
        """Yield each limit that bars a choice; first what is told quickest."""
        now, then = self.choice(index), self.problem.choices[index][pick]
        if then.move and not now.move and self.moves >= self.problem.moves_cap:
            yield MOVES
        released, caps, used = now.amounts, self.problem.caps, self.used
        for key, amount in then.uses:
            more = amount - released.get(key, 0)
            if more > 0 and more > caps[key] - used[key]:
                yield key
        if then.stack and self._stack_bars(now, then):
            yield STACKS, then.stack[0]

    def used_up(self, key: Key) -> bool:
        """Say whether nothing at all is left of a limit; of stacks that depends on the stack, so it is never said."""
        if key == MOVES:
            return self.moves >= self.problem.moves_cap
        return key[0] != STACKS and self.used[key] >= self.problem.caps[key]

    def obstacles(self, index: int, pick: int) -> Iterator[tuple[str, str, str]]:
        """Yield each limit that bars a choice: its name, whose it is, and a sentence; moves come last."""
        now, then = self.choice(index), self.problem.choices[index][pick]
        for key in sorted(self.bars(index, pick), key=MOVES.__eq__):
            if key == MOVES:
                yield *key, f"all {self.problem.moves_cap} moves of the horizon are taken"
            elif key[0] == STACKS and then.stack:
                team, cap = then.stack[0], self.problem.stack_caps[then.stack[0]]
                yield *key, f"{team} would have to know one stack more than its {cap}: {then.stack[1]}"
            else:
                more = then.amounts[key] - now.amounts.get(key, 0)
                cap = self.problem.caps[key]
                yield *key, _lacks(key, more, cap - self.used[key], cap)

    def _stack_bars(self, now: Choice, then: Choice) -> bool:
        if then.stack is None:
            return False
        team, stack = then.stack
        known = self.stacks.get(team)
        if known is None:
            return self.problem.stack_caps[team] < 1
        if known[stack]:
            return False
        released = now.stack is not None and now.stack[0] == team and known[now.stack[1]] == 1
        return self.distinct(team) - released + 1 > self.problem.stack_caps[team]

    def over(self) -> list[Resource]:
        """Return the limits that are passed, in order."""
        return sorted(key for key, amount in self.used.items() if amount > self.problem.caps[key])

    def teams_over_stacks(self) -> list[str]:
        """Return the teams that would have to know too many stacks, in order."""
        return sorted(team for team in self.stacks if self.distinct(team) > self.problem.stack_caps[team])

    def feasible(self) -> bool:
        """Say whether every limit is kept."""
        return not self.over() and not self.teams_over_stacks() and self.moves <= self.problem.moves_cap


def _lacks(key: Resource, more: int, free: int, cap: int) -> str:
    return (
        f"{name_of(key[0])} of {key[1]}: it takes {shown(key, more)}, "
        f"{shown(key, max(0, free))} of {shown(key, cap)} are free"
    )
