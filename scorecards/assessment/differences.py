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


class Comparer:
    """Finds what changed since the last judgements."""

    def __init__(self, plan: Plan, verdicts: Verdicts) -> None:
        self.plan = plan
        self.verdicts = verdicts
        self._slots = [sum(1 << slot for slot in set(prepared.slots)) for prepared in plan.checks]
        self._keys = [slot.key for slot in plan.slots]
        self._numbers = range(len(plan.checks))
        self._of_one: dict[tuple[int, ...], Difference] = {}
        self._of_unknown: dict[tuple[int, ...], Difference] = {}
        """Of checks that became unknown: why is part of the key."""
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
        unknowns, of_one = assessment.unknowns, self._of_one
        found = []
        for alike in zip(self._numbers, before, assessment.codes, strict=True):
            number, was, code = alike
            if was != code:
                one = of_one.get(alike)
                if one is None:
                    dark = code == UNKNOWN and unknowns.is_dark(number)
                    one = self._one(number, was, code, dark)
                found.append(one)
        return _joined(found)

    def _one(self, number: int, was: int, code: int, dark: bool) -> Difference:
        known = self._of_unknown if code == UNKNOWN else self._of_one
        alike = (number, was, code, dark) if code == UNKNOWN else (number, was, code)
        found = known.get(alike)
        if found is None:
            before, entry = self.verdicts.entry(number, was), self.verdicts.entry(number, code)
            found = known[alike] = self._put(self._change(number, before, entry, False, dark))
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


def _joined(parts: Sequence[Difference]) -> Differences:
    return Differences(
        [change for change, _, _ in parts],
        b",".join([told for _, told, _ in parts]),
        reduce(or_, [slots for _, _, slots in parts], 0),
    )
