"""Compares the verdicts of two catalogues on the same services. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from scorecards.checks.definitions import Axis, Check, CheckCatalogue, Status, level_name


class Change(StrEnum):
    """What the changed catalogue does to a check."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True)
class Verdicts:
    """How one service stands under one catalogue."""

    level: int | None
    percent: float | None
    axes: Mapping[Axis, int | None]
    """The level of each axis."""
    statuses: Mapping[str, Status]
    """By check."""
    shadow: frozenset[str] = frozenset()
    """The checks that count for nothing."""


@dataclass(frozen=True)
class ServiceEffect:
    """A service whose verdicts, levels or percent would be others."""

    ref: str
    before: Verdicts
    after: Verdicts

    @property
    def steps(self) -> int:
        """How many levels it would rise; negative: fall. None counts as below L0."""
        return _rank(self.after.level) - _rank(self.before.level)

    @property
    def position(self) -> tuple[int, int, str]:
        """Its place in the list: what falls farthest first, then what rises, then what stays at its level."""
        kind = 0 if self.steps < 0 else 1 if self.steps > 0 else 2
        return kind, -abs(self.steps), self.ref

    @cached_property
    def checks(self) -> Sequence[tuple[str, Status | None, Status | None]]:
        """The checks that concern it and whose verdicts differ, or count on one side only; with both verdicts."""
        turned = self.before.shadow ^ self.after.shadow
        names = dict.fromkeys((*self.before.statuses, *self.after.statuses))
        pairs = ((name, self.before.statuses.get(name), self.after.statuses.get(name)) for name in names)
        return [
            (name, before, after)
            for name, before, after in pairs
            if _differ(before, after) or (name in turned and after not in {None, Status.NOT_APPLICABLE})
        ]

    @cached_property
    def axes(self) -> Sequence[tuple[Axis, int | None, int | None]]:
        """The axes whose levels differ."""
        pairs = ((axis, self.before.axes[axis], self.after.axes[axis]) for axis in Axis)
        return [(axis, before, after) for axis, before, after in pairs if before != after]

    @property
    def is_any(self) -> bool:
        """Whether anything would be another for the service: a level, its percent, a verdict."""
        verdicts = any(_differ(before, after) for _, before, after in self.checks)
        return bool(self.steps or self.before.percent != self.after.percent or verdicts or self.axes)


@dataclass(frozen=True)
class CheckEffect:
    """What becomes of one check over all services."""

    check: Check
    """As it would be; as it was, when it would be removed."""
    change: Change
    before: Counter[Status]
    after: Counter[Status]
    moves: Counter[tuple[Status | None, Status | None]]
    """Services by the verdict before and after, where the two differ."""


@dataclass(frozen=True)
class Effect:
    """What a changed catalogue would do to the services judged."""

    before: CheckCatalogue
    after: CheckCatalogue
    judged: int
    levels_before: Counter[str]
    levels_after: Counter[str]
    services: Sequence[ServiceEffect]
    """Those that would change, in the order of `position`."""
    checks: Sequence[CheckEffect]
    """Those that are others, or whose verdicts are."""

    @cached_property
    def raised(self) -> int:
        """Services that would rise."""
        return sum(service.steps > 0 for service in self.services)

    @cached_property
    def lowered(self) -> int:
        """Services that would fall."""
        return sum(service.steps < 0 for service in self.services)

    @property
    def summary(self) -> str:
        """Say it in a sentence."""
        if not self.services and not self.checks:
            return f"Nothing would change: {_count(self.judged, 'service')} judged."
        checks = Counter(check.change for check in self.checks)
        words = [f"{number} {change}" for change in Change if change is not Change.SAME and (number := checks[change])]
        of_checks = f"Checks: {', '.join(words)}. " if words else ""
        return (
            f"{of_checks}Of {_count(self.judged, 'service')}, {len(self.services)} would change: {self.lowered} to a "
            f"lower level, {self.raised} to a higher one."
        )


def compare(
    before: Mapping[str, Verdicts], after: Mapping[str, Verdicts], old: CheckCatalogue, new: CheckCatalogue
) -> Effect:
    """Return what the catalogue `new` would do, given the verdicts of both on the same services."""
    pairs = (ServiceEffect(ref, before[ref], after[ref]) for ref in before if before[ref] != after[ref])
    changed = [effect for effect in pairs if effect.is_any]
    return Effect(
        old,
        new,
        len(before),
        Counter(level_name(one.level) or "none" for one in before.values()),
        Counter(level_name(one.level) or "none" for one in after.values()),
        sorted(changed, key=lambda service: service.position),
        _checks(before, after, old, new),
    )


def _checks(
    before: Mapping[str, Verdicts], after: Mapping[str, Verdicts], old: CheckCatalogue, new: CheckCatalogue
) -> list[CheckEffect]:
    found = []
    for name in dict.fromkeys((*new.checks, *old.checks)):
        pairs = [(before[ref].statuses.get(name), after[ref].statuses.get(name)) for ref in before]
        moves = Counter(pair for pair in pairs if _differ(*pair))
        change = change_of(old.checks.get(name), new.checks.get(name))
        if change is Change.SAME and not moves:
            continue
        found.append(
            CheckEffect(
                new.checks.get(name) or old.checks[name],
                change,
                Counter(status for status, _ in pairs if status),
                Counter(status for _, status in pairs if status),
                moves,
            )
        )
    return found


def change_of(old: Check | None, new: Check | None) -> Change:
    """Say what became of a check."""
    if old is None:
        return Change.ADDED
    if new is None:
        return Change.REMOVED
    same = old.definition == new.definition and old.enforce_from == new.enforce_from
    return Change.SAME if same else Change.CHANGED


def _differ(before: Status | None, after: Status | None) -> bool:
    """Say whether a verdict is another: a check that a service does not have asks no more than one not applicable."""
    return before is not after and {before, after} != {None, Status.NOT_APPLICABLE}


def _rank(level: int | None) -> int:
    return -1 if level is None else level


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
