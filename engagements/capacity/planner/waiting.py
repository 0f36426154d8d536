"""Upgrades that wait for room, each under one limit that bars it: only what becomes free is looked at again. Pure."""

import heapq
from collections.abc import Callable, Collection

from engagements.capacity.planner.assignment import Assignment
from engagements.capacity.planner.offers import Offers, freed
from engagements.capacity.planner.problem import Choice, Key

Worth = Callable[[Choice, Choice], float]
Upgrade = tuple[int, int, int]
"""A service, the choice, and how often the service changed before: an upgrade from an earlier choice is void."""
Ranked = tuple[float, int, int, int]


class Waiting:
    """The upgrades of a state. Each is `loose` (nobody looked whether it fits) or waits under a limit that bars it.

    What it finds is the same as trying every upgrade again after each change, in the order of their worth.
    """

    def __init__(self, state: Assignment, offers: Offers, base: "Waiting | None" = None) -> None:
        self.state = state
        self.offers = offers
        self._changes = [0] * len(state.picks)
        self._waits: dict[Key, list[Upgrade]] = {}
        self._base = base._waits if base else {}
        self._taken: set[Key] = set()
        """What of the base was looked at again here."""
        self._touched: set[Key] = set()
        self._loose: list[Upgrade] = list(base._loose) if base else []
        if base is None:
            for index, pick in enumerate(state.picks):
                self._loose += [(index, to, 0) for _, _, to in offers.rises(index, pick)]
            self._sort_out()

    def over(self, state: Assignment, roomier: Collection[Key] = ()) -> "Waiting":
        """Return the same for a state with the same picks in which some limits (`roomier`) are wider.

        This one stays as it is: any number of states can go on from it. It is to be a first one, that was not changed.
        """
        other = Waiting(state, self.offers, self)
        other._touched.update(roomier)
        return other

    def changed(self, index: int, before: int) -> None:
        """Take in that a service has another choice than before."""
        now = self.state.picks[index]
        self._changes[index] += 1
        self._touched.update(freed(self.offers.choices[index][before], self.offers.choices[index][now]))
        self._loose += self._upgrades(index)

    def take(self, worth: Worth) -> bool:
        """Take the upgrade of most worth that fits, as long as there is one; say whether any was taken."""
        self._loose += self._released()
        heap = [self._ranked(upgrade, worth) for upgrade in self._sort_out()]
        heapq.heapify(heap)
        reached: Ranked | None = None
        later: list[Upgrade] = []
        while heap:
            ranked = heapq.heappop(heap)
            upgrade = ranked[1:]
            if not self._fits(upgrade):
                continue
            index, before = upgrade[0], self.state.picks[upgrade[0]]
            self.state.pick(index, upgrade[1])
            self._changes[index] += 1
            reached = max(reached or ranked, ranked)
            for each in self._upgrades(index):
                heapq.heappush(heap, self._ranked(each, worth))
            self._touched.update(freed(self.offers.choices[index][before], self.state.choice(index)))
            for each in self._released():
                again = self._ranked(each, worth)
                if again > reached:
                    heapq.heappush(heap, again)
                else:
                    later.append(each)
        self._loose = later
        return reached is not None

    def _upgrades(self, index: int) -> list[Upgrade]:
        stamp = self._changes[index]
        return [(index, to, stamp) for _, _, to in self.offers.rises(index, self.state.picks[index])]

    def _ranked(self, upgrade: Upgrade, worth: Worth) -> Ranked:
        """Return an upgrade with its place: by worth; equal ones in the order of the references."""
        index, to, _ = upgrade
        return -round(worth(self.state.choice(index), self.offers.choices[index][to]), 6), *upgrade

    def _sort_out(self) -> list[Upgrade]:
        """Let each loose upgrade wait under what bars it; return, and keep loose, those that fit."""
        self._loose = [upgrade for upgrade in self._loose if self._fits(upgrade)]
        return self._loose

    def _fits(self, upgrade: Upgrade) -> bool:
        """Say whether an upgrade still stands and fits; one that does not fit waits from now on."""
        index, to, stamp = upgrade
        if self._changes[index] != stamp:
            return False
        bar = self.state.bar(index, to)
        if bar is None:
            return True
        self._waits.setdefault(bar, []).append(upgrade)
        return False

    def _released(self) -> list[Upgrade]:
        """Return what waited under limits of which something became free, and forget that it waited."""
        found: list[Upgrade] = []
        for key in [key for key in self._touched if not self.state.used_up(key)]:
            self._touched.discard(key)
            found += self._waits.pop(key, ())
            if key not in self._taken:
                self._taken.add(key)
                found += self._base.get(key, ())
        return [upgrade for upgrade in found if self._changes[upgrade[0]] == upgrade[2]]
