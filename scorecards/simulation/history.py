"""What a changed catalogue would have said of the fleet over the past weeks: judged by what was known then."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from portal_backend.core.db import chunks
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.memory import uncollected
from scorecards.checks.definitions import Axis, CheckCatalogue, level_name
from scorecards.evidence.derivations import INPUTS
from scorecards.exceptions.loading import load_in_force
from scorecards.judging import Judging
from scorecards.loading import as_of, load, service_refs
from scorecards.simulation.effect import ServiceEffect, Verdicts
from scorecards.simulation.judgement import judged_by, together, verdicts_of
from scorecards.simulation.past import NOT_KNOWN, observations_at

WEEK = timedelta(weeks=1)
MAX_WEEKS = 52
SERVICES_AT_ONCE = 200
MOST_NAMED = 20


@dataclass(frozen=True)
class Side:
    """The fleet under one catalogue at one moment."""

    levels: Counter[str]
    """Services by overall level."""
    axes: Mapping[Axis, Counter[str]]
    percent: float | None
    """The mean."""


@dataclass(frozen=True)
class Point:
    """The fleet at one moment of the past, under two catalogues."""

    at: datetime
    before: Side
    after: Side
    lower: int
    """Services that the second catalogue would have put lower than the first."""
    higher: int


@dataclass(frozen=True)
class PastEffect:
    """What a catalogue would have said over some weeks, beside today's."""

    versions: tuple[str, str]
    judged: int
    points: Sequence[Point]
    not_known: tuple[str, ...] = NOT_KNOWN

    @property
    def summary(self) -> str:
        """Say it in a sentence."""
        lower = [point.lower for point in self.points]
        if not any(lower) and not any(point.higher for point in self.points):
            return f"No service of {self.judged} would have stood at another level in any of {len(lower)} weeks."
        return (
            f"Of {self.judged} services, {lower[0]} would have stood lower in the first of {len(lower)} weeks and "
            f"{lower[-1]} in the last; at worst {max(lower)}."
        )


def moments(weeks: int, now: datetime) -> list[datetime]:
    """Return the moments to look at: now, and the same time of each week before it."""
    return [now - WEEK * number for number in range(weeks - 1, -1, -1)]


def every_service(session: Session, judging: Judging) -> list[str]:
    """Return the references of all services."""
    return sorted(service_refs(session, judging))


def only_services(session: Session, judging: Judging, refs: Sequence[str]) -> Sequence[str]:
    """Return each reference once; raises InvalidInput that names those of which the catalog has no service."""
    known = service_refs(session, judging)
    wanted = list(dict.fromkeys(refs))
    if strange := [ref for ref in wanted if ref not in known]:
        named = ", ".join(strange[:MOST_NAMED]) + (
            f" and {len(strange) - MOST_NAMED} more" if strange[MOST_NAMED:] else ""
        )
        message = f"the catalog has no service {named}"
        raise InvalidInput(f"refs: {message}.", [Fault("refs", message)])
    return wanted


def simulate_past(
    session: Session,
    judging: Judging,
    catalogues: tuple[CheckCatalogue, CheckCatalogue],
    refs: Collection[str],
    weeks: int,
    now: datetime,
) -> PastEffect:
    """Return what the second catalogue would have said of services beside the first, week by week until now.

    Both judge all the weeks by what they enforce now. Exceptions count in both while they were in force. Raises
    InvalidInput for fewer weeks than one or more than a year's.
    """
    if not 1 <= weeks <= MAX_WEEKS:
        raise InvalidInput(f"Ask for 1 to {MAX_WEEKS} weeks.")
    old, new = (judged_by(judging, _without_dates(catalogue, now)) for catalogue in catalogues)
    both = judged_by(judging, together(old.catalogue, new.catalogue))
    counts = {moment: _Counts() for moment in moments(weeks, now)}
    keys = {key for check in both.catalogue.checks.values() for key in check.facts} | INPUTS
    judged = 0
    for some in chunks(sorted(refs), SERVICES_AT_ONCE):
        with uncollected():
            loaded = load(session, both, some, now)
            judged += len(loaded.subjects)
            for moment, known in observations_at(session, loaded.observations, keys, list(counts)):
                then = as_of(loaded, both, known, load_in_force(session, loaded.subjects.keys(), moment), moment)
                counts[moment].add(verdicts_of(old, then, moment), verdicts_of(new, then, moment))
    points = [count.point(moment) for moment, count in counts.items()]
    return PastEffect((catalogues[0].version, catalogues[1].version), judged, points)


def _without_dates(catalogue: CheckCatalogue, now: datetime) -> CheckCatalogue:
    """Return the catalogue with what counts now counting at any time."""
    checks = {
        name: replace(check, enforce_from=None, enforce_until=None) if check.enforced(now) else check
        for name, check in catalogue.checks.items()
    }
    return replace(catalogue, checks=checks)


@dataclass
class _Tally:
    """Services under one catalogue at one moment, counted as they are judged."""

    levels: Counter[str] = field(default_factory=Counter)
    axes: dict[Axis, Counter[str]] = field(default_factory=lambda: {axis: Counter() for axis in Axis})
    percents: list[float] = field(default_factory=list)

    def add(self, verdicts: Mapping[str, Verdicts]) -> None:
        for one in verdicts.values():
            self.levels[level_name(one.level) or "none"] += 1
            for axis, level in one.axes.items():
                self.axes[axis][level_name(level) or "none"] += 1
            if one.percent is not None:
                self.percents.append(one.percent)

    def side(self) -> Side:
        percent = round(sum(self.percents) / len(self.percents), 1) if self.percents else None
        return Side(self.levels, self.axes, percent)


class _Counts:
    """Both sides of one moment."""

    def __init__(self) -> None:
        self.before, self.after = _Tally(), _Tally()
        self.lower = self.higher = 0

    def add(self, before: Mapping[str, Verdicts], after: Mapping[str, Verdicts]) -> None:
        self.before.add(before)
        self.after.add(after)
        for ref, one in before.items():
            steps = ServiceEffect(ref, one, after[ref]).steps
            self.lower += steps < 0
            self.higher += steps > 0

    def point(self, at: datetime) -> Point:
        return Point(at, self.before.side(), self.after.side(), self.lower, self.higher)
