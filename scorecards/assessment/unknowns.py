"""Why verdicts are unknown, found when asked for: as much as ranks, causes of changes and attestations need. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cached_property

from scorecards.assessment.evidence import FRESH, Lack, Reader, Seen
from scorecards.assessment.plan import Plan
from scorecards.evidence.causes import CauseKind, Party
from scorecards.standing import UNKNOWN


class Departure(Enum):
    """What keeps a check from being judged by its rule."""

    NOT_APPLICABLE = "it does not apply"
    TOO_FEW = "there is too little to judge by"
    UNSURE = "it is not known whether there is enough to judge by"


Departures = tuple[tuple[int, Departure], ...]
"""The checks of one service that are not judged by their rules, in the order of their numbers."""


@dataclass(frozen=True)
class Unknown:
    """Why a verdict is unknown."""

    lacks: Sequence[Lack]
    out_of_range: bool = False
    too_few: bool = False
    """It is known that there is too little to judge by."""
    waits: bool = False
    """Nobody can hasten it."""

    @property
    def unsupplied(self) -> bool:
        """No source supplies what is lacking."""
        return not self.out_of_range and all(lack.kind is CauseKind.NO_SOURCE for lack in self.lacks)

    @cached_property
    def for_operators(self) -> tuple[str, ...]:
        """What the portal's operators have to do, where it is theirs alone; empty otherwise."""
        if self.out_of_range or any(lack.party is not Party.OPERATORS for lack in self.lacks):
            return ()
        return tuple(dict.fromkeys(lack.action for lack in self.lacks if lack.action))


class Explainer:
    """Finds out why verdicts are unknown; services that lack the same share the answer."""

    def __init__(self, plan: Plan, reader: Reader, now: datetime) -> None:
        self.plan = plan
        self.reader = reader
        self.now = now
        self._known: dict[tuple[int, ...], Unknown] = {}

    def waits(self, number: int) -> bool:
        """Say whether nobody can hasten a check that has too little to judge by."""
        needs = self.plan.checks[number].check.needs
        return not (needs and needs.action)

    def explain(self, number: int, departure: Departure | None, seen: Seen) -> Unknown:
        """Return why the verdict on a check is unknown."""
        prepared = self.plan.checks[number]
        if departure is Departure.TOO_FEW:
            return Unknown((), too_few=True, waits=self.waits(number))
        unsure = departure is Departure.UNSURE and prepared.needs
        parts = [unsure] if unsure else [part for part in (prepared.rule, prepared.needs) if part]
        lacking = self._lacking(number, departure, seen)
        lacks = [self.reader.lack(seen, slot) for slot in lacking]
        out_of_range = any(
            all(seen.values[slot] is not None for slot in leaf.slots) and leaf.test_one(seen.values, self.now) is None
            for part in parts
            for leaf in part.leaves
        )
        if out_of_range or any(slot in seen.derived for slot in lacking):
            return Unknown(lacks, out_of_range)
        key = (number, *map(id, lacks))  # the reader keeps the lacks of plain facts, each once
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Unknown(lacks)
        return found

    def is_dark(self, number: int, departure: Departure | None, seen: Seen) -> bool:
        """Say whether an unknown verdict is owed to the sources, not to what the service's team states."""
        if departure is Departure.TOO_FEW:
            return False
        lacks = [self.reader.lack(seen, slot) for slot in self._lacking(number, departure, seen)]
        return any(lack.kind is CauseKind.STALE or lack.party is Party.OPERATORS for lack in lacks)

    def _lacking(self, number: int, departure: Departure | None, seen: Seen) -> list[int]:
        prepared = self.plan.checks[number]
        unsure = departure is Departure.UNSURE and prepared.needs
        return [slot for slot in (unsure.slots if unsure else prepared.slots) if seen.states[slot] != FRESH]


class Unknowns(Mapping[int, Unknown]):
    """Why each check of one service on which nothing is measured is unknown, whatever the verdict that counts."""

    __slots__ = ("_departures", "_explainer", "_measured", "_seen")

    def __init__(self, explainer: Explainer, seen: Seen, measured: bytes, departures: Departures) -> None:
        self._explainer = explainer
        self._seen = seen
        self._measured = measured
        self._departures = departures

    def __getitem__(self, number: int) -> Unknown:
        if number not in self:
            raise KeyError(number)
        return self._explainer.explain(number, self._departure(number), self._seen)

    def is_dark(self, number: int) -> bool:
        """Say whether a check is unknown because of the sources."""
        return self._explainer.is_dark(number, self._departure(number), self._seen)

    def _departure(self, number: int) -> Departure | None:
        return dict(self._departures).get(number) if self._departures else None

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self._measured[number] == UNKNOWN

    def __iter__(self) -> Iterator[int]:
        return (number for number, code in enumerate(self._measured) if code == UNKNOWN)

    def __len__(self) -> int:
        return self._measured.count(UNKNOWN)
