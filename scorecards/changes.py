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


class Edit(StrEnum):
    """What was done to a check."""

    NEW = "new"
    REMOVED = "removed"
    EDITED = "edited"
    """What decides its verdict, or what that counts for, is another than before; mostly with a new version."""
    ENFORCED = "enforced"
    """It came out of shadow."""
    IN_SHADOW = "in_shadow"
    """It counts no longer."""


class RuleChange(NamedTuple):
    """A check that is another one than at the judgement before."""

    check: str
    edit: Edit
    from_version: int | None
    """None: it is new."""
    to_version: int | None
    """None: the catalogue no longer has it."""


class StatusChange(NamedTuple):
    """A check's verdict changed, or the check itself did while the verdict stayed."""

    check: str
    from_status: str | None
    to_status: str | None
    cause: ChangeCause
    version: int
    axis: Axis | None
    bars: int | None
    """The level that the check bars while it does not pass."""
    from_version: int | None = None
    """The version of the check that was judged by before; None when the check is new."""
    edit: Edit | None = None
    """What was done to the check; None when it is the same."""
    shadow: bool = False
    """The check is in shadow: its verdict counts for nothing."""


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
    rules: tuple[RuleChange, ...] | None = ()
    """Of a level that the checks moved: what was done to them. None where that was not kept."""


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


def edit_of(last: Entry | None, entry: Entry) -> Edit | None:
    """Say what was done to a check between two judgements; None when it is the same."""
    if last is None:
        return Edit.NEW
    was_shadow, is_shadow = SHADOW in last[3:], SHADOW in entry[3:]
    if was_shadow is not is_shadow:
        return Edit.IN_SHADOW if is_shadow else Edit.ENFORCED
    return None if list(last[1:3]) == list(entry[1:3]) else Edit.EDITED


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

    `changes`: the verdicts that changed, and the checks that were edited while their verdicts stayed. `by_points`:
    checks of every level take part in it.
    """
    if before == after:
        return None
    if first:
        return LevelMove(axis, None, after, ChangeCause.FIRST, ())
    fell = (after or "") < (before or "")
    of_axis = [change for change in changes if axis is None or change.axis is axis]
    higher = "L4" if by_points else max(before or "L0", after or "L0")
    # An axis on which nothing passes stands at L0, whatever the level of the check that passed last.
    last_resort = "L4" if "L0" in {before, after} else higher
    relevant = _relevant(of_axis, fell, higher) or _relevant(of_axis, fell, last_resort) or _others(of_axis)
    if not relevant:  # of a check that is gone the axis is not known
        gone = [change for change in changes if change.edit is Edit.REMOVED]
        relevant = _relevant(gone, fell, higher) or _others(gone)
    if fell and not by_points:
        relevant = _decisive(relevant, after or "L0") or relevant
    causes = {change.cause for change in relevant}
    cause = next((cause for cause in WEIGHTIEST if cause in causes), ChangeCause.RULE)
    behind = [change for change in relevant if change.cause is cause]
    rules = tuple(_rule_change(change, change.edit) for change in behind if change.edit)
    checks = tuple(change.check for change in behind)
    return LevelMove(axis, before, after, cause, checks, rules if cause is ChangeCause.RULE else ())


def _rule_change(change: StatusChange, edit: Edit) -> RuleChange:
    return RuleChange(change.check, edit, change.from_version, None if edit is Edit.REMOVED else change.version)


def _relevant(changes: Collection[StatusChange], fell: bool, higher: str) -> list[StatusChange]:
    """Return the changes that moved the level: into not passing when it fell, out of it when it rose."""
    top, sign = int(higher[1:]), 1 if fell else -1
    return [
        change
        for change in changes
        if (_harm(change) * sign > 0 and _bars(change, fell, top)) or _is_edited_open(change, fell, top)
    ]


def _harm(change: StatusChange) -> int:
    """Return what a change does to levels: above 0 it harms them. A check in shadow harms none."""
    was_shadow = change.edit is Edit.ENFORCED or (change.shadow and change.edit is not Edit.IN_SHADOW)
    before = 0 if was_shadow else HARM.get(change.from_status, 0)
    return (0 if change.shadow else HARM.get(change.to_status, 0)) - before


def _bars(change: StatusChange, fell: bool, top: int) -> bool:
    """Say whether a check bars one of these levels; what one that is gone did bar is not known."""
    if change.edit is Edit.REMOVED:
        return not fell
    return change.bars is not None and change.bars <= top


def _is_edited_open(change: StatusChange, fell: bool, top: int) -> bool:
    """Say whether a check that does not pass, as before, was edited so that it bars a lower or a higher level now."""
    if change.edit is not Edit.EDITED or change.shadow or change.from_status != change.to_status:
        return False
    return change.to_status in HARM and _bars(change, fell, top) is fell


def _others(changes: Collection[StatusChange]) -> list[StatusChange]:
    """Return what moved a level by no verdict that harms it: checks that began or ceased to apply, new passing ones."""
    counting = [change for change in changes if not change.shadow or change.edit is Edit.IN_SHADOW]
    return [change for change in counting if _harm(change) == 0]


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


def named(checks: Sequence[str], count: int | None = None) -> str:
    """Name checks; where they are many (`count`, if not all are given), some and how many more there are."""
    count = len(checks) if count is None else count
    if count <= NAMED:
        return ", ".join(checks)
    return f"{', '.join(checks[: NAMED - 1])} and {count - NAMED + 1} more"


def edit_words(rule: RuleChange) -> str:
    """Say what was done to a check: `cap.limits (version 1 to 2)`."""
    words = {
        Edit.NEW: "new",
        Edit.REMOVED: "removed",
        Edit.EDITED: f"edited within version {rule.to_version}",
        Edit.ENFORCED: "enforced since then",
        Edit.IN_SHADOW: "in shadow since then",
    }
    if rule.edit is Edit.EDITED and rule.from_version != rule.to_version:
        return f"{rule.check} (version {rule.from_version} to {rule.to_version})"
    return f"{rule.check} ({words[rule.edit]})"


WEIGHTS_WORDS = "the weights of the checks, or what the levels ask for, changed, not the service"
"""Where the checks moved a level and no check's verdict or rule is another one."""


