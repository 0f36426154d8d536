"""What changed between two judgements of a service; a change that recurs is put into words once. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import orjson

from scorecards.assessment.assess import MAX_REMEMBERED, Assessment
from scorecards.assessment.evidence import Seen
from scorecards.assessment.plan import Plan
from scorecards.assessment.unknowns import Unknowns
from scorecards.assessment.verdicts import CODE_OF, Last, Verdicts
from scorecards.changes import ChangeCause, Entry, StatusChange, change_cause
from scorecards.standing import UNKNOWN


@dataclass(frozen=True, slots=True)
class Differences:
    """Changed verdicts."""

    changes: Sequence[StatusChange]
    told: bytes
    """As they are stored, the inside of a JSON array; `retelling.Told` reads each."""
    slots: int
    """The slots that the changed verdicts rest on, a bit each."""


Difference = tuple[StatusChange, bytes, int]
"""The same of one of them."""


Turn = tuple[int, bytes, bytes]
"""The number of an axis's first check, and the verdicts on the axis before and after."""


class Comparer:
    """Finds what changed since the last judgements."""

    def __init__(self, plan: Plan, verdicts: Verdicts) -> None:
        self.plan = plan
        self.verdicts = verdicts
        self._slots = [sum(1 << slot for slot in set(prepared.slots)) for prepared in plan.checks]
        self._keys = [slot.key for slot in plan.slots]
        self._lost: dict[Turn, tuple[int, ...]] = {}
        """The checks that became unknown: then it counts why."""
        self._of_axes: dict[tuple[Turn, tuple[int, ...]], Differences] = {}
        self._of_one: dict[tuple[int, int, int, bool], Difference] = {}
        self._resting: dict[int, tuple[tuple[int, str], ...]] = {}

    def differences(self, assessment: Assessment, last: Last | None) -> Differences:
        """Return the verdicts that are others than the last ones."""
        if last and last.verdicts is not None and self.verdicts.is_plain(assessment):
            return self._plain(assessment, last.verdicts.encode().translate(CODE_OF))
        return _joined([self._put(change) for change in self._all(assessment, last)])

    def values(self, found: Differences, seen: Seen) -> dict[str, Any]:
        """Return the values that changed verdicts rest on: their sentences are made from them when they are read."""
        resting = self._resting.get(found.slots)
        if resting is None:
            if len(self._resting) > MAX_REMEMBERED:
                self._resting.clear()
            resting = tuple((slot, key) for slot, key in enumerate(self._keys) if found.slots >> slot & 1)
            self._resting[found.slots] = resting
        values = seen.values
        return {key: values[slot] for slot, key in resting if values[slot] is not None}

    def _plain(self, assessment: Assessment, before: bytes) -> Differences:
        """Compare with a judgement by the same checks, where no verdict is marked in any way."""
        found = []
        for _, start, end in self.plan.axes:
            was, codes = before[start:end], assessment.codes[start:end]
            if was != codes:
                found.append(self._of_axis(start, was, codes, assessment.unknowns))
        return Differences(
            [change for one in found for change in one.changes],
            b",".join([one.told for one in found]),
            reduce(or_, [one.slots for one in found], 0),
        )

    def _of_axis(self, start: int, before: bytes, codes: bytes, unknowns: Unknowns) -> Differences:
        """Services whose verdicts on an axis changed alike share the answer."""
        turn = start, before, codes
        lost = self._lost.get(turn)
        if lost is None:
            if len(self._lost) > MAX_REMEMBERED:
                self._lost.clear()
            lost = self._lost[turn] = tuple(number for number, was, code in _changed(*turn) if code == UNKNOWN)
        dark = tuple([number for number in lost if unknowns.is_dark(number)]) if lost else ()
        found = self._of_axes.get((turn, dark))
        if found is None:
            if len(self._of_axes) > MAX_REMEMBERED:
                self._of_axes.clear()
            ones = [self._one(number, was, code, number in dark) for number, was, code in _changed(*turn)]
            found = self._of_axes[turn, dark] = _joined(ones)
        return found

    def _one(self, number: int, was: int, code: int, dark: bool) -> Difference:
        alike = (number, was, code, dark)
        found = self._of_one.get(alike)
        if found is None:
            before, entry = self.verdicts.entry(number, was), self.verdicts.entry(number, code)
            found = self._of_one[alike] = self._put(self._change(number, before, entry, False, dark))
        return found

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


def _changed(start: int, before: bytes, codes: bytes) -> list[tuple[int, int, int]]:
    pairs = enumerate(zip(before, codes, strict=True), start)
    return [(number, was, code) for number, (was, code) in pairs if was != code]


def _joined(parts: Sequence[Difference]) -> Differences:
    return Differences(
        [change for change, _, _ in parts],
        b",".join([told for _, told, _ in parts]),
        reduce(or_, [slots for _, _, slots in parts], 0),
    )
