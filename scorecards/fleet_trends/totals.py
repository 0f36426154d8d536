"""Sums over services that are kept up to date as their standings change one after the other. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from scorecards.checks.definitions import Axis

AXES = list(Axis)
Standings = Sequence[Sequence[Any]]
"""`[level, percent, coverage]` over all, then of the axes in their order."""


class Totals:
    """How many services stand at which level, and the sums of their percentages, over all and per axis."""

    def __init__(self) -> None:
        self.services = 0
        self._levels: list[Counter[str]] = [Counter() for _ in range(len(AXES) + 1)]
        self._sums = [[0.0, 0.0] for _ in range(len(AXES) + 1)]

    def put(self, standings: Standings, sign: int = 1) -> None:
        """Count a service in, or with -1 out again."""
        self.services += sign
        for place, (level, percent, coverage) in enumerate(standings):
            if level is None:
                continue
            self._levels[place][level] += sign
            sums = self._sums[place]
            sums[0] += sign * (percent or 0.0)
            sums[1] += sign * (coverage or 0.0)

    def form(self) -> dict[str, Any]:
        """Return what the sums say: services by level and mean percentages, of those to which any check applies."""
        return {
            "services": self.services,
            **self._standing(0),
            "axes": {axis.value: self._standing(place) for place, axis in enumerate(AXES, 1)},
        }

    def _standing(self, place: int) -> dict[str, Any]:
        levels = {level: count for level, count in sorted(self._levels[place].items()) if count}
        counted = sum(levels.values())
        percent, coverage = (round(part / counted, 1) if counted else None for part in self._sums[place])
        return {"levels": levels, "percent": percent, "coverage": coverage}


def middle_level(levels: dict[str, int]) -> str | None:
    """Return the highest level that at least half of the services have; None where none has any."""
    above, whole = 0, sum(levels.values())
    for level in sorted(levels, reverse=True):
        above += levels[level]
        if 2 * above >= whole:
            return level
    return None
