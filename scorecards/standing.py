"""From the verdicts on a service to levels, percent and coverage, by whole numbers alone. Pure.

A level Ln is reached when every applicable check that counts at it passes or is inherited. An axis without a check of
its own at some level is not held back there, but nothing is awarded for want of evidence: an axis on which no check
passes stays at L0. None stands above the highest level that the catalogue has checks for. Percent is the weight of
passing checks over the weight of applicable ones, and coverage the weight of known verdicts over the same: an unknown
lowers both and is never taken for a pass. A waived check leaves both sides of the ratio, and one that is a blocker
lets nothing stand above L3. A check in shadow counts for nothing.
Where a catalogue has levels by points, a level also asks for its share of the weight, and only blockers bar it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from scorecards.checks.definitions import Check, Criticality, Status
from scorecards.checks.ladder import Ladder

STATUSES = tuple(Status)
CODE = {status: code for code, status in enumerate(STATUSES)}
"""A verdict as a small number, for counting."""
PASS, FAIL, UNKNOWN, NOT_APPLICABLE, WAIVED, INHERITED = (
    CODE[status]
    for status in (Status.PASS, Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE, Status.WAIVED, Status.INHERITED)
)
OPEN = frozenset({Status.FAIL, Status.UNKNOWN})
OPEN_CODES = frozenset({FAIL, UNKNOWN})
NO_BAR = 99
"""Above every level."""


WAIVED_BLOCKER_CAP = 3
"""The highest level that a service reaches while a blocker of it is waived: doing without is no exemplary service."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What counting needs of a check."""

    weight: int
    bars: int
    """The lowest level that it bars while it is open; NO_BAR when it bars none."""
    cap: int
    """The highest level that may be reached while it is waived; NO_BAR when a waiver caps nothing."""


def counted(check: Check, ladder: Ladder) -> Counted:
    """Return what counting needs of a check."""
    is_blocker = check.criticality is Criticality.BLOCKER
    bars = check.bars if is_blocker or not ladder.by_points else None
    return Counted(check.weight, bars or NO_BAR, WAIVED_BLOCKER_CAP if is_blocker else NO_BAR)


class Tally(NamedTuple):
    """Verdicts on an axis, or on several together, counted."""

    passed: int = 0
    """Weight of passing and inherited checks."""
    applicable: int = 0
    """Weight of all but waived checks and those that do not apply."""
    known: int = 0
    counts: tuple[int, ...] = (0,) * len(STATUSES)
    """Checks by verdict, in the order of STATUSES."""
    barred: tuple[int, ...] = ()
    """The level that each open check bars, of those that bar one."""
    cap: int = NO_BAR
    """The highest level that waived blockers allow."""

    @property
    def percent(self) -> float | None:
        """0 to 100."""
        return round(100 * self.passed / self.applicable, 1) if self.applicable else None

    @property
    def coverage(self) -> float | None:
        """0 to 100."""
        return round(100 * self.known / self.applicable, 1) if self.applicable else None

    @property
    def lowest_barred(self) -> int:
        """NO_BAR when no level is."""
        return min(self.barred, default=NO_BAR)

    def level(self, ladder: Ladder) -> int | None:
        """Return the highest level that is reached; None while no check applies."""
        if not self.applicable:
            return None
        return self.level_above(self.barred, ladder) if self.passed else 0

    def level_above(self, barred: Sequence[int], ladder: Ladder, gained: int = 0) -> int:
        """Return the level if only these levels were barred, something passed, and so many points were gained."""
        highest = ladder.reached(self.passed + gained, self.applicable)
        return min(min(barred, default=NO_BAR) - 1, self.cap, highest)


def tally(codes: Iterable[int], checks: Iterable[Counted]) -> Tally:
    """Count verdicts, each with its check."""
    passed = applicable = known = 0
    cap = NO_BAR
    counts = [0] * len(STATUSES)
    barred = []
    for code, check in zip(codes, checks, strict=True):
        counts[code] += 1
        if code == NOT_APPLICABLE:
            continue
        if code == WAIVED:
            cap = min(cap, check.cap)
            continue
        applicable += check.weight
        if code in (PASS, INHERITED):
            passed += check.weight
            known += check.weight
            continue
        if code == FAIL:
            known += check.weight
        if check.bars != NO_BAR:
            barred.append(check.bars)
    return Tally(passed, applicable, known, tuple(counts), tuple(barred), cap)


def together(tallies: Sequence[Tally]) -> Tally:
    """Put the tallies of the axes together."""
    passed, applicable, known, counts, barred, caps = zip(*tallies, strict=True)
    return Tally(
        sum(passed),
        sum(applicable),
        sum(known),
        tuple(map(sum, zip(*counts, strict=True))),
        tuple(chain(*barred)),
        min(caps),
    )
