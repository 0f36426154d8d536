"""Judges one check on one service: pass, fail, unknown or not applicable, with the sentence that says why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from scorecards.checks.definitions import Check, Status, Subject
from scorecards.evidence.causes import Cause, CauseKind, Party
from scorecards.evidence.values import Typed
from scorecards.evidence.view import Evidence, EvidenceState, View
from scorecards.rules.tree import Leaf
from scorecards.wording import MISSING, render, write


@dataclass(frozen=True)
class FactUsed:
    """A fact that the verdict rests on, as it was seen."""

    evidence: Evidence
    display: str
    """The value as a person reads it."""


@dataclass(frozen=True)
class CheckResult:
    """A verdict and everything that it rests on."""

    check: Check
    status: Status
    sentence: str
    facts: tuple[FactUsed, ...] = ()
    causes: tuple[Cause, ...] = ()
    """Why evidence is lacking. A fail may have some too, for those of its facts that are unknown."""
    remedy: tuple[str, ...] = ()
    """What to do, step by step; empty for a pass."""
    changes_at: datetime | None = None
    """The earliest moment at which the passing of time alone may change the verdict."""


def judge(check: Check, subject: Subject, view: View, now: datetime) -> CheckResult:
    """Judge a check on a service by the evidence in `view`, at `now`."""
    if check.applies_to and _applies(check, subject, view, now) is False:
        return CheckResult(check, Status.NOT_APPLICABLE, check.applies_to.otherwise)

    def lookup(key: str) -> Evidence:
        return view.get(key, check.max_age.get(key))

    if check.needs:
        enough, needed = check.needs.rule.evaluate(lookup, now)
        if enough is not True:
            return _too_little(check, enough, needed, view, now)
    truth, leaves = check.rule.evaluate(lookup, now)
    if check.needs:
        leaves += needed
    if truth is None:
        return _unknown(check, leaves, view, now)
    if truth:
        return _result(check, Status.PASS, _fill(check.passes, leaves, now), leaves, view, now)
    result = _result(check, Status.FAIL, _failing_sentence(check, leaves, now), leaves, view, now)
    return replace(result, remedy=check.how_to_fix)


def _applies(check: Check, subject: Subject, view: View, now: datetime) -> bool | None:
    """A field that the service leaves open decides nothing: the check then applies."""
    if check.applies_to is None:
        return True
    values = service_fields(subject, view)

    def lookup(key: str) -> Evidence:
        value = values[key]
        return Evidence(key, EvidenceState.MISSING if value is None else EvidenceState.FRESH, value=value)

    return check.applies_to.rule.evaluate(lookup, now)[0]


def service_fields(subject: Subject, view: View) -> Mapping[str, Typed | None]:
    """Return what `applies_to` may look at; None where the service leaves it open."""
    return {
        "type": subject.type,
        "namespace": subject.namespace,
        "lifecycle": subject.lifecycle,
        "criticality": subject.criticality,
        "owner": subject.owner,
        "system": subject.system,
        "tags": tuple(subject.tags),
        "has_service_dependencies": bool(subject.service_dependencies),
        "observed_facts": tuple(view.observed()),
    }


def _too_little(check: Check, enough: bool | None, leaves: list[Leaf], view: View, now: datetime) -> CheckResult:
    """The rule would mean nothing: too few observations, or nobody knows how many there are."""
    if enough is None or check.needs is None:
        return _unknown(check, leaves, view, now)
    sentence = _fill(check.needs.otherwise, leaves, now)
    kind = CauseKind.NOT_OBSERVED if check.needs.action else CauseKind.TOO_FEW
    action = check.needs.action or "Nothing is wrong: it is judged as soon as there is enough to judge by."
    cause = Cause(kind, leaves[0].fact, sentence.rstrip("."), action, Party.TEAM)
    result = _result(check, Status.UNKNOWN, sentence, leaves, view, now)
    return replace(result, causes=(cause,), remedy=(action,))


def _unknown(check: Check, leaves: list[Leaf], view: View, now: datetime) -> CheckResult:
    result = _result(check, Status.UNKNOWN, "", leaves, view, now)
    # One cause often hides several facts (a dead source): say it once.
    said = dict.fromkeys([cause.sentence for cause in result.causes])
    said |= dict.fromkeys([cause.because for cause in result.causes if cause.because])
    actions = tuple(dict.fromkeys(cause.action for cause in result.causes if cause.action))
    return replace(result, sentence=f"Cannot be judged. {'. '.join(said)}.", remedy=actions or check.how_to_fix)


def _result(check: Check, status: Status, sentence: str, leaves: list[Leaf], view: View, now: datetime) -> CheckResult:
    used: dict[str, Evidence] = {}
    for leaf in leaves:
        used[leaf.fact] = leaf.evidence
        if leaf.other:
            used[leaf.other.key] = leaf.other
    causes = [_hinted(check, evidence.cause) for evidence in used.values() if evidence.cause]
    causes += [_out_of_range(leaf, now) for leaf in leaves if leaf.truth is None and _is_known(leaf)]
    beside = _numbers(leaves)
    facts = tuple(FactUsed(evidence, write(evidence.value, evidence.unit, now, beside)) for evidence in used.values())
    moments = [evidence.valid_until for evidence in used.values() if evidence.state is EvidenceState.FRESH]
    moments += [leaf.changes_at for leaf in leaves]
    ahead = [moment for moment in moments if moment is not None and moment >= now]
    return CheckResult(check, status, sentence, facts, tuple(causes), (), min(ahead, default=None))


def _hinted(check: Check, cause: Cause) -> Cause:
    """Add what the check knows of where the missing fact comes from."""
    hint = check.if_missing.get(cause.fact)
    if cause.kind is not CauseKind.NOT_OBSERVED or not hint:
        return cause
    return replace(cause, action=f"{hint} {cause.action}".strip())


def _is_known(leaf: Leaf) -> bool:
    return leaf.evidence.cause is None and (leaf.other is None or leaf.other.cause is None)


def _out_of_range(leaf: Leaf, now: datetime) -> Cause:
    """The evidence is there and fresh, but its value allows no answer."""
    shown = write(leaf.evidence.value, leaf.evidence.unit, now)
    problem = "lies in the future" if isinstance(leaf.evidence.value, datetime) else "cannot be compared"
    sentence = f"The value of {leaf.fact}, {shown}, {problem}"
    action = f"Correct what {leaf.evidence.source or 'the source'} states as {leaf.fact}."
    return Cause(CauseKind.OUT_OF_RANGE, leaf.fact, sentence, action, Party.TEAM, leaf.evidence.source)


def _failing_sentence(check: Check, leaves: Sequence[Leaf], now: datetime) -> str:
    """Say every condition that failed, in the order of the rule."""
    if isinstance(check.fails, str):
        return _fill(check.fails, leaves, now)
    sentences = [_fill(check.fails[leaf.fact], leaves, now) for leaf in leaves if leaf.truth is False]
    return " ".join(dict.fromkeys(sentences))


def _fill(template: str, leaves: Sequence[Leaf], now: datetime) -> str:
    values: dict[str, tuple[Any, str]] = {}
    missing: list[str] = []
    for leaf in leaves:
        for evidence in (leaf.evidence, leaf.other):
            if evidence and evidence.state is EvidenceState.FRESH:
                values[evidence.key] = (evidence.value, evidence.unit)
        missing += leaf.missing
    values[MISSING] = (missing, "")
    return render(template, values, now, _numbers(leaves))


def _numbers(leaves: Sequence[Leaf]) -> list[Any]:
    """Every number of the comparison, so that values that differ are written differently."""
    operands = [leaf.operand for leaf in leaves if not isinstance(leaf.operand, tuple | timedelta)]
    return [leaf.evidence.value for leaf in leaves] + operands
