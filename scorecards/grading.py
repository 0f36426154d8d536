"""From the verdicts on a service to its levels, and to what to do first. Pure.

How levels, percent and coverage follow from verdicts is told in `scorecards.standing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from scorecards.assessment.plan import place
from scorecards.checks.definitions import REQUIRED_LEVELS, Axis, CheckCatalogue, Group, Status, Subject, level_name
from scorecards.checks.ladder import Ladder
from scorecards.evaluation import CheckResult
from scorecards.evidence.causes import CauseKind, Party
from scorecards.holding import Held
from scorecards.reaching import Reach, Start, reach, tally_of
from scorecards.standing import NO_BAR, OPEN, STATUSES, Tally, counted, together

MAX_STEPS = 3


@dataclass(frozen=True)
class Standing:
    """Level, percent and coverage of an axis, or of all of them together."""

    level: int | None
    """None while no check applies. Held while a source's outage is in its grace period."""
    percent: float | None
    """0 to 100."""
    coverage: float | None
    """0 to 100."""
    counts: dict[Status, int]
    level_without_hold: int | None
    """Lower than `level` while an outage holds that."""


class Gain(NamedTuple):
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
    is_higher: bool = True
    """That is above the level at which it stands. With levels by points, one check is often not enough."""
    axis_is_higher: bool = True
    """The same of the axis. One on which nothing passes rises by any pass, whatever else bars the next level."""
    is_capped: bool = False
    """The service would stand as high as waived blockers let it."""
    is_held: bool = False
    """An outage holds the check: it counts for the levels as passed already."""


@dataclass(frozen=True)
class Step:
    """Something to do: a check to fix, or evidence to supply for several at once."""

    checks: tuple[str, ...]
    title: str
    sentence: str
    """What to do, for whom, and what it gains."""
    party: Party
    actions: tuple[str, ...]
    effort: str
    overall_points: float
    """Percent points that it gains over all axes."""
    overall_level: int | None
    """The level that the service would reach by this alone."""
    also_helps: tuple[str, ...] = ()
    """Further checks that cannot be judged for the same cause: it alone need not make them pass."""
    reach: Reach | None = None
    """What this alone would reach, and what bars the next level then; None where nobody asked."""


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
    reach: Reach | None
    """What the next steps together would reach; None when there are none."""
    required_level: int | None
    """What the criticality asks for; None while the service has none."""
    held: Held
    """The checks that count for the levels as before a source's outage."""
    groups: tuple[tuple[Group, Standing], ...] = ()
    """Parts of an axis that the catalogue tells apart, such as latency within performance."""

    @property
    def distance(self) -> int | None:
        """How many levels the service is below what is required of it."""
        if self.required_level is None or self.overall.level is None:
            return None
        return max(0, self.required_level - self.overall.level)


def grade(
    subject: Subject, results: Sequence[CheckResult], catalogue: CheckCatalogue, held: Held | None = None
) -> Grade:
    """Put the verdicts on a service together; `held` are those that an outage holds."""
    by_axis: dict[Axis, list[CheckResult]] = {axis: [] for axis in Axis}
    for result in results:
        if not result.shadow:
            by_axis[result.check.axis].append(result)
    ladder = catalogue.ladder
    tallies = {axis: tally_of(of_axis, ladder) for axis, of_axis in by_axis.items()}
    before = {axis: tally_of(of_axis, ladder, held) if held else tallies[axis] for axis, of_axis in by_axis.items()}
    overall = together(list(tallies.values()))
    axes = {axis: _standing(tallies[axis], before[axis], ladder) for axis in by_axis}
    gains = _gains(by_axis, before, ladder, held or {})
    standing = _standing(overall, together(list(before.values())), ladder)
    counting = [result for result in results if not result.shadow]
    start = Start(counting, ladder, held or (), standing.level)
    steps = next_steps(results, gains)
    who = "This step alone" if len(steps) > 1 else "This step"
    steps = tuple(replace(step, reach=reach(start, who, ("brings", "lifts"), step.checks)) for step in steps)
    return Grade(
        subject,
        standing,
        axes,
        tuple(results),
        gains,
        steps,
        _together(start, steps),
        REQUIRED_LEVELS.get(subject.criticality or ""),
        held or {},
        tuple((group, _of_group(group, by_axis[group.axis], held, ladder)) for group in catalogue.groups.values()),
    )


