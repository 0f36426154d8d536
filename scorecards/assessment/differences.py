"""What changed between two judgements of a service; a change that recurs is put into words once. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import compress
from operator import add, getitem, or_
from typing import Any

import orjson

from scorecards.assessment.assess import Assessment
from scorecards.assessment.evidence import Seen
from scorecards.assessment.plan import Plan
from scorecards.assessment.unknowns import Unknowns
from scorecards.assessment.verdicts import CODE_OF, Last, Verdicts
from scorecards.changes import SHADOW, ChangeCause, Edit, Entry, StatusChange, change_cause, edit_of
from scorecards.checks.definitions import Status
from scorecards.standing import STATUSES, UNKNOWN

BYTE = 8
NOT_JUDGED = len(STATUSES)
"""Beside the verdicts before: there is none."""
DARK = len(STATUSES)
"""Beside the verdicts after: unknown, which is owed to the sources."""
KINDS = len(STATUSES) + 1
TIMES_KINDS = bytes(KINDS * code if code < KINDS else 0 for code in range(256))
"""A verdict before, times this, plus the one after is a number for the two."""

Difference = tuple[StatusChange, bytes, int]
"""A changed verdict; the same as it is stored, which `retelling.Told` reads; the slots that it rests on, a byte each: 1
or 0."""


@dataclass(frozen=True, slots=True)
class Differences:
    """Changed verdicts of one service."""

    each: Sequence[Difference]

    def changes(self) -> list[StatusChange]:
        """Return them one by one."""
        return [change for change, _, _ in self.each]

    def told(self) -> bytes:
        """Return them as they are stored, the inside of a JSON array."""
        return b",".join([told for _, told, _ in self.each])

    def shadow(self) -> list[str]:
        """Return the checks among them that are in shadow."""
        return [change.check for change, _, _ in self.each if change.shadow]

    def slots(self) -> int:
        """Return the slots that they rest on, a byte each."""
        return reduce(or_, [slots for _, _, slots in self.each], 0)


class Comparer:
    """Finds what changed since the last judgements."""

    def __init__(self, plan: Plan, verdicts: Verdicts) -> None:
        self.plan = plan
        self.verdicts = verdicts
        self._slots = [sum(1 << BYTE * slot for slot in set(prepared.slots)) for prepared in plan.checks]
        self._keys = [slot.key for slot in plan.slots]
        self._never = bytes([NOT_JUDGED] * len(plan.checks))
        self._turned = [_Turned(number, self._one) for number in range(len(plan.checks))]

    def differences(self, assessment: Assessment, last: Last | None) -> Differences:
        """Return the verdicts that are others than the last ones, and those whose checks were edited meanwhile."""
        if (last is None or last.verdicts is not None) and self.verdicts.is_plain(assessment):
            return self._plain(assessment, last.verdicts if last else None)
        return Differences([self._put(change) for change in self._all(assessment, last)])

    def values(self, found: Differences, seen: Seen) -> dict[str, Any]:
        """Return the values that changed verdicts rest on: their sentences are made from them when they are read."""
        resting = found.slots().to_bytes(len(self._keys), "little")
        rows = compress(zip(self._keys, seen.values, strict=True), resting)
        return {key: value for key, value in rows if value is not None}

    def _plain(self, assessment: Assessment, letters: str | None) -> Differences:
        """Compare with a judgement by the same checks, or with none, where no verdict is marked in any way."""
        before, codes = self._never, assessment.codes
        if letters is not None:
            before = letters.encode().translate(CODE_OF)
            codes = _with_dark(codes, before, assessment.unknowns)
        pairs = map(add, before.translate(TIMES_KINDS), codes)
        return Differences(list(filter(None, map(getitem, self._turned, pairs))))

    def _one(self, number: int, was: int, code: int) -> Difference:
        """Return the change of one verdict, which is marked in no way."""
        before = None if was == NOT_JUDGED else self.verdicts.entry(number, was)
        entry = self.verdicts.entry(number, UNKNOWN if code == DARK else code)
        return self._put(self._change(number, before, entry, before is None, code == DARK))

    def _put(self, change: StatusChange) -> Difference:
        number = self.plan.number_of.get(change.check)
        digest = None if number is None else self.plan.checks[number].check.digest
        edited = change.edit is Edit.EDITED and change.from_status == change.to_status
        told = orjson.dumps([*change[:5], digest, *([change.from_version] if edited else [])])
        return change, told, 0 if number is None else self._slots[number]

    def _all(self, assessment: Assessment, last: Last | None) -> list[StatusChange]:
        before = self.verdicts.statuses_of(last) if last else {}
        marks = self.verdicts.marks(assessment)
        changes = []
        for prepared in self.plan.checks:
            number = prepared.number
            code = assessment.codes[number]
            entry, was = self.verdicts.entry(number, code, marks), before.get(prepared.check.id)
            if was is not None and was[0] == entry[0] and _says_the_same(was, entry):
                continue
            dark = code == UNKNOWN and assessment.unknowns.is_dark(number)
            changes.append(self._change(number, was, entry, last is None, dark))
        for gone in before.keys() - self.plan.number_of.keys():
            was = before[gone]
            changes.append(
                StatusChange(
                    gone, was[0], None, ChangeCause.RULE, was[1], None, None, was[1], Edit.REMOVED, SHADOW in was[3:]
                )
            )
        return changes

    def _change(self, number: int, was: Entry | None, entry: Entry, first: bool, dark: bool) -> StatusChange:
        check = self.plan.checks[number].check
        return StatusChange(
            check.id,
            was[0] if was else None,
            entry[0],
            change_cause(was, entry, first, dark),
            check.version,
            check.axis,
            check.bars,
            was[1] if was else None,
            edit_of(was, entry),
            SHADOW in entry[3:],
        )


def _says_the_same(was: Entry, entry: Entry) -> bool:
    """Say whether a verdict of the same word is the same; an edit of a check that does not apply changes nothing."""
    if list(was[1:]) == list(entry[1:]):
        return True
    return entry[0] == Status.NOT_APPLICABLE and list(was[3:]) == list(entry[3:])


class _Turned(dict[int, Difference | None]):
    """How one check's verdict changes, None where it does not; services on which it changed alike share the answer."""

    def __init__(self, number: int, find: Callable[[int, int, int], Difference]) -> None:
        super().__init__()
        self._number = number
        self._find = find

    def __missing__(self, pair: int) -> Difference | None:
        was, code = divmod(pair, KINDS)
        found = self[pair] = None if was == code else self._find(self._number, was, code)
        return found


def _with_dark(codes: bytes, before: bytes, unknowns: Unknowns) -> bytes:
    """Return the verdicts after, where those that became unknown for want of the sources' evidence are told apart."""
    marked = bytearray(codes)
    number = codes.find(UNKNOWN)
    while number >= 0:
        if before[number] != UNKNOWN and unknowns.is_dark(number):
            marked[number] = DARK
        number = codes.find(UNKNOWN, number + 1)
    return bytes(marked)
