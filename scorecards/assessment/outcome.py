"""What judging services leaves to be written: a row each, and a row of changes where something changed. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from scorecards.assessment.assess import Assessment
from scorecards.assessment.evidence import Seen
from scorecards.assessment.plan import Plan
from scorecards.changes import (
    SHADOW,
    ChangeCause,
    Entry,
    LevelChange,
    LevelMove,
    StatusChange,
    Statuses,
    change_cause,
    level_change,
    level_move,
)
from scorecards.checks.definitions import REQUIRED_LEVELS, Axis, Status, Subject, level_name
from scorecards.holding import Held, Hold
from scorecards.standing import STATUSES, UNKNOWN

WORDS = [status.value for status in STATUSES]
LETTERS = "pfunwi"
"""A letter for each verdict, in the order of STATUSES: how verdicts are kept beside the long form."""
LETTER_OF = bytes.maketrans(bytes(range(len(LETTERS))), LETTERS.encode())
CODE_OF = bytes.maketrans(LETTERS.encode(), bytes(range(len(LETTERS))))
PASSING = ("p", "i")
AXES = list(Axis)
PARTS = ("level", "percent", "coverage")
Difference = tuple[StatusChange, bytes]
"""A changed verdict, and how it is stored."""
TIMES = ("entity_ref", "evaluated_at", "valid_until", "catalogue_version", "sources_version")


@dataclass(frozen=True, slots=True)
class Last:
    """What the last judgement of a service left."""

    fingerprint: str
    verdicts: str | None
    """A letter for each check, when it was judged by the checks of today in plain form; then `statuses` is not read."""
    statuses: Statuses
    standings: Sequence[Any]
    """Level, percent and coverage over all, then of each axis, in one row."""
    held: Held


@dataclass(slots=True)
class Judged:
    """One service, judged."""

    subject: Subject
    assessment: Assessment
    seen: Seen
    next_step: str | None


@dataclass(slots=True)
class Written:
    """What is to be written of some services."""

    rows: list[dict[str, Any]]
    """Of the table of scorecards; `statuses` is JSON already."""
    unchanged: list[dict[str, Any]]
    """Of the same, what an unchanged one learns: until when it holds now."""
    changes: list[dict[str, Any]]
    moved: list[LevelChange]
    """The overall levels that moved."""


def hold_of(last: Last | None, plan: Plan, grace: timedelta) -> Hold | None:
    """Return what an outage may hold on to: checks that passed, under the rules of today."""
    if last is None:
        return None
    if last.verdicts is not None:
        rows = zip(plan.checks, last.verdicts, strict=True)
        return Hold(frozenset(one.check.id for one, letter in rows if letter in PASSING), last.held, grace)
    passing = frozenset(
        check
        for check, entry in last.statuses.items()
        if entry[0] in (Status.PASS, Status.INHERITED)
        and (known := plan.catalogue.checks.get(check))
        and known.digest == entry[2]
    )
    return Hold(passing, last.held, grace)


class Writer:
    """Turns judgements by one catalogue at one moment into rows; what recurs is put into words once."""

    def __init__(self, plan: Plan, sources_version: str, now: datetime) -> None:
        self.plan = plan
        self.sources_version = sources_version
        self.now = now
        self._shadow = [one.number for one in plan.checks if not one.check.enforced(now)]
        self._written = [
            [orjson.dumps({one.check.id: [word, one.check.version, one.check.digest]})[1:-1] for word in WORDS]
            for one in plan.checks
        ]
        self._slots = [prepared.slots for prepared in plan.checks]
        self._keys = [slot.key for slot in plan.slots]
        self._seen_before: dict[tuple[int, int, int, bool], Difference] = {}

    def written(self, judged: Sequence[Judged], before: Mapping[str, Last]) -> Written:
        """Return what is to be written of services, given what their last judgements left."""
        found = Written([], [], [], [])
        for one in judged:
            self._add(found, one, before.get(one.subject.ref))
        return found

    def _add(self, found: Written, one: Judged, last: Last | None) -> None:
        row, standings = self._row(one)
        if last and last.fingerprint == row["fingerprint"]:
            found.unchanged.append({name: row[name] for name in TIMES})
            return
        row["statuses"] = self._statuses(one.assessment)
        found.rows.append(row)
        self._compare(found, one, row, standings, last)

    def _marks(self, assessment: Assessment) -> dict[int, list[str]]:
        """Return what is to be said of a verdict besides its word: that it is attested, that it does not count yet."""
        marks: dict[int, list[str]] = {number: [kind.value] for number, kind in assessment.kinds.items()}
        for number in self._shadow:
            marks[number] = [*marks.get(number, []), SHADOW]
        return marks

    def _entry(self, number: int, code: int, marks: Mapping[int, list[str]]) -> Entry:
        check = self.plan.checks[number].check
        return [WORDS[code], check.version, check.digest, *marks.get(number, [])]

    def _statuses(self, assessment: Assessment) -> bytes:
        """Write the verdicts in their long form; most of it is the same for every service."""
        marks = self._marks(assessment)
        parts = [written[code] for written, code in zip(self._written, assessment.codes, strict=True)]
        for number in marks:
            entry = self._entry(number, assessment.codes[number], marks)
            parts[number] = orjson.dumps({self.plan.checks[number].check.id: entry})[1:-1]
        return b"{" + b",".join(parts) + b"}"

    def _row(self, one: Judged) -> tuple[dict[str, Any], list[list[Any]]]:
        subject, assessment, version = one.subject, one.assessment, self.plan.catalogue.version
        required = level_name(REQUIRED_LEVELS.get(subject.criticality or ""))
        standings = standings_of(assessment)
        marks = self._marks(assessment) if assessment.kinds or self._shadow else {}
        kept: dict[str, Any] = {}
        if not marks:
            kept["verdicts"] = assessment.codes.translate(LETTER_OF).decode()
        if assessment.held:
            kept["held"] = {check: [held.source, held.since, held.until] for check, held in assessment.held.items()}
        document = orjson.dumps(kept)
        row: dict[str, Any] = {
            "entity_ref": subject.ref,
            "required_level": required,
            "next_step": one.next_step,
            "owner": subject.owner,
            "system": subject.system,
            "type": subject.type,
            "lifecycle": subject.lifecycle,
            "criticality": subject.criticality,
            "frozen_until": frozen_until(assessment, self.plan.top),
            "awaits_evidence": assessment.awaits_evidence,
        }
        # The checks' version takes part: a new version of a check is kept even where it leads to the same verdict.
        seen = orjson.dumps([list(row.values()), standings, version, assessment.codes.hex(), sorted(marks.items())])
        row |= {
            "evaluated_at": self.now,
            "valid_until": assessment.valid_until,
            "catalogue_version": version,
            "sources_version": self.sources_version,
            "fingerprint": hashlib.sha256(seen + document).hexdigest()[:32],
            "document": document,
            "level": standings[0][0],
            "percent": standings[0][1],
            "coverage": standings[0][2],
        }
        for (level, percent, coverage), standing in zip(COLUMNS, standings[1:], strict=True):
            row[level], row[percent], row[coverage] = standing
        return row, standings

    def _compare(
        self, found: Written, one: Judged, row: Mapping[str, Any], standings: list[list[Any]], last: Last | None
    ) -> None:
        differences = self._differences(one.assessment, last)
        moves = self._moves(one.assessment, standings, last, [change for change, _ in differences])
        flat = [part for standing in standings for part in standing]
        if last and not differences and not moves and list(last.standings) == flat:
            return
        document = {
            "verdicts": [orjson.Fragment(told) for _, told in differences],
            "values": self._values([change for change, _ in differences], one.seen),
            "levels": [[move.axis, move.from_level, move.to_level, move.cause, move.checks] for move in moves],
            "frozen_until": row["frozen_until"],
        }
        found.changes.append(
            {
                "entity_ref": one.subject.ref,
                "at": self.now,
                "catalogue_version": self.plan.catalogue.version,
                "standings": standings,
                "document": orjson.dumps(document),
            }
        )
        found.moved += [level_change(one.subject.ref, move, self.now) for move in moves if move.axis is None]

    def _differences(self, assessment: Assessment, last: Last | None) -> list[Difference]:
        if last and last.verdicts is not None and not assessment.kinds and not self._shadow:
            return self._plain_differences(assessment, last.verdicts.encode())
        return [(change, self._told(change)) for change in self._all_differences(assessment, last)]

    def _plain_differences(self, assessment: Assessment, verdicts: bytes) -> list[Difference]:
        """Compare with a judgement by the same checks, where no verdict is marked in any way."""
        found = []
        seen_before, unknowns, codes = self._seen_before, assessment.unknowns, assessment.codes
        before = verdicts.translate(CODE_OF)
        for number, (was, code) in enumerate(zip(before, codes, strict=True)):
            if was == code:
                continue
            dark = code == UNKNOWN and unknowns.is_dark(number)
            key = (number, was, code, dark)
            difference = seen_before.get(key)
            if difference is None:
                entry = self._entry(number, code, {})
                change = self._change(number, [WORDS[was], *entry[1:]], entry, False, dark)
                difference = seen_before[key] = change, self._told(change)
            found.append(difference)
        return found

    def _all_differences(self, assessment: Assessment, last: Last | None) -> list[StatusChange]:
        before = self._statuses_of(last) if last else {}
        marks = self._marks(assessment)
        changes = []
        for prepared in self.plan.checks:
            number = prepared.number
            code = assessment.codes[number]
            entry, was = self._entry(number, code, marks), before.get(prepared.check.id)
            if was is not None and was[0] == entry[0] and list(was[3:]) == list(entry[3:]):
                continue
            dark = code == UNKNOWN and assessment.unknowns.is_dark(number)
            changes.append(self._change(number, was, entry, last is None, dark))
        for gone in before.keys() - self.plan.number_of.keys():
            was = before[gone]
            changes.append(StatusChange(gone, was[0], None, ChangeCause.RULE, was[1], None, None))
        return changes

    def _statuses_of(self, last: Last) -> Statuses:
        if last.verdicts is None:
            return last.statuses
        rows = zip(self.plan.checks, last.verdicts, strict=True)
        return {one.check.id: self._entry(one.number, LETTERS.index(letter), {}) for one, letter in rows}

    def _change(self, number: int, was: Entry | None, entry: Entry, first: bool, dark: bool) -> StatusChange:
        check = self.plan.checks[number].check
        cause = change_cause(was, entry, first, dark)
        return StatusChange(check.id, was[0] if was else None, entry[0], cause, check.version, check.axis, check.bars)

    def _moves(
        self,
        assessment: Assessment,
        standings: Sequence[Sequence[Any]],
        last: Last | None,
        differences: Sequence[StatusChange],
    ) -> list[LevelMove]:
        """Return the levels that moved. What an outage holds moves none, and does when the grace period is over."""
        old = last.standings[::3] if last else [None] * (len(AXES) + 1)
        new = [standing[0] for standing in standings]
        if list(old) == new:
            return []
        moving = [change for change in differences if change.check not in assessment.held]
        if last and last.held:
            moving += self._released(assessment, last)
        moves = [
            level_move(axis, before, after, last is None, moving)
            for axis, before, after in zip([None, *AXES], old, new, strict=True)
            if before != after
        ]
        return [move for move in moves if move]

    def _released(self, assessment: Assessment, last: Last) -> list[StatusChange]:
        """Return the checks whose grace period ended and whose source is still silent."""
        released = []
        for check_id in last.held.keys() - assessment.held.keys():
            check = self.plan.catalogue.checks.get(check_id)
            if check and assessment.codes[self.plan.number_of[check_id]] == UNKNOWN:
                lost = ChangeCause.EVIDENCE_LOST
                change = StatusChange(
                    check_id, Status.PASS, Status.UNKNOWN, lost, check.version, check.axis, check.bars
                )
                released.append(change)
        return released

    def _told(self, change: StatusChange) -> bytes:
        """Return a changed verdict as it is stored; `retelling.Told` reads it."""
        number = self.plan.number_of.get(change.check)
        digest = self.plan.checks[number].check.digest if number is not None else None
        return orjson.dumps([*change[:5], digest])

    def _values(self, changes: Sequence[StatusChange], seen: Seen) -> dict[str, Any]:
        """Return the values that changed verdicts rest on: their sentences are made from them when they are read."""
        number_of, slots, keys, values = self.plan.number_of, self._slots, self._keys, seen.values
        rested_on = set[int]().union(*[slots[number_of[one.check]] for one in changes if one.check in number_of])
        return {keys[slot]: values[slot] for slot in rested_on if values[slot] is not None}


COLUMNS = [tuple(f"{axis}_{part}" for part in PARTS) for axis in AXES]


def standings_of(assessment: Assessment) -> list[list[Any]]:
    """Return level, percent and coverage over all, then of each axis."""
    parts = zip(assessment.levels, [assessment.overall, *assessment.axes], strict=True)
    return [[level_name(level), one.percent, one.coverage] for level, one in parts]


def frozen_until(assessment: Assessment, top: int) -> datetime | None:
    """Return when the first level that an outage holds falls; None when none is held."""
    if not assessment.held:
        return None
    present = [assessment.overall.level(top), *[axis.level(top) for axis in assessment.axes]]
    if list(assessment.levels) == present:
        return None
    return min(kept.until for kept in assessment.held.values())
