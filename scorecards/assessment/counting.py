"""Counts verdicts: where they leave a service on each axis, and over all of them. Pure."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from scorecards.assessment.plan import Plan
from scorecards.checks.definitions import level_name
from scorecards.standing import Tally, tally, together

MAX_REMEMBERED = 50_000

Standing = tuple[str | None, float | None, float | None]
"""Level, percent and coverage, as they are kept."""


class Stand(NamedTuple):
    """Where verdicts on an axis, or on all of them, leave a service."""

    tally: Tally
    level: int | None
    standing: Standing


class Count(NamedTuple):
    """Verdicts, counted."""

    axes: Sequence[Tally]
    overall: Tally
    levels: Sequence[int | None]
    """The overall level, then those of the axes."""
    standings: Sequence[Standing]
    """The same with percent and coverage."""


class Counting:
    """Counts the verdicts by one plan, without those of checks in shadow; alike ones are counted once."""

    def __init__(self, plan: Plan, shadow: Collection[int]) -> None:
        self.plan = plan
        self._stands: dict[tuple[int, bytes], Stand] = {}
        self._counts: dict[bytes, Count] = {}
        self._counted = [
            ([number for number in range(start, end) if number not in shadow], start, end)
            for _, start, end in plan.axes
        ]

    def count(self, codes: bytes) -> Count:
        """Count a service's verdicts, one for each check of the plan."""
        found = self._counts.get(codes)
        if found is None:
            if len(self._counts) > MAX_REMEMBERED:
                self._counts.clear()
            axes = self._axes(codes)
            overall = self._stand(together([axis.tally for axis in axes]))
            tallies, levels, standings = zip(overall, *axes, strict=True)
            found = self._counts[codes] = Count(tallies[1:], tallies[0], levels, standings)
        return found

    def _axes(self, codes: bytes) -> list[Stand]:
        found = []
        for place, (numbers, start, end) in enumerate(self._counted):
            key = (place, codes[start:end])
            stand = self._stands.get(key)
            if stand is None:
                if len(self._stands) > MAX_REMEMBERED:
                    self._stands.clear()
                checks = self.plan.checks
                counted = tally([codes[number] for number in numbers], [checks[number].counted for number in numbers])
                stand = self._stands[key] = self._stand(counted)
            found.append(stand)
        return found

    def _stand(self, counted: Tally) -> Stand:
        level = counted.level(self.plan.ladder)
        return Stand(counted, level, standing(level, counted))


def standing(level: int | None, counted: Tally) -> Standing:
    """Return where counted verdicts leave a service, at a level which an outage may hold."""
    return level_name(level), counted.percent, counted.coverage
