"""What changed between two judgements of a service, and whether the service, the rule or the evidence did it. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from portal_backend.core.clock import format_time
from scorecards.checks.definitions import Axis, Status
from scorecards.settling import EvidenceKind
from scorecards.standing import OPEN, WAIVED_BLOCKER_CAP

Entry = Sequence[Any]
"""`[status, check version, rule digest]`, and a mark where there is one."""
Statuses = Mapping[str, Entry]
"""By check."""
SHADOW = "shadow"
"""The mark of a check that is not enforced yet."""


class ChangeCause(StrEnum):
    """Why a verdict changed."""

    SERVICE = "service_changed"
    RULE = "rule_changed"
    WAIVER = "waiver_changed"
    """A waiver began or ended."""
    ATTESTATION = "attestation_changed"
    """Somebody attested something, or an attestation ended."""
    INHERITANCE = "inheritance_changed"
    """A framework module began or ceased to answer for the service."""
    EVIDENCE_LOST = "evidence_lost"
    """A source went dark or its evidence grew stale: nothing is known to be worse."""
    EVIDENCE_GAINED = "evidence_gained"
    FIRST = "first_judged"


CAUSE_WORDS: Mapping[ChangeCause, tuple[str, str]] = {
    ChangeCause.SERVICE: ("the service changed", "the service changed"),
    ChangeCause.RULE: ("the checks changed, not the service", "the checks changed, not the service"),
    ChangeCause.WAIVER: ("a waiver was granted", "a waiver ended"),
    ChangeCause.ATTESTATION: (
        "somebody attested it",
        "an attestation ended, or the new one says that it does not hold",
    ),
    ChangeCause.INHERITANCE: ("a framework module answers for it", "a framework module no longer answers for it"),
    ChangeCause.EVIDENCE_LOST: ("evidence was lost", "evidence was lost, nothing is known to be worse"),
    ChangeCause.EVIDENCE_GAINED: ("evidence became available", "evidence became available"),
    ChangeCause.FIRST: ("it was judged for the first time", "it was judged for the first time"),
}
"""Of a level that rose, and of one that fell."""
WEIGHTIEST = tuple(ChangeCause)
"""A change of the service itself outweighs one of the rule, and that one of the evidence."""


class StatusChange(NamedTuple):
    """A check's verdict changed."""

    check: str
    from_status: str | None
    to_status: str | None
    cause: ChangeCause
    version: int
    axis: Axis | None
    bars: int | None
    """The level that the check bars while it does not pass."""


@dataclass(frozen=True, slots=True)
class LevelMove:
    """The overall level, or an axis's, moved."""

    axis: Axis | None
    """None: the overall level."""
    from_level: str | None
    to_level: str | None
    cause: ChangeCause
    checks: tuple[str, ...]
    """The checks whose verdicts moved it."""


@dataclass(frozen=True)
class LevelChange:
    """A service's overall level, or that of an axis, changed."""

    ref: str
    from_level: str | None
    to_level: str | None
    cause: ChangeCause
    at: datetime
    sentence: str
    checks: tuple[str, ...]
    """The checks whose verdicts moved it."""
    axis: Axis | None = None
    """None: the overall level."""

    @property
    def event_id(self) -> str:
        """Return an id that is the same however often this change is reported."""
        what = "level" if self.axis is None else self.axis.value
        return f"{self.ref}:{what}:{format_time(self.at)}:{self.from_level}:{self.to_level}:{self.cause}"


def change_cause(last: Entry | None, entry: Entry, first: bool, dark: bool) -> ChangeCause:
    """Say why a verdict is another than the last one; `dark`: it is unknown for want of the sources' evidence."""
    if first:
        return ChangeCause.FIRST
    if last is not None and len(last) == len(entry) == 3 and last[1:] == entry[1:] and _is_measured(last, entry):
        return _measured_cause(last[0], entry[0], dark)
    if last is None or list(last[1:3]) != list(entry[1:3]) or (SHADOW in last[3:]) is not (SHADOW in entry[3:]):
        return ChangeCause.RULE
    given = _given(last, entry)
    return given or _measured_cause(last[0], entry[0], dark)


PLAIN = frozenset({"pass", "fail", "unknown", "not_applicable"})


def _is_measured(last: Entry, entry: Entry) -> bool:
    """Say whether neither people nor modules had to do with either verdict: nearly always."""
    return last[0] in PLAIN and entry[0] in PLAIN


def _measured_cause(was: str, status: str, dark: bool) -> ChangeCause:
    if was == "unknown":
        return ChangeCause.EVIDENCE_GAINED
    if status == "unknown" and dark:
        return ChangeCause.EVIDENCE_LOST
    return ChangeCause.SERVICE


