"""Answers questions about the entities that a service is related to, from what is known of those. Pure.

Kleene's logic holds over the members, too: what one of them leaves open matters only where it would decide. Levels are
those that were stored last: two services that depend on each other never wait for each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from scorecards.checks.definitions import Subject
from scorecards.checks.member_fields import STANDINGS, TOLD_BY_REF, is_field
from scorecards.evidence.causes import CATALOG_SOURCE, Cause, CauseKind, Party, Spec, Supply
from scorecards.evidence.observations import Observations
from scorecards.evidence.view import Derive, Evidence, EvidenceState, View
from scorecards.rules.related import IN_CATALOG, Asked, Question
from scorecards.rules.tree import Compiler, Leaf, Rule
from scorecards.wording import write

HOLDS_FOR = timedelta(hours=1)
"""For so long an answer is taken to hold: nobody tells a service that an entity it is related to has changed."""
MAX_MEMBERS = 1_000
"""Of more related entities than that nothing is asked: the answer is unknown."""
SHOWN_LEAVES = 3
JUDGED = "scorecards"
"""The source name of levels."""


class Member(NamedTuple):
    """An entity that a service is related to, with what some question looks at."""

    ref: str
    fields: Mapping[str, Any] | None
    """By path; None for one that the catalog does not have."""
    observations: Observations
    standing: Mapping[str, Any]
    """Level and percent as they were judged last; empty for what is not judged."""


@dataclass(frozen=True)
class Compiled:
    """A question with its conditions ready to be asked."""

    question: Question
    where: Rule | None
    have: Rule


@dataclass(frozen=True)
class _Verdict:
    member: Member
    truth: bool | None
    leaves: Sequence[Leaf]


def compiled(questions: Mapping[str, Question], specs: Mapping[str, Spec]) -> tuple[Compiled, ...]:
    """Return questions that were checked when they were loaded; `specs` declare what members are asked for."""
    return tuple(
        Compiled(one, _rule(one.where, specs) if one.where else None, _rule(one.have, specs))
        for one in questions.values()
    )


def _rule(tree: Mapping[str, Any], specs: Mapping[str, Spec]) -> Rule:
    rule = Compiler(specs).compile(tree, "have")
    if rule is None:
        raise ValueError(f"a question that was checked does not compile: {tree}")
    return rule


class Asker:
    """Answers the questions of one catalogue at one moment; services that share an entity share what is said of it."""

    def __init__(self, questions: Sequence[Compiled], supply: Supply, now: datetime) -> None:
        self.questions = questions
        self.supply = supply
        self.now = now
        self._views: dict[str, View] = {}
        self._verdicts: dict[tuple[str, str], _Verdict | None] = {}
        self._answers: dict[tuple[str, tuple[str, ...]], Evidence] = {}

    def facts(self, subject: Subject) -> dict[str, Derive]:
        """Return how each answer about a service is found."""
        return {one.question.key: self._derive(one, subject) for one in self.questions}

    def _derive(self, one: Compiled, subject: Subject) -> Derive:
        return lambda _view: self._answered(one, subject.related.get(one.question.relation, ()))

    def _answered(self, one: Compiled, members: Sequence[Member]) -> Evidence:
        shared = one.question.key, tuple(member.ref for member in members)
        found = self._answers.get(shared)
        if found is None:
            found = self._answers[shared] = self._answer(one, members)
        return found

    def _answer(self, one: Compiled, members: Sequence[Member]) -> Evidence:
        if len(members) > MAX_MEMBERS:
            return _too_many(one.question, len(members))
        verdicts = [verdict for member in members if (verdict := self._verdict(one, member))]
        value = _decided(one.question, verdicts, self.now)
        until = self._until(verdicts)
        unit = "ratio" if one.question.asked is Asked.SHARE else ""
        if value is None:
            cause = _cause(one.question, verdicts)
            return Evidence(one.question.key, EvidenceState.MISSING, unit, valid_until=until, cause=cause)
        used = [evidence for verdict in verdicts for evidence in _evidence_of(verdict)]
        observed = [evidence.observed_at for evidence in used if evidence.observed_at]
        return Evidence(
            one.question.key,
            EvidenceState.FRESH,
            unit,
            value,
            ", ".join(sorted({evidence.source for evidence in used if evidence.source})) or CATALOG_SOURCE,
            any(evidence.simulated for evidence in used),
            min(observed, default=None),
            until,
        )

    def _verdict(self, one: Compiled, member: Member) -> _Verdict | None:
        """Return what a member has to say; None for one that the question is not about."""
        key = one.question.key, member.ref
        if key not in self._verdicts:
            self._verdicts[key] = self._ask(one, member)
        return self._verdicts[key]

    def _ask(self, one: Compiled, member: Member) -> _Verdict | None:
        def lookup(key: str) -> Evidence:
            return self._evidence(member, key)

        meant, looked_at = one.where.evaluate(lookup, self.now) if one.where else (True, [])
        if meant is False:
            return None
        truth, leaves = one.have.evaluate(lookup, self.now)
        if meant is None and _would_count(one.question.asked, truth):
            return _Verdict(member, None, looked_at)
        return _Verdict(member, truth, leaves)

    def _evidence(self, member: Member, key: str) -> Evidence:
        if key == IN_CATALOG:
            return Evidence(key, EvidenceState.FRESH, "", member.fields is not None, CATALOG_SOURCE)
        if key in TOLD_BY_REF:
            return Evidence(key, EvidenceState.FRESH, "", _told_by_ref(member.ref)[key], CATALOG_SOURCE)
        if member.fields is None:
            return _missing(key, "it is not in the catalog", "register it, or correct what names it.")
        if key in STANDINGS:
            return _standing(member, key)
        if is_field(key):
            value = member.fields.get(key)
            if value is None:
                return _missing(key, f"its entity has no {key}", f"state {key} in its catalog file.")
            return Evidence(key, EvidenceState.FRESH, "", value, CATALOG_SOURCE)
        view = self._views.get(member.ref)
        if view is None:
            view = self._views[member.ref] = View(member.observations, self.supply, self.now)
        return view.get(key)

    def _until(self, verdicts: Sequence[_Verdict]) -> datetime:
        ends = [self.now + HOLDS_FOR]
        for verdict in verdicts:
            ends += [leaf.changes_at for leaf in verdict.leaves if leaf.changes_at]
            ends += [
                evidence.valid_until
                for evidence in _evidence_of(verdict)
                if evidence.valid_until and evidence.state is EvidenceState.FRESH
            ]
        return min(ends)


def _would_count(asked: Asked, truth: bool | None) -> bool:
    """Say whether it matters that an entity may not be meant at all."""
    if asked is Asked.SHARE:
        return True
    return truth is not (asked is Asked.LACKING)


def _told_by_ref(ref: str) -> dict[str, str]:
    """Return what is known even of an entity that the catalog does not have: a reference is to a kind and a name."""
    kind, _, rest = ref.partition(":")
    namespace, _, name = rest.partition("/")
    return {"kind": kind, "namespace": namespace, "name": name, "ref": ref}


def _too_many(question: Question, count: int) -> Evidence:
    sentence = f"{question.relation} leads to {count} entities; at most {MAX_MEMBERS} are asked"
    cause = Cause(CauseKind.OUT_OF_RANGE, question.key, sentence, "Ask along a shorter way.", Party.OPERATORS)
    return Evidence(question.key, EvidenceState.MISSING, cause=cause)


def _standing(member: Member, key: str) -> Evidence:
    value = member.standing.get(key)
    if value is None:
        return _missing(key, "it has no scorecard yet, or is no service", "see whether it counts as a service.")
    at = member.standing.get("evaluated_at")
    return Evidence(key, EvidenceState.FRESH, STANDINGS[key].unit, value, JUDGED, observed_at=at)


def _missing(key: str, why: str, action: str) -> Evidence:
    cause = Cause(CauseKind.NOT_OBSERVED, key, why, action, Party.TEAM, CATALOG_SOURCE)
    return Evidence(key, EvidenceState.MISSING, source=CATALOG_SOURCE, cause=cause)


def _decided(question: Question, verdicts: Sequence[_Verdict], now: datetime) -> Any:
    """Return the answer; None while members that leave it open would decide."""
    meeting = [verdict for verdict in verdicts if verdict.truth is True]
    unsure = [verdict for verdict in verdicts if verdict.truth is None]
    if question.asked is Asked.SHARE:
        return _share(question.least, len(meeting), len(unsure), len(verdicts))
    chosen = meeting
    if question.asked is Asked.LACKING:
        chosen = [verdict for verdict in verdicts if verdict.truth is False]
    if len(chosen) < question.least <= len(chosen) + len(unsure):
        return None
    return tuple(sorted(_told(verdict, now) for verdict in chosen))


def _share(least: float, meeting: int, unsure: int, total: int) -> float | None:
    """Of nobody there is no share. What is unsure is left out of the numerator, unless it is too little to matter."""
    if not total or meeting < least * total <= meeting + unsure:
        return None
    return meeting / total if meeting >= least * total else (meeting + unsure) / total


def _told(verdict: _Verdict, now: datetime) -> str:
    """Name a member with what decided: `component:default/cart (level L1)`."""
    if verdict.member.fields is None:
        return f"{verdict.member.ref} (not in the catalog)"
    told = [leaf for leaf in verdict.leaves if leaf.fact != IN_CATALOG]
    seen = dict.fromkeys(_shown(leaf, now) for leaf in told[:SHOWN_LEAVES])
    return f"{verdict.member.ref} ({'; '.join(seen)})" if seen else verdict.member.ref


def _shown(leaf: Leaf, now: datetime) -> str:
    evidence = leaf.evidence
    if evidence.state is not EvidenceState.FRESH:
        return f"no {leaf.fact}" if evidence.state is EvidenceState.MISSING else f"{leaf.fact} unknown"
    return f"{leaf.fact} {write(evidence.value, evidence.unit, now)}"


def _evidence_of(verdict: _Verdict) -> list[Evidence]:
    return [one for leaf in verdict.leaves for one in (leaf.evidence, leaf.other) if one]


def _cause(question: Question, verdicts: Sequence[_Verdict]) -> Cause:
    """Say which member leaves the answer open, and why."""
    unsure = [verdict for verdict in verdicts if verdict.truth is None]
    if not unsure:
        sentence = f"There is nothing to take a share of: {question.relation} leads to none"
        return Cause(CauseKind.NOT_OBSERVED, question.key, sentence, "", Party.TEAM)
    first = unsure[0]
    causes = [one.cause for one in _evidence_of(first) if one.cause]
    more = f" (and {len(unsure) - 1} more of them)" if unsure[1:] else ""
    if not causes:
        sentence = f"What is known of {first.member.ref} allows no answer{more}"
        return Cause(CauseKind.OUT_OF_RANGE, question.key, sentence, "Correct what is stated of it.", Party.TEAM)
    cause = causes[0]
    action = f"For {first.member.ref}: {cause.action}" if cause.action else ""
    return replace(cause, fact=question.key, sentence=f"{first.member.ref}: {cause.sentence}{more}", action=action)
