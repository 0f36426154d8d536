"""What doing something about checks that do not pass would reach, and what bars the next level then. Pure."""

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass

from scorecards.changes import named
from scorecards.checks.definitions import Criticality, Status, level_name
from scorecards.checks.ladder import Ladder
from scorecards.evaluation import CheckResult
from scorecards.standing import CODE, NO_BAR, OPEN, WAIVED_BLOCKER_CAP, Tally, counted, tally


@dataclass(frozen=True)
class Barred:
    """The next level, and what keeps the service from it."""

    level: int
    checks: tuple[str, ...]
    """Those that do not pass and bar it, or a level below it; the lowest level first."""
    waived: tuple[str, ...]
    """Waived blockers that keep the service below it."""
    points: float | None
    """The percent of the points that it asks for, where the service has less."""


@dataclass(frozen=True)
class Reach:
    """What steps would reach, all else equal."""

    level: int | None
    percent: float | None
    """0 to 100, over all axes."""
    sentence: str
    barred: Barred | None
    """None when the highest level is reached."""


def tally_of(results: Sequence[CheckResult], ladder: Ladder, passing: Container[str] = ()) -> Tally:
    """Count verdicts; those of `passing` checks count as passes."""
    codes = [CODE[Status.PASS if result.check.id in passing else result.status] for result in results]
    return tally(codes, [counted(result.check, ladder) for result in results])


@dataclass(frozen=True)
class Start:
    """Where a service stands before anything is done."""

    results: Sequence[CheckResult]
    """Those that count."""
    ladder: Ladder
    held: Collection[str]
    """The checks that an outage holds: they count for the level as passes."""
    level: int | None


def reach(start: Start, who: str, verbs: tuple[str, str], done: Collection[str]) -> Reach:
    """Return what it reaches when the checks `done` came to pass.

    `who` and `verbs`, of bringing and of lifting, begin the sentence. What nothing bars any more but waived blockers or
    the points that levels ask for is told as well.
    """
    passing = {*done, *start.held}
    after = tally_of(start.results, start.ladder, passing)
    percent = (tally_of(start.results, start.ladder, done) if start.held else after).percent
    level = after.level(start.ladder)
    barred = _barred(level or 0, after, start, passing)
    rest = _rest(barred) if barred else ""
    if level == start.level:
        because = f": {rest}" if rest else ""
        sentence = f"{who} {verbs[0]} it to {percent:g} percent; it stays at {level_name(level)}{because}."
    else:
        then = f"; then {rest}" if rest else ""
        sentence = f"{who} {verbs[1]} the service to {level_name(level)} and to {percent:g} percent{then}."
    return Reach(level, percent, sentence, barred)


def _barred(level: int, after: Tally, start: Start, passing: Container[str]) -> Barred | None:
    """Return what keeps a service that stands at a level from the next one; None when there is none above."""
    results, ladder = start.results, start.ladder
    if level >= ladder.top:
        return None
    open_ones = [result.check for result in results if result.status in OPEN and result.check.id not in passing]
    bars = {check.id: counted(check, ladder).bars for check in open_ones}
    barring = sorted((check for check, bar in bars.items() if bar != NO_BAR and bar <= level + 1), key=bars.__getitem__)
    waived = [result.check for result in results if result.status is Status.WAIVED] if after.cap <= level else []
    blockers = [check.id for check in waived if check.criticality is Criticality.BLOCKER]
    share = ladder.shares[level] if ladder.by_points else 0.0
    lacks_points = ladder.reached(after.passed, after.applicable) <= level and share > 0
    return Barred(level + 1, tuple(barring), tuple(blockers), round(100 * share, 1) if lacks_points else None)


def _rest(barred: Barred) -> str:
    """Say what keeps a service from its next level."""
    level, count = level_name(barred.level), len(barred.checks)
    said = []
    if count:
        said.append(f"{count} more check{' bars' if count == 1 else 's bar'} {level} ({named(barred.checks)})")
    if barred.waived:
        keeps = "a waived blocker keeps" if len(barred.waived) == 1 else "waived blockers keep"
        said.append(f"{keeps} it at {level_name(WAIVED_BLOCKER_CAP)} ({named(barred.waived)})")
    if barred.points is not None:
        said.append(f"{level} asks for {barred.points:g} percent of the points")
    return ", and ".join(said)
