"""Verdicts as they are kept: a letter each, and in a long form that tells the version of the check. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from scorecards.assessment.assess import Assessment
from scorecards.assessment.plan import Plan
from scorecards.changes import SHADOW, Entry, Statuses
from scorecards.checks.definitions import Status
from scorecards.holding import Held, Hold
from scorecards.standing import STATUSES

WORDS = [status.value for status in STATUSES]
LETTERS = "pfunwi"
"""A letter for each verdict, in the order of STATUSES: how verdicts are kept beside the long form."""
LETTER_OF = bytes.maketrans(bytes(range(len(LETTERS))), LETTERS.encode())
CODE_OF = bytes.maketrans(LETTERS.encode(), bytes(range(len(LETTERS))))
PASSING = ("p", "i")
Marks = Mapping[int, list[str]]
"""What is to be said of a check's verdict besides its word: that it is attested, that it does not count yet."""
UNMARKED: Marks = {}


@dataclass(frozen=True)  # travels between processes: with slots that takes twice as long
class Last:
    """What the last judgement of a service left."""

    fingerprint: str
    verdicts: str | None
    """A letter for each check, when it was judged by the checks of today in plain form; then `statuses` is not read."""
    statuses: Statuses
    standings: Sequence[Any]
    """Level, percent and coverage over all, then of each axis, in one row."""
    held: Held


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


class Verdicts:
    """Writes the verdicts of one catalogue at one moment, each once for all services."""

    def __init__(self, plan: Plan, now: datetime) -> None:
        self.plan = plan
        self._shadow = [one.number for one in plan.checks if not one.check.enforced(now)]
        self._written = [
            [orjson.dumps({one.check.id: [word, one.check.version, one.check.digest]})[1:-1] for word in WORDS]
            for one in plan.checks
        ]

    @property
    def any_shadow(self) -> bool:
        """Some check is not enforced."""
        return bool(self._shadow)

    def is_plain(self, assessment: Assessment) -> bool:
        """Say whether no verdict is marked in any way."""
        return not assessment.kinds and not self._shadow

    def marks(self, assessment: Assessment) -> Marks:
        """Return the marks of a service's verdicts."""
        if self.is_plain(assessment):
            return UNMARKED
        marks = {number: [kind.value] for number, kind in assessment.kinds.items()}
        for number in self._shadow:
            marks[number] = [*marks.get(number, []), SHADOW]
        return marks

    def entry(self, number: int, code: int, marks: Marks = UNMARKED) -> Entry:
        """Return a verdict in its long form."""
        check = self.plan.checks[number].check
        return [WORDS[code], check.version, check.digest, *marks.get(number, [])]

    def statuses(self, assessment: Assessment) -> bytes:
        """Write the verdicts in their long form."""
        codes = assessment.codes
        parts = [written[code] for written, code in zip(self._written, codes, strict=True)]
        marks = self.marks(assessment)
        for number in marks:
            parts[number] = orjson.dumps({self.plan.checks[number].check.id: self.entry(number, codes[number], marks)})[
                1:-1
            ]
        return b"{" + b",".join(parts) + b"}"

    def statuses_of(self, last: Last) -> Statuses:
        """Return the last verdicts in their long form."""
        if last.verdicts is None:
            return last.statuses
        rows = zip(self.plan.checks, last.verdicts, strict=True)
        return {one.check.id: self.entry(one.number, LETTERS.index(letter)) for one, letter in rows}