def sentence_of(move: LevelMove) -> str:
    """Say how a level moved, and by what."""
    of = f"{move.axis.value}: " if move.axis else ""
    if move.cause is ChangeCause.FIRST:
        return f"{of}Judged for the first time: {move.to_level}."
    fell = (move.to_level or "") < (move.from_level or "")
    edited = {rule.check: edit_words(rule) for rule in move.rules or ()}
    by = f" by {named([edited.get(check, check) for check in move.checks])}" if move.checks else ""
    verb = "Fell" if fell else "Rose"
    levels = f"from {move.from_level or 'no level'} to {move.to_level or 'no level'}"
    by_weights = move.cause is ChangeCause.RULE and not move.checks and move.rules is not None
    return f"{of}{verb} {levels}{by}: {WEIGHTS_WORDS if by_weights else CAUSE_WORDS[move.cause][fell]}."


def stored_move(move: LevelMove) -> list[Any]:
    """Return a move as it is kept with the judgement: `[axis or null, from, to, cause, checks, rules]`."""
    rules = [list(rule) for rule in move.rules or ()]
    return [move.axis, move.from_level, move.to_level, move.cause, move.checks, rules]


def read_move(stored: Sequence[Any]) -> LevelMove:
    """Read a move that was kept; older ones do not say what was done to the checks."""
    axis, before, after, cause, checks, *rest = stored
    rules = tuple(RuleChange(check, Edit(edit), was, now) for check, edit, was, now in rest[0]) if rest else None
    return LevelMove(Axis(axis) if axis else None, before, after, ChangeCause(cause), tuple(checks), rules)
