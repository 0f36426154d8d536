"""Judges one check on one service, with the sentence that says why and all that the verdict rests on. Pure.

Many services are judged by `scorecards.assessment`, by the same rules but without the words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from scorecards.checks.definitions import Check, Status, Subject
from scorecards.checks.fields import service_fields
from scorecards.evidence.causes import Cause, CauseKind, Party
from scorecards.evidence.values import span
from scorecards.evidence.view import Evidence, EvidenceState, View
from scorecards.exceptions.in_force import NOTHING_IN_FORCE, InForce
from scorecards.rules.tree import Leaf, Rule
from scorecards.settling import EvidenceKind, Settled, settle
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
    settled: Settled | None = None
    """What people or modules had to do with it; None where nobody has."""
    shadow: bool = False
    """The check is not enforced: its verdict counts for nothing."""
    counts_from: datetime | None = None
    """When it will be, of a check in shadow; None where no day is set, or its time is over."""

    @property
    def evidence(self) -> EvidenceKind | None:
        """What the verdict rests on; None where there is nothing."""
        if self.settled:
            return self.settled.evidence
        return EvidenceKind.MEASURED if self.status in {Status.PASS, Status.FAIL} else None


def judge(
    check: Check, subject: Subject, view: View, now: datetime, in_force: InForce = NOTHING_IN_FORCE
) -> CheckResult:
    """Judge a check on a service by the evidence in `view`, and by what is attested, inherited and waived, at `now`."""
    return _judged(_measure(check, subject, view, now), now, in_force)


def judge_applicable(check: Check, view: View, now: datetime, in_force: InForce) -> CheckResult:
    """Judge a check that is known to apply."""
    return _judged(_by_facts(check, view, now), now, in_force)


def _judged(result: CheckResult, now: datetime, in_force: InForce) -> CheckResult:
    check = result.check
    if check.enforce_from or check.enforce_until:
        shadow, turn = not check.enforced(now), check.turns_at(now)
        changes_at = _earlier(result.changes_at, turn)
        result = replace(result, shadow=shadow, changes_at=changes_at, counts_from=turn if shadow else None)
    if result.status is Status.NOT_APPLICABLE:
        return result
    settled = settle(check, result.status, _is_unsupplied(result), in_force, now)
    if settled.waiver or settled.attestation or settled.inheritance:
        return _settled(result, settled)
    return result


def measured_sentence(check: Check, view: View, now: datetime) -> tuple[Status, str]:
    """Return verdict and sentence by facts alone, of a check that applies."""
    result = _by_facts(check, view, now)
    return result.status, result.sentence


def _earlier(moment: datetime | None, other: datetime | None) -> datetime | None:
    return min([one for one in (moment, other) if one], default=None)


def _is_unsupplied(result: CheckResult) -> bool:
    """Say whether all that is lacking is what no source supplies."""
    return all(cause.kind in {CauseKind.NO_SOURCE, CauseKind.NOT_ATTESTED} for cause in result.causes)


def _settled(result: CheckResult, settled: Settled) -> CheckResult:
    """Say what people or modules made of a measured verdict."""
    changes_at = _earlier(result.changes_at, settled.ends_at(result.check))
    sentence = settled_sentence(settled)
    if settled.waiver and not settled.attestation:
        sentence = f"{sentence} Without the waiver: {result.sentence}"
    remedy: tuple[str, ...] = ()
    if settled.status is Status.FAIL:
        remedy = result.check.how_to_fix
    return replace(
        result, status=settled.status, sentence=sentence, remedy=remedy, changes_at=changes_at, settled=settled
    )


def settled_sentence(settled: Settled) -> str:
    """Say what people or modules had to do with a verdict."""
    sentences = []
    if settled.waiver:
        waiver = settled.waiver
        sentences.append(
            f"Waived until {waiver.until:%Y-%m-%d} by {waiver.approved_by}: {_sentence(waiver.reason)} "
            f"Meanwhile: {_sentence(waiver.compensating_control)}"
        )
    if settled.attestation:
        given = settled.attestation
        claim = "that it holds" if given.holds else "that it does not hold"
        sentences.append(
            f"{given.attested_by} attested on {given.attested_at:%Y-%m-%d} {claim}, which counts until "
            f"{given.expires_at:%Y-%m-%d}: {_sentence(given.statement)}"
        )
    if settled.inheritance:
        module = settled.inheritance
        end = f", supported until {module.supported_until:%Y-%m-%d}" if module.supported_until else ""
        sentences.append(f"Inherited from {module.module} {module.module_version}{end}.")
    return " ".join(sentences)


def _sentence(text: str) -> str:
    return f"{text.strip().rstrip('.')}."


def _measure(check: Check, subject: Subject, view: View, now: datetime) -> CheckResult:
    """Judge a check by facts alone."""
    if check.applies_to and not _may_apply(check.applies_to.rule, subject, view, now):
        return CheckResult(check, Status.NOT_APPLICABLE, check.applies_to.otherwise)
    return _by_facts(check, view, now)


def _by_facts(check: Check, view: View, now: datetime) -> CheckResult:
    def lookup(key: str) -> Evidence:
        return view.get(key, check.max_age.get(key))

    if check.needs:
        enough, needed = check.needs.rule.evaluate(lookup, now)
        if enough is not True:
            return _too_little(check, enough, needed, view, now)
    if check.rule is None:
        return _unattested(check)
    truth, leaves = check.rule.evaluate(lookup, now)
    if check.needs:
        leaves += needed
    if truth is None:
        return _unknown(check, leaves, view, now)
    if truth:
        return _result(check, Status.PASS, _fill(check.passes, leaves, now), leaves, view, now)
    result = _result(check, Status.FAIL, _failing_sentence(check, leaves, now), leaves, view, now)
    return replace(result, remedy=_mending(check, leaves))


def _may_apply(rule: Rule, subject: Subject, view: View, now: datetime) -> bool:
    """A field that the service leaves open decides nothing: the check then applies."""
    return evaluate_fields(rule, service_fields(subject, view.observed()), now) is not False


def evaluate_fields(rule: Rule, values: Mapping[str, Any], now: datetime) -> bool | None:
    """Ask a condition on the service itself; None where a field that the service leaves open would decide."""

    def lookup(key: str) -> Evidence:
        value = values.get(key)
        return Evidence(key, EvidenceState.MISSING if value is None else EvidenceState.FRESH, value=value)

    return rule.evaluate(lookup, now)[0]


def _unattested(check: Check) -> CheckResult:
    """No fact can show it, and what people vouch for is looked at later."""
    action = f"A{attesting(check.attested_for)[1:]}"
    cause = Cause(CauseKind.NOT_ATTESTED, "", "No fact can show it, and nobody vouches for it", action, Party.TEAM)
    sentence = f"Cannot be judged. {cause.sentence}."
    return CheckResult(check, Status.UNKNOWN, sentence, causes=(cause,), remedy=(*check.how_to_fix, action))


def attesting(lasts: timedelta | None) -> str:
    """Say how people answer a check: with what, how often, and where."""
    how_often = f" at least every {span(lasts)}" if lasts else ""
    return f"attest it with evidence{how_often}: `portal scorecards attestations give`, or POST …/attestations."


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
    # What is not known of other entities has an end as well: then it is asked again.
    moments = [evidence.valid_until for evidence in used.values()]
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
    """Say every condition that failed, in the order of the rule; of what one of several may be, nothing if one is."""
    if isinstance(check.fails, str) or check.rule is None:
        return _fill(str(check.fails), leaves, now)
    _, failed = _failed(check.rule.tree, iter(leaves))
    return " ".join(dict.fromkeys(_fill(check.fails[leaf.fact], leaves, now) for leaf in failed))


def _mending(check: Check, leaves: Sequence[Leaf]) -> tuple[str, ...]:
    """Return what to do about the conditions that failed; a check with steps for single facts has no `not`."""
    if not check.fixes or check.rule is None:
        return check.how_to_fix
    _, failed = _failed(check.rule.tree, iter(leaves))
    return check.steps_for({leaf.fact for leaf in failed})


def _failed(tree: Mapping[str, Any], leaves: Iterator[Leaf]) -> tuple[bool | None, list[Leaf]]:
    """Return whether a tree without `not` holds, and the conditions that it fails by; the leaves come in its order."""
    word = next((word for word in ("all", "any") if word in tree), None)
    if word is None:
        leaf = next(leaves)
        return leaf.truth, [leaf] if leaf.truth is False else []
    parts = [_failed(node, leaves) for node in tree[word]]
    decides = word == "any"
    truths = [truth for truth, _ in parts]
    truth = decides if decides in truths else None if None in truths else not decides
    return truth, [leaf for holds, failed in parts if holds is False for leaf in failed] if truth is False else []


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
