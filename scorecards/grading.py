"""From the verdicts on a service to its levels, and to what to do first. Pure.

A level Ln is reached when every applicable check that counts at it passes. An axis without a check of its own at some
level is not held back there, but nothing is awarded for want of evidence: an axis on which no check passes stays at L0.
None stands above the highest level that the catalogue has checks for. Percent is the weight of passing checks over the
weight of applicable ones, and coverage the weight of known verdicts over the same: an unknown lowers both and is never
taken for a pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scorecards.checks.definitions import (
    REQUIRED_LEVELS,
    Axis,
    CheckCatalogue,
    Criticality,
    Effort,
    Status,
    Subject,
    level_name,
)
from scorecards.evaluation import CheckResult
from scorecards.evidence.causes import CauseKind, Party

MAX_STEPS = 3
RANK = {Criticality.BLOCKER: 0, Criticality.MAJOR: 1, Criticality.MINOR: 2}
COST = {Effort.HOURS: 0, Effort.DAYS: 1, Effort.WEEKS: 2}


@dataclass(frozen=True)
class Standing:
    """Level, percent and coverage of an axis, or of all of them together."""

    level: int | None
    """None while no check applies."""
    percent: float | None
    """0 to 100."""
    coverage: float | None
    """0 to 100."""
    counts: dict[Status, int]


@dataclass(frozen=True)
class Gain:
    """What it gains if a check that does not pass came to pass, all else equal."""

    axis_points: float
    """Percent points on its axis."""
    overall_points: float
    blocks_level: int | None
    """The level that the check itself bars; None for a minor check below L4."""
    others_on_axis: int
    """Further checks that bar the same or a lower level of the axis."""
    others_overall: int
    axis_level: int | None
    """The level that the axis would reach."""
    overall_level: int | None


@dataclass(frozen=True)
class Step:
    """Something to do: a check to fix, or evidence to supply for several at once."""

    checks: tuple[str, ...]
    title: str
    sentence: str
    """What to do, for whom, and what it gains."""
    party: Party
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Grade:
    """How ready a service is, why, and what to do first."""

    subject: Subject
    overall: Standing
    axes: dict[Axis, Standing]
    results: tuple[CheckResult, ...]
    gains: dict[str, Gain]
    """By check, for those that do not pass."""
    next_steps: tuple[Step, ...]
    required_level: int | None
    """What the criticality asks for; None while the service has none."""

    @property
    def distance(self) -> int | None:
        """How many levels the service is below what is required of it."""
        if self.required_level is None or self.overall.level is None:
            return None
        return max(0, self.required_level - self.overall.level)


def grade(subject: Subject, results: Sequence[CheckResult], catalogue: CheckCatalogue) -> Grade:
    """Put the verdicts on a service together."""
    by_axis: dict[Axis, list[CheckResult]] = {axis: [] for axis in Axis}
    for result in results:
        by_axis[result.check.axis].append(result)
    top = catalogue.highest_level
    axes = {axis: _standing(of_axis, level_of(of_axis, top)) for axis, of_axis in by_axis.items()}
    overall = _standing(results, level_of(results, top))
    gains = _gains(by_axis, top)
    required = REQUIRED_LEVELS.get(subject.criticality or "")
    steps = next_steps(results, gains)
    return Grade(subject, overall, axes, tuple(results), gains, steps, required)


_OPEN = frozenset({Status.FAIL, Status.UNKNOWN})


def level_of(results: Sequence[CheckResult], top: int) -> int | None:
    """Return the highest level, up to `top`, at which every applicable check that counts passes; 0 when none does."""
    if all(result.status is Status.NOT_APPLICABLE for result in results):
        return None
    if all(result.status is not Status.PASS for result in results):
        return 0
    return _below(barred_levels(results), top)


def _below(barred: Sequence[int], top: int) -> int:
    """Return the highest level, up to `top`, that lies below all barred ones."""
    return min([*(level - 1 for level in barred), top])


def barred_levels(results: Sequence[CheckResult]) -> list[int]:
    """Return the level that each check bars which does not pass, of those that bar one."""
    return [bars for result in results if result.status in _OPEN and (bars := result.check.bars)]


def _standing(results: Sequence[CheckResult], level: int | None) -> Standing:
    counts = dict.fromkeys(Status, 0)
    weights = dict.fromkeys(Status, 0)
    for result in results:
        counts[result.status] += 1
        weights[result.status] += result.check.weight
    applicable = sum(weights.values()) - weights[Status.NOT_APPLICABLE]
    known = weights[Status.PASS] + weights[Status.FAIL]
    return Standing(level, _share(weights[Status.PASS], applicable), _share(known, applicable), counts)


def _share(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _weight(results: Sequence[CheckResult]) -> int:
    return sum(result.check.weight for result in results if result.status is not Status.NOT_APPLICABLE)


def _gains(by_axis: Mapping[Axis, Sequence[CheckResult]], top: int) -> dict[str, Gain]:
    """Return for each check that does not pass what a pass would gain."""
    barred = {axis: barred_levels(results) for axis, results in by_axis.items()}
    barred_anywhere = [level for levels in barred.values() for level in levels]
    weights = {axis: _weight(results) for axis, results in by_axis.items()}
    weight_of_all = sum(weights.values())
    gains = {}
    for axis, results in by_axis.items():
        for result in results:
            if result.status not in _OPEN:
                continue
            check = result.check
            others, others_anywhere = list(barred[axis]), list(barred_anywhere)
            if check.bars:
                others.remove(check.bars)
                others_anywhere.remove(check.bars)
            gains[check.id] = Gain(
                axis_points=round(100 * check.weight / weights[axis], 1),
                overall_points=round(100 * check.weight / weight_of_all, 1),
                blocks_level=check.bars,
                others_on_axis=_at_most(others, check.bars),
                others_overall=_at_most(others_anywhere, check.bars),
                axis_level=_below(others, top),
                overall_level=_below(others_anywhere, top),
            )
    return gains


def _at_most(levels: Sequence[int], bound: int | None) -> int:
    return 0 if bound is None else sum(level <= bound for level in levels)


def next_steps(results: Sequence[CheckResult], gains: dict[str, Gain]) -> tuple[Step, ...]:
    """Return the first things to do: what bars the next level, then by criticality, weight and effort.

    Checks that are unknown for one and the same cause outside the team (a dead source) make one step together.
    """
    barred = min((gain.blocks_level for gain in gains.values() if gain.blocks_level), default=None)
    groups: dict[str, list[CheckResult]] = {}
    for result in results:
        if result.status in _OPEN:
            groups.setdefault(_group(result), []).append(result)
    ranked = sorted(groups.values(), key=lambda group: min(_rank(result, gains, barred) for result in group))
    return tuple(_step(group, gains, barred) for group in ranked[:MAX_STEPS])


def _group(result: CheckResult) -> str:
    parties = {cause.party for cause in result.causes}
    if result.status is Status.UNKNOWN and parties == {Party.OPERATORS}:
        return "\n".join(result.remedy)
    return result.check.id


def _rank(
    result: CheckResult, gains: dict[str, Gain], barred: int | None
) -> tuple[bool, bool, int, int, int, int, str]:
    """Sort what nobody can hasten (too few deploys yet) to the end."""
    check = result.check
    waits = any(cause.kind is CauseKind.TOO_FEW for cause in result.causes)
    bars_next = barred is not None and gains[check.id].blocks_level == barred
    return (waits, not bars_next, RANK[check.criticality], -check.weight, COST[check.effort], check.level, check.id)


def _step(group: list[CheckResult], gains: dict[str, Gain], barred: int | None) -> Step:
    first = min(group, key=lambda result: _rank(result, gains, barred))
    parties = {cause.party for cause in first.causes}
    by_operators = first.status is Status.UNKNOWN and parties == {Party.OPERATORS}
    checks = tuple(result.check.id for result in group)
    if len(group) == 1:
        title = first.check.title
        sentence = f"{title}: {_advice(first)} {_promise(gains[first.check.id], first)}"
    else:
        title = f"Evidence for {len(group)} checks"
        sentence = f"{title} ({', '.join(checks)}): {_common_advice(first)} Until then none of them can pass."
    return Step(checks, title, sentence, Party.OPERATORS if by_operators else Party.TEAM, first.remedy)


def _advice(result: CheckResult) -> str:
    first = result.remedy[0] if result.remedy else ""
    return f"{result.sentence} {first}".strip()


def _common_advice(result: CheckResult) -> str:
    """Say what several checks wait for, without the facts of each."""
    reasons = dict.fromkeys(cause.because or cause.sentence for cause in result.causes)
    return " ".join([*(f"{reason}." for reason in reasons), *result.remedy[:1]])


def _promise(gain: Gain, result: CheckResult) -> str:
    """Say what a pass would gain."""
    axis = result.check.axis
    points = f"A pass gains {gain.axis_points:g} points on {axis}"
    if gain.blocks_level is None:
        return f"{points}."
    bar = level_name(gain.blocks_level)
    if gain.others_on_axis == 0:
        reached = level_name(gain.axis_level)
        if gain.others_overall == 0:
            return f"{points} and lifts the service to {level_name(gain.overall_level)}."
        return f"{points} and lifts the axis to {reached}; {_others_bar(gain.others_overall, bar)} elsewhere."
    return f"{points}; {_others_bar(gain.others_on_axis, bar)} on the same axis."


def _others_bar(count: int, level: str | None) -> str:
    return f"1 other check bars {level}" if count == 1 else f"{count} other checks bar {level}"
