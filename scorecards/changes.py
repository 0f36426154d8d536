"""What changed between two judgements of a service, and whether the service, the rule or the evidence did it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from portal_backend.core.clock import format_time
from scorecards.checks.definitions import Status, level_name
from scorecards.evaluation import CheckResult
from scorecards.evidence.causes import CauseKind, Party
from scorecards.grading import Grade

OPEN = frozenset({Status.FAIL, Status.UNKNOWN})
Statuses = Mapping[str, Sequence[Any]]
"""By check: `[status, check version, rule digest]`."""


class ChangeCause(StrEnum):
    """Why a verdict changed."""

    SERVICE = "service_changed"
    RULE = "rule_changed"
    EVIDENCE_LOST = "evidence_lost"
    """A source went dark or its evidence grew stale: nothing is known to be worse."""
    EVIDENCE_GAINED = "evidence_gained"
    FIRST = "first_judged"


CAUSE_WORDS: Mapping[ChangeCause, str] = {
    ChangeCause.SERVICE: "the service changed",
    ChangeCause.RULE: "the checks changed, not the service",
    ChangeCause.EVIDENCE_LOST: "evidence was lost, nothing is known to be worse",
    ChangeCause.EVIDENCE_GAINED: "evidence became available",
    ChangeCause.FIRST: "it was judged for the first time",
}


@dataclass(frozen=True)
class StatusChange:
    """A check's verdict changed."""

    check: str
    from_status: Status | None
    to_status: Status | None
    cause: ChangeCause
    version: int
    sentence: str
    bars: int | None
    """The level that the check bars while it does not pass."""


@dataclass(frozen=True)
class LevelChange:
    """A service's overall level changed."""

    ref: str
    from_level: str | None
    to_level: str | None
    cause: ChangeCause
    at: datetime
    sentence: str
    checks: tuple[str, ...]
    """The checks whose verdicts moved it."""

    @property
    def event_id(self) -> str:
        """Return an id that is the same however often this change is reported."""
        return f"{self.ref}:level:{format_time(self.at)}:{self.from_level}:{self.to_level}"


def statuses_of(grade: Grade) -> dict[str, list[Any]]:
    """Return the verdicts in the short form in which the next judgement compares them."""
    return {
        result.check.id: [result.status.value, result.check.version, result.check.digest] for result in grade.results
    }


def status_changes(before: Statuses | None, grade: Grade) -> list[StatusChange]:
    """Compare the verdicts with those of the last judgement (None: there was none)."""
    changes = [
        change
        for result in grade.results
        if (change := _status_change((before or {}).get(result.check.id), before, result))
    ]
    judged = {result.check.id for result in grade.results}
    for check, (status, version, _) in (before or {}).items():
        if check not in judged:
            sentence = "The catalogue no longer has this check."
            changes.append(StatusChange(check, Status(status), None, ChangeCause.RULE, version, sentence, None))
    return changes


def _status_change(last: Sequence[Any] | None, before: Statuses | None, result: CheckResult) -> StatusChange | None:
    check = result.check
    was = Status(last[0]) if last else None
    if was is result.status:
        return None
    cause = _cause(was, last, before is None, result)
    return StatusChange(check.id, was, result.status, cause, check.version, result.sentence, check.bars)


def _cause(was: Status | None, last: Sequence[Any] | None, first: bool, result: CheckResult) -> ChangeCause:
    if first:
        return ChangeCause.FIRST
    if last is None or list(last[1:]) != [result.check.version, result.check.digest]:
        return ChangeCause.RULE
    if was is Status.UNKNOWN:
        return ChangeCause.EVIDENCE_GAINED
    if result.status is Status.UNKNOWN and _is_dark(result):
        return ChangeCause.EVIDENCE_LOST
    return ChangeCause.SERVICE


def _is_dark(result: CheckResult) -> bool:
    """Say whether an unknown is owed to the sources rather than to what the service's team states."""
    return any(cause.kind is CauseKind.STALE or cause.party is Party.OPERATORS for cause in result.causes)


def level_change(
    ref: str, before: str | None, first: bool, grade: Grade, changes: Sequence[StatusChange], now: datetime
) -> LevelChange | None:
    """Return how the overall level moved, and by what; None when it stayed."""
    after = level_name(grade.overall.level)
    if before == after:
        return None
    if first:
        sentence = f"Judged for the first time: {after}."
        return LevelChange(ref, None, after, ChangeCause.FIRST, now, sentence, ())
    fell = (after or "") < (before or "")
    relevant = _relevant(changes, fell, max(before or "L0", after or "L0"))
    cause = _weightiest(relevant)
    checks = tuple(change.check for change in relevant if change.cause is cause)
    verb = "Fell" if fell else "Rose"
    by = f" by {', '.join(checks)}" if checks else ""
    sentence = f"{verb} from {before or 'no level'} to {after or 'no level'}{by}: {CAUSE_WORDS[cause]}."
    return LevelChange(ref, before, after, cause, now, sentence, checks)


def _relevant(changes: Sequence[StatusChange], fell: bool, higher: str) -> list[StatusChange]:
    """Return the changes that moved the level: into not passing when it fell, out of it when it rose."""
    return [
        change
        for change in changes
        if change.bars is not None
        and f"L{change.bars}" <= higher
        and (change.to_status in OPEN) is fell
        and (change.from_status in OPEN) is not fell
    ]


def _weightiest(changes: Sequence[StatusChange]) -> ChangeCause:
    """A change of the service itself outweighs one of the rule, and that one of the evidence."""
    causes = {change.cause for change in changes}
    order = (ChangeCause.SERVICE, ChangeCause.RULE, ChangeCause.EVIDENCE_LOST, ChangeCause.EVIDENCE_GAINED)
    return next((cause for cause in order if cause in causes), ChangeCause.RULE)