def _of_group(group: Group, results: Sequence[CheckResult], held: Held | None, ladder: Ladder) -> Standing:
    own = [result for result in results if result.check.group == group.id]
    present = tally_of(own, ladder)
    return _standing(present, tally_of(own, ladder, held) if held else present, ladder)


def _standing(present: Tally, before: Tally, ladder: Ladder) -> Standing:
    """Percent, coverage and counts are as they are; the level may be held where it was before an outage."""
    level, held_at = present.level(ladder), before.level(ladder)
    counts = dict(zip(STATUSES, present.counts, strict=True))
    highest = level if held_at is None else max(held_at, level or 0)
    return Standing(highest, present.percent, present.coverage, counts, level)


def gain_of(bars: int, weight: int, axis: Tally, overall: Tally, ladder: Ladder, is_held: bool = False) -> Gain:
    """Return what it gains if an open check that bars this level (NO_BAR: none) came to pass, all else equal.

    `axis` and `overall` count what an outage holds as passed, as levels do.
    """
    others, others_anywhere = list(axis.barred), list(overall.barred)
    if bars != NO_BAR and not is_held:
        others.remove(bars)
        others_anywhere.remove(bars)
    earned = 0 if is_held else weight
    reached = overall.level_above(others_anywhere, ladder, earned)
    on_axis = axis.level_above(others, ladder, earned)
    return Gain(
        axis_points=round(100 * weight / axis.applicable, 1),
        overall_points=round(100 * weight / overall.applicable, 1),
        blocks_level=None if bars == NO_BAR else bars,
        others_on_axis=_at_most(others, bars),
        others_overall=_at_most(others_anywhere, bars),
        axis_level=on_axis,
        overall_level=reached,
        is_higher=reached > (overall.level(ladder) or 0),
        axis_is_higher=on_axis > (axis.level(ladder) or 0),
        is_capped=reached == overall.cap,
        is_held=is_held,
    )


def _gains(
    by_axis: Mapping[Axis, Sequence[CheckResult]], tallies: Mapping[Axis, Tally], ladder: Ladder, held: Held
) -> dict[str, Gain]:
    """Return for each check that does not pass what a pass would gain."""
    overall = together(list(tallies.values()))
    return {
        check.id: gain_of(
            counted(check, ladder).bars, check.weight, tallies[axis], overall, ladder, is_held=check.id in held
        )
        for axis, results in by_axis.items()
        for check in [result.check for result in results if result.status in OPEN]
    }


def _at_most(levels: Sequence[int], bound: int) -> int:
    return 0 if bound == NO_BAR else len([level for level in levels if level <= bound])


def _together(start: Start, steps: Sequence[Step]) -> Reach | None:
    """Return what all steps together would reach; None when there are none."""
    if len(steps) < 2:
        return steps[0].reach if steps else None
    done = {check for step in steps for check in step.checks}
    return reach(start, f"These {len(steps)} steps together", ("bring", "lift"), done)


def next_steps(results: Sequence[CheckResult], gains: dict[str, Gain]) -> tuple[Step, ...]:
    """Return the first things to do: of what bars the next level the cheapest first, then by criticality and weight.

    Checks that are unknown for one and the same cause outside the team (a dead source) make one step together. A
    cause of the team (the source does not know the service) is named once, with the other checks that it helps.
    """
    barred = min((gain.blocks_level for gain in gains.values() if gain.blocks_level), default=None)
    groups: dict[str, list[CheckResult]] = {}
    for result in results:
        if result.status in OPEN and not result.shadow:
            groups.setdefault(_group(result), []).append(result)
    ranked = sorted(groups.values(), key=lambda group: min(_rank(result, gains, barred) for result in group))
    by_need: dict[object, list[list[CheckResult]]] = {}
    for group in ranked:
        by_need.setdefault(_need(group[0]), []).append(group)
    first = list(by_need.values())[:MAX_STEPS]
    return tuple(
        replace(_step(group, gains, barred), also_helps=tuple(result.check.id for other in others for result in other))
        for group, *others in first
    )


