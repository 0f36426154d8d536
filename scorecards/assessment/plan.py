"""A catalogue of checks made ready for judging many services: one list of facts, each check as functions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from scorecards.assessment.rules import Compiled, compile_rule
from scorecards.checks.definitions import Axis, Check, CheckCatalogue, Criticality, Effort
from scorecards.evidence.causes import ENTITY, Spec
from scorecards.evidence.derivations import DERIVED
from scorecards.rules.related import RELATED
from scorecards.rules.tree import Rule
from scorecards.standing import Counted, counted

RANK = {Criticality.BLOCKER: 0, Criticality.MAJOR: 1, Criticality.MINOR: 2}
COST = {Effort.HOURS: 0, Effort.DAYS: 1, Effort.WEEKS: 2}


def place(check: Check) -> tuple[int, int, int, int, str]:
    """Return by what checks that bar the same are ranked: what costs least first, then what weighs most."""
    return COST[check.effort], RANK[check.criticality], -check.weight, check.level, check.id


@dataclass(frozen=True, slots=True)
class Slot:
    """A fact as some check trusts it."""

    key: str
    max_age: timedelta | None
    """Narrows for how long an observation is trusted; None: as long as its source allows."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A check as functions."""

    check: Check
    number: int
    counted: Counted
    place: int
    """Its rank among all checks that bar the same level."""
    applies_to: Rule | None
    fields: tuple[str, ...]
    """What `applies_to` looks at."""
    needs: Compiled | None
    rule: Compiled | None
    slots: tuple[int, ...]
    """Of everything that the verdict rests on."""
    durations: tuple[tuple[int, timedelta], ...]
    """Times whose age turns the verdict, each with the age."""


class Plan:
    """A catalogue made ready. The checks come in the order of the axes."""

    def __init__(self, catalogue: CheckCatalogue, specs: Mapping[str, Spec]) -> None:
        self.catalogue = catalogue
        self.specs = specs
        self.slots: list[Slot] = []
        self._numbers: dict[Slot, int] = {}
        order = list(Axis)
        checks = sorted(catalogue.checks.values(), key=lambda check: order.index(check.axis))
        places = {check.id: rank for rank, check in enumerate(sorted(checks, key=place))}
        self.checks: Sequence[Prepared] = tuple(
            self._prepare(check, number, places[check.id]) for number, check in enumerate(checks)
        )
        self.number_of = {prepared.check.id: prepared.number for prepared in self.checks}
        self.ladder = catalogue.ladder
        self.fields = frozenset(field for prepared in self.checks for field in prepared.fields)

    @cached_property
    def slots_of(self) -> Mapping[str, tuple[int, ...]]:
        """The slots of each fact."""
        found: dict[str, tuple[int, ...]] = {}
        for number, slot in enumerate(self.slots):
            found[slot.key] = (*found.get(slot.key, ()), number)
        return found

    @cached_property
    def derived(self) -> tuple[str, ...]:
        """The facts among them that are made of others, or read in the catalog's entity or in those around it."""
        return tuple(key for key in self.slots_of if key in DERIVED or key.startswith((ENTITY, RELATED)))

    @cached_property
    def axes(self) -> Sequence[tuple[Axis, int, int]]:
        """Each axis with the numbers of its first check and of the one after its last."""
        bounds = []
        start = 0
        for axis in Axis:
            end = start + sum(prepared.check.axis is axis for prepared in self.checks)
            bounds.append((axis, start, end))
            start = end
        return tuple(bounds)

    def _prepare(self, check: Check, number: int, rank: int) -> Prepared:
        def slot_of(key: str) -> int:
            slot = Slot(key, check.max_age.get(key))
            if slot not in self._numbers:
                self._numbers[slot] = len(self.slots)
                self.slots.append(slot)
            return self._numbers[slot]

        needs = compile_rule(check.needs.rule, self.specs, slot_of) if check.needs else None
        rule = compile_rule(check.rule, self.specs, slot_of) if check.rule else None
        parts = [part for part in (rule, needs) if part]
        applies_to = check.applies_to.rule if check.applies_to else None
        return Prepared(
            check,
            number,
            counted(check, self.catalogue.ladder),
            rank,
            applies_to,
            applies_to.facts if applies_to else (),
            needs,
            rule,
            tuple(dict.fromkeys(slot for part in parts for slot in part.slots)),
            durations_of(parts),
        )


def durations_of(parts: Sequence[Compiled]) -> tuple[tuple[int, timedelta], ...]:
    """Return the times whose age turns one of the rules, each with the age."""
    return tuple((leaf.slots[0], leaf.duration) for part in parts for leaf in part.leaves if leaf.duration)
