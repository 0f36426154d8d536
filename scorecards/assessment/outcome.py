"""What judging services leaves to be written: a row each, and a row of changes where something changed. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import orjson

from scorecards.assessment.assess import Assessment
from scorecards.assessment.counting import Standing
from scorecards.assessment.differences import Comparer, Differences
from scorecards.assessment.evidence import Seen
from scorecards.assessment.plan import Plan
from scorecards.assessment.verdicts import LETTER_OF, Last, Verdicts
from scorecards.changes import (
    ChangeCause,
    LevelChange,
    LevelMove,
    StatusChange,
    level_change,
    level_move,
    stored_move,
)
from scorecards.checks.definitions import REQUIRED_LEVELS, Axis, Status, Subject, level_name
from scorecards.checks.ladder import Ladder
from scorecards.standing import UNKNOWN

AXES = list(Axis)
PARTS = ("level", "percent", "coverage")


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


class Writer:
    """Turns judgements by one catalogue at one moment into rows; what recurs is put into words once."""

    def __init__(self, plan: Plan, sources_version: str, now: datetime) -> None:
        self.plan = plan
        self.sources_version = sources_version
        self.now = now
        self.verdicts = Verdicts(plan, now)
        self.comparer = Comparer(plan, self.verdicts)

    def written(self, judged: Sequence[Judged], before: Mapping[str, Last]) -> Written:
        """Return what is to be written of services, given what their last judgements left."""
        found = Written([], [], [], [])
        for one in judged:
            self._add(found, one, before.get(one.subject.ref))
        return found

    def _add(self, found: Written, one: Judged, last: Last | None) -> None:
        assessment = one.assessment
        standings = assessment.standings
        about = self._about(one)
        document = self._document(assessment)
        fingerprint = self._fingerprint(about, standings, assessment, document)
        times = {
            "entity_ref": one.subject.ref,
            "evaluated_at": self.now,
            "valid_until": assessment.valid_until,
            "catalogue_version": self.plan.catalogue.version,
            "sources_version": self.sources_version,
        }
        if last and last.fingerprint == fingerprint:
            found.unchanged.append(times)
            return
        row = about | times
        row["fingerprint"] = fingerprint
        row["document"] = document
        row.update(zip(COLUMNS, chain(*standings), strict=True))
        row["statuses"] = self.verdicts.statuses(assessment)
        found.rows.append(row)
        self._compare(found, one, row["frozen_until"], standings, last)

    def _about(self, one: Judged) -> dict[str, Any]:
        subject, assessment = one.subject, one.assessment
        return {
            "entity_ref": subject.ref,
            "required_level": level_name(REQUIRED_LEVELS.get(subject.criticality or "")),
            "next_step": one.next_step,
            "owner": subject.owner,
            "system": subject.system,
            "type": subject.type,
            "lifecycle": subject.lifecycle,
            "criticality": subject.criticality,
            "frozen_until": frozen_until(assessment, self.plan.ladder),
            "awaits_evidence": assessment.awaits_evidence,
        }

    def _document(self, assessment: Assessment) -> bytes:
        kept: dict[str, Any] = {}
        if self.verdicts.is_plain(assessment):
            kept["verdicts"] = assessment.codes.translate(LETTER_OF).decode()
        if assessment.held:
            kept["held"] = {check: [held.source, held.since, held.until] for check, held in assessment.held.items()}
        return orjson.dumps(kept)

    def _fingerprint(
        self, about: Mapping[str, Any], standings: Sequence[Standing], assessment: Assessment, document: bytes
    ) -> str:
        """The checks' version takes part: a new version of a check is kept even where it leads to the same verdict."""
        marks = sorted(self.verdicts.marks(assessment).items())
        version = self.plan.catalogue.version
        seen = orjson.dumps([list(about.values()), standings, version, assessment.codes.hex(), marks])
        return hashlib.sha256(seen + document).hexdigest()[:32]

    def _compare(
        self,
        found: Written,
        one: Judged,
        frozen_until: datetime | None,
        standings: Sequence[Standing],
        last: Last | None,
    ) -> None:
        differences = self.comparer.differences(one.assessment, last)
        moves = self._moves(one.assessment, standings, last, differences)
        if last and not differences.each and not moves and list(last.standings) == list(chain(*standings)):
            return
        rest = {
            "values": self.comparer.values(differences, one.seen),
            "levels": [stored_move(move) for move in moves],
            "shadow": differences.shadow() if self.verdicts.any_shadow else [],
            "frozen_until": frozen_until,
        }
        found.changes.append(
            {
                "entity_ref": one.subject.ref,
                "at": self.now,
                "catalogue_version": self.plan.catalogue.version,
                "standings": standings,
                "document": b'{"verdicts":[' + differences.told() + b"]," + orjson.dumps(rest)[1:],
            }
        )
        found.moved += [level_change(one.subject.ref, move, self.now) for move in moves if move.axis is None]

    def _moves(
        self,
        assessment: Assessment,
        standings: Sequence[Standing],
        last: Last | None,
        differences: Differences,
    ) -> list[LevelMove]:
        """Return the levels that moved. What an outage holds moves none, and does when the grace period is over."""
        old = last.standings[::3] if last else [None] * (len(AXES) + 1)
        new = [standing[0] for standing in standings]
        if list(old) == new:
            return []
        moving = differences.changes()
        if assessment.held:
            moving = [change for change in moving if change.check not in assessment.held]
        if last:
            moving += self._released(assessment, last)
        bearing = _by_axis(moving)
        moves = [
            level_move(axis, before, after, last is None, bearing[axis], self.plan.ladder.by_points)
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


def _by_axis(changes: Sequence[StatusChange]) -> Mapping[Axis | None, Sequence[StatusChange]]:
    """Return which changes may have moved each level, the overall one under None; a check that is gone has no axis."""
    found: dict[Axis | None, list[StatusChange]] = {axis: [] for axis in [None, *AXES]}
    for change in changes:
        found[change.axis].append(change)
    gone = found[None]
    return {**{axis: [*found[axis], *gone] for axis in AXES}, None: changes}


COLUMNS = [*PARTS, *[f"{axis}_{part}" for axis in AXES for part in PARTS]]


def frozen_until(assessment: Assessment, ladder: Ladder) -> datetime | None:
    """Return when the first level that an outage holds falls; None when none is held."""
    if not assessment.held:
        return None
    present = [assessment.overall.level(ladder), *[axis.level(ladder) for axis in assessment.axes]]
    if list(assessment.levels) == present:
        return None
    return min(kept.until for kept in assessment.held.values())