def _need(result: CheckResult) -> object:
    """Return what lacks, as far as it may be the same for several checks: a source that does not know the service."""
    if result.status is not Status.UNKNOWN or not result.causes:
        return result.check.id
    return frozenset(cause.because or cause.sentence for cause in result.causes)


def _group(result: CheckResult) -> str:
    parties = {cause.party for cause in result.causes}
    if result.status is Status.UNKNOWN and parties == {Party.OPERATORS}:
        return "\n".join(result.remedy)
    return result.check.id


def _rank(
    result: CheckResult, gains: dict[str, Gain], barred: int | None
) -> tuple[bool, bool, tuple[int, int, int, int, str]]:
    """Sort what nobody can hasten (too few deploys yet) to the end."""
    check = result.check
    waits = any(cause.kind is CauseKind.TOO_FEW for cause in result.causes)
    bars_next = barred is not None and gains[check.id].blocks_level == barred
    return waits, not bars_next, place(check)


def _step(group: list[CheckResult], gains: dict[str, Gain], barred: int | None) -> Step:
    first = min(group, key=lambda result: _rank(result, gains, barred))
    alone = gains[first.check.id]
    return make_step(
        first,
        tuple(result.check.id for result in group),
        alone,
        round(sum(gains[result.check.id].overall_points for result in group), 1),
    )


def make_step(first: CheckResult, checks: tuple[str, ...], gain: Gain, overall_points: float) -> Step:
    """Return a step: a check to fix, or what several checks wait for, of which `first` ranks first."""
    parties = {cause.party for cause in first.causes}
    by_operators = first.status is Status.UNKNOWN and parties == {Party.OPERATORS}
    if len(checks) == 1:
        title = first.check.title
        sentence = f"{_advice(first)} {promise(gain, first.check.axis)}"
    else:
        title = f"Evidence for {len(checks)} checks"
        sentence = f"{title} ({', '.join(checks)}): {_common_advice(first)} Until then none of them can pass."
    party = Party.OPERATORS if by_operators else Party.TEAM
    level = gain.overall_level if len(checks) == 1 else None
    return Step(checks, title, sentence, party, first.remedy, first.check.effort.value, overall_points, level)


def _advice(result: CheckResult) -> str:
    """Say which check it is, what is wrong, and the first thing to do."""
    first = result.remedy[0] if result.remedy else ""
    seen = result.sentence.removeprefix("Cannot be judged. ")
    what = "cannot be judged" if result.status is Status.UNKNOWN else "does not hold"
    return f"“{result.check.title}” {what}: {seen} {first}".strip()


def _common_advice(result: CheckResult) -> str:
    """Say what several checks wait for, without the facts of each."""
    reasons = dict.fromkeys(cause.because or cause.sentence for cause in result.causes)
    return " ".join([*(f"{reason}." for reason in reasons), *result.remedy[:1]])


def promise(gain: Gain, axis: Axis) -> str:
    """Say what a pass would gain a service on the axis of the check."""
    points = f"A pass gains {gain.axis_points:g} points on {axis}"
    if gain.is_held:
        return f"{points}; its source is dark, and for the levels it counts as passed meanwhile."
    if gain.is_higher and not (gain.blocks_level and gain.others_overall):
        return f"{points} and lifts the service to {level_name(gain.overall_level)}."
    if gain.axis_is_higher and gain.blocks_level:
        points = f"{points} and lifts the axis to {level_name(gain.axis_level)}"
    return f"{points}{_what_keeps(gain)}."


def _what_keeps(gain: Gain) -> str:
    """Say what keeps the service from the level that the check bars; nothing where it bars none."""
    if gain.blocks_level is None:
        return ""
    bar, reached = level_name(gain.blocks_level), level_name(gain.overall_level)
    if gain.others_overall == 0:
        if gain.is_capped:
            return f"; then only a waived blocker keeps the service at {reached}"
        return f"; nothing bars {bar} then, but the service has the points of {reached} only"
    others = _others_bar(gain.others_overall, bar)
    if gain.others_on_axis == 0:
        return f"; {others} elsewhere"
    if gain.others_overall == gain.others_on_axis:
        return f"; {others} on the same axis"
    return f"; {others}, {gain.others_on_axis} of them on the same axis"


def _others_bar(count: int, level: str | None) -> str:
    return f"1 other check bars {level}" if count == 1 else f"{count} other checks bar {level}"