def _given(last: Entry, entry: Entry) -> ChangeCause | None:
    """Return the cause where people or modules made or ended the verdict; what was measured since outweighs them."""
    statuses = {last[0], entry[0]}
    if Status.WAIVED in statuses and not statuses.isdisjoint(OPEN):
        return ChangeCause.WAIVER
    if Status.INHERITED in statuses and statuses <= {Status.INHERITED, Status.UNKNOWN}:
        return ChangeCause.INHERITANCE
    was_attested, is_attested = EvidenceKind.ATTESTED in last[3:], EvidenceKind.ATTESTED in entry[3:]
    if is_attested or (was_attested and entry[0] == Status.UNKNOWN):
        return ChangeCause.ATTESTATION
    return None


def level_move(
    axis: Axis | None,
    before: str | None,
    after: str | None,
    first: bool,
    changes: Collection[StatusChange],
    by_points: bool = False,
) -> LevelMove | None:
    """Return how a level moved, and by what; None when it stayed.

    `by_points`: checks of every level take part in it.
    """
    if before == after:
        return None
    if first:
        return LevelMove(axis, None, after, ChangeCause.FIRST, ())
    fell = (after or "") < (before or "")
    of_axis = [change for change in changes if axis is None or change.axis is axis]
    relevant = _relevant(of_axis, fell, "L4" if by_points else max(before or "L0", after or "L0"))
    if not relevant and "L0" in {before, after}:
        # An axis on which nothing passes stands at L0, whatever the level of the check that passed last.
        relevant = _relevant(of_axis, fell, "L4")
    if fell and not by_points:
        relevant = _decisive(relevant, after or "L0") or relevant
    causes = {change.cause for change in relevant}
    cause = next((cause for cause in WEIGHTIEST if cause in causes), ChangeCause.RULE)
    return LevelMove(axis, before, after, cause, tuple(change.check for change in relevant if change.cause is cause))


def _relevant(changes: Collection[StatusChange], fell: bool, higher: str) -> list[StatusChange]:
    """Return the changes that moved the level: into not passing when it fell, out of it when it rose."""
    top, sign = int(higher[1:]), 1 if fell else -1
    return [
        change
        for change in changes
        if change.bars is not None
        and change.bars <= top
        and ((HARM.get(change.to_status, 0) - HARM.get(change.from_status, 0)) * sign > 0 or _crossed_its_day(change))
    ]


def _crossed_its_day(change: StatusChange) -> bool:
    """Say whether a check that does not pass came out of shadow, or went into it: its verdict is the same."""
    return change.from_status == change.to_status and change.to_status in HARM and change.cause is ChangeCause.RULE


def _decisive(changes: Collection[StatusChange], after: str) -> list[StatusChange]:
    """Return the changes without any of which the level would stand higher: those that bar the next one."""
    level = int(after[1:])
    return [
        change
        for change in changes
        if (level == WAIVED_BLOCKER_CAP if change.to_status == Status.WAIVED else change.bars == level + 1)
    ]


HARM: Mapping[str | None, int] = {**dict.fromkeys(map(str, OPEN), 2), str(Status.WAIVED): 1}
"""Verdicts by what they do to a level; all others do nothing."""


def level_change(ref: str, move: LevelMove, at: datetime) -> LevelChange:
    """Return a move of a level in words."""
    return LevelChange(ref, move.from_level, move.to_level, move.cause, at, sentence_of(move), move.checks, move.axis)


NAMED = 6
"""As many checks as a sentence names; `checks` beside it has all."""


def _named(checks: Sequence[str]) -> str:
    """Name checks; where they are many, the first of them and how many more there are."""
    if len(checks) <= NAMED:
        return ", ".join(checks)
    return f"{', '.join(checks[: NAMED - 1])} and {len(checks) - NAMED + 1} more"


def sentence_of(move: LevelMove) -> str:
    """Say how a level moved, and by what."""
    of = f"{move.axis.value}: " if move.axis else ""
    if move.cause is ChangeCause.FIRST:
        return f"{of}Judged for the first time: {move.to_level}."
    fell = (move.to_level or "") < (move.from_level or "")
    by = f" by {_named(move.checks)}" if move.checks else ""
    verb = "Fell" if fell else "Rose"
    levels = f"from {move.from_level or 'no level'} to {move.to_level or 'no level'}"
    return f"{of}{verb} {levels}{by}: {CAUSE_WORDS[move.cause][fell]}."
