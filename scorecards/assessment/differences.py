"""What changed between two judgements of a service; a change that recurs is put into words once. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import orjson

from scorecards.assessment.assess import Assessment
from scorecards.assessment.counting import MAX_REMEMBERED
from scorecards.assessment.evidence import Seen
from scorecards.assessment.plan import Plan
from scorecards.assessment.unknowns import Unknowns
from scorecards.assessment.verdicts import CODE_OF, Last, Verdicts
from scorecards.changes import ChangeCause, Entry, StatusChange, change_cause
from scorecards.standing import STATUSES, UNKNOWN

KINDS = len(STATUSES)


Difference = tuple[StatusChange, bytes, int]
"""A changed verdict; the same as it is stored, which `retelling.Told` reads; the slots that it rests on, a bit each."""


@dataclass(frozen=True, slots=True)
class Differences:
    """Changed verdicts."""

    each: Sequence[Difference]

    def changes(self) -> list[StatusChange]:
        """Return them one by one."""
        return [change for change, _, _ in self.each]

    def told(self) -> bytes:
        """Return them as they are stored, the inside of a JSON array."""
        return b",".join([told for _, told, _ in self.each])

    def slots(self) -> int:
        """Return the slots that they rest on, a bit each."""
        return reduce(or_, [slots for _, _, slots in self.each], 0)


class Comparer:
    """Finds what changed since the last judgements."""

    def __init__(self, plan: Plan, verdicts: Verdicts) -> None:
        self.plan = plan
        self.verdicts = verdicts
        self._slots = [sum(1 << slot for slot in set(prepared.slots)) for prepared in plan.checks]
        self._keys = [slot.key for slot in plan.slots]
        self._turned: list[list[Difference | None]] = [[None] * KINDS**2 for _ in plan.checks]
        """Of each check, by the verdicts before and after; services on which one turned alike share the answer."""
        self._lost: dict[tuple[int, int, bool], Difference] = {}
        """Of those that became unknown: there it counts why."""
        self._resting: dict[int, tuple[tuple[int, str], ...]] = {}

    def differences(self, assessment: Assessment, last: Last | None) -> Differences:
        """Return the verdicts that are others than the last ones."""
        if last and last.verdicts is not None and self.verdicts.is_plain(assessment):
            return self._plain(assessment, last.verdicts.encode().translate(CODE_OF))
        return Differences([self._put(change) for change in self._all(assessment, last)])

    def values(self, found: Differences, seen: Seen) -> dict[str, Any]:
        """Return the values that changed verdicts rest on: their sentences are made from them when they are read."""
        slots = found.slots()
        resting = self._resting.get(slots)
        if resting is None:
            if len(self._resting) > MAX_REMEMBERED:
                self._resting.clear()
            resting = tuple((slot, key) for slot, key in enumerate(self._keys) if slots >> slot & 1)
            self._resting[slots] = resting
        values = seen.values
        return {key: values[slot] for slot, key in resting if values[slot] is not None}

    def _plain(self, assessment: Assessment, before: bytes) -> Differences:
        """Compare with a judgement by the same checks, where no verdict is marked in any way."""
        found = []
        rows = zip(self._turned, before, assessment.codes, strict=True)
        for number, (turned, was, code) in enumerate(rows):
            if was != code:
                one = turned[was * KINDS + code] or self._turn(number, was, code, assessment.unknowns)
                found.append(one)
        return Differences(found)

    def _turn(self, number: int, was: int, code: int, unknowns: Unknowns) -> Difference:
        if code != UNKNOWN:
            found = self._turned[number][was * KINDS + code] = self._one(number, was, code, False)
            return found
        dark = unknowns.is_dark(number)
        lost = self._lost.get((number, was, dark))
        if lost is None:
            lost = self._lost[number, was, dark] = self._one(number, was, code, dark)
        return lost

    def _one(self, number: int, was: int, code: int, dark: bool) -> Difference:
        before, entry = self.verdicts.entry(number, was), self.verdicts.entry(number, code)
        return self._put(self._change(number, before, entry, False, dark))

    def _put(self, change: StatusChange) -> Difference:
        number = self.plan.number_of.get(change.check)
        digest = None if number is None else self.plan.checks[number].check.digest
        told = orjson.dumps([*change[:5], digest])
        return change, told, 0 if number is None else self._slots[number]

    def _all(self, assessment: Assessment, last: Last | None) -> list[StatusChange]:
        before = self.verdicts.statuses_of(last) if last else {}
        marks = self.verdicts.marks(assessment)
        changes = []
        for prepared in self.plan.checks:
            number = prepared.number
            code = assessment.codes[number]
            entry, was = self.verdicts.entry(number, code, marks), before.get(prepared.check.id)
            if was is not None and was[0] == entry[0] and list(was[3:]) == list(entry[3:]):
                continue
            dark = code == UNKNOWN and assessment.unknowns.is_dark(number)
            changes.append(self._change(number, was, entry, last is None, dark))
        for gone in before.keys() - self.plan.number_of.keys():
            was = before[gone]
            changes.append(StatusChange(gone, was[0], None, ChangeCause.RULE, was[1], None, None))
        return changes

    def _change(self, number: int, was: Entry | None, entry: Entry, first: bool, dark: bool) -> StatusChange:
        check = self.plan.checks[number].check
        cause = change_cause(was, entry, first, dark)
        return StatusChange(check.id, was[0] if was else None, entry[0], cause, check.version, check.axis, check.bars)
