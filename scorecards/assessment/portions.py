"""Judges a portion of services, given as plain values: so another process can do it as well as this one. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import orjson

from portal_backend.core.memory import uncollected
from scorecards.assessment.assess import Assessment, Assessor, Given
from scorecards.assessment.evidence import FRESH, MISSING, Reader, Seen
from scorecards.assessment.kit import Kit, State
from scorecards.assessment.outcome import Judged, Writer, Written
from scorecards.assessment.verdicts import Last, hold_of
from scorecards.checks.definitions import Subject
from scorecards.checks.fields import service_fields
from scorecards.evaluation import judge_applicable
from scorecards.evidence.causes import SourceState, Supply
from scorecards.evidence.derivations import derivations, entity_facts
from scorecards.evidence.observations import Observations, Told
from scorecards.evidence.related import Asker
from scorecards.evidence.view import View
from scorecards.exceptions.in_force import NOTHING_IN_FORCE, InForce
from scorecards.grading import gain_of, make_step
from scorecards.holding import Hold, is_any_dark


class Stored(NamedTuple):
    """What one source has observed of an entity, as the database holds it."""

    source: str
    document: str
    """JSON."""
    observed_at: datetime | None
    """Of the entries that leave their times to their row."""
    collected_at: datetime | None


@dataclass(frozen=True)
class Portion:
    """Some services with all that judging them takes."""

    subjects: Mapping[str, Subject]
    stored: Mapping[str, Sequence[Stored]]
    neighbours: Mapping[str, Observations]
    """What is known of the services that they depend on, where a check looks at it."""
    in_force: Mapping[str, InForce]
    """What is attested, waived and inherited, of those of which anything is."""
    before: Mapping[str, Last] = field(default_factory=dict)
    """What their last judgements left."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel with plain tuples, which are packed in half the time."""
        stored = {ref: [tuple(one) for one in of_one] for ref, of_one in self.stored.items()}
        return _unpacked, (self.subjects, stored, self.neighbours, self.in_force, self.before)


def _unpacked(subjects: Mapping[str, Subject], stored: Mapping[str, Sequence[tuple[Any, ...]]], *rest: Any) -> Portion:
    return Portion(subjects, {ref: [Stored._make(one) for one in of_one] for ref, of_one in stored.items()}, *rest)


def part_of(whole: Portion, refs: Sequence[str]) -> Portion:
    """Return some of the services of a portion."""
    subjects = {ref: whole.subjects[ref] for ref in refs}
    named = {ref for subject in subjects.values() for ref in subject.service_dependencies}
    return Portion(
        subjects,
        {ref: whole.stored[ref] for ref in refs},
        {ref: whole.neighbours[ref] for ref in named & whole.neighbours.keys()},
        {ref: whole.in_force[ref] for ref in refs if ref in whole.in_force},
        {ref: whole.before[ref] for ref in refs if ref in whole.before},
    )


@dataclass(frozen=True)
class Basis:
    """What portions are judged by."""

    kit: Kit
    health: Mapping[str, State]
    sources_version: str
    now: datetime


class Subjects(Mapping[str, tuple[Subject, View]]):
    """Services, each with a view of the evidence on it, which is made when somebody looks."""

    def __init__(self, subjects: Mapping[str, Subject], view_of: Callable[[Subject], View]) -> None:
        self._subjects = subjects
        self._view_of = view_of
        self._views: dict[str, View] = {}

    def of(self, ref: str) -> Subject:
        """Return a service without the evidence on it."""
        return self._subjects[ref]

    def __getitem__(self, ref: str) -> tuple[Subject, View]:
        subject = self._subjects[ref]
        view = self._views.get(ref)
        if view is None:
            view = self._views[ref] = self._view_of(subject)
        return subject, view

    def __contains__(self, ref: object) -> bool:
        return ref in self._subjects

    def __iter__(self) -> Iterator[str]:
        return iter(self._subjects)

    def __len__(self) -> int:
        return len(self._subjects)


@dataclass(frozen=True)
class Loaded:
    """Services with all evidence on them."""

    subjects: Subjects
    health: Mapping[str, SourceState]
    supply: Supply
    observations: Mapping[str, Observations]
    """What was observed of each, as the store holds it."""
    in_force: Mapping[str, InForce]
    """What is attested, waived and inherited, of those of which anything is."""


class _Observed(Mapping[str, Observations]):
    """What was observed of services, each read from JSON when somebody asks for it.

    Who looks at each service once does so while what was read of it is in the processor's cache, and lets go of it:
    reading and looking then cost two thirds of what they cost when all is read first.
    """

    def __init__(self, portion: Portion, keeps: bool) -> None:
        self._stored = portion.stored
        self._read = dict(portion.neighbours)
        self._keeps = keeps
        for ref in self._stored:
            self._read.pop(ref, None)

    def __getitem__(self, ref: str) -> Observations:
        found = self._read.get(ref)
        if found is None:
            found = _read(self._stored[ref])
            if self._keeps:
                self._read[ref] = found
        return found

    def __iter__(self) -> Iterator[str]:
        return chain(self._stored, self._read.keys() - self._stored.keys())

    def __len__(self) -> int:
        return len(self._stored.keys() | self._read.keys())


def opened(
    portion: Portion,
    kit: Kit,
    health: Mapping[str, SourceState],
    supply: Supply,
    now: datetime,
    keeps: bool = True,
) -> Loaded:
    """Return the services of a portion with the evidence on them, which is read when somebody looks.

    `keeps`: it stays for whoever looks again.
    """
    observations = _Observed(portion, keeps)
    subjects = Subjects(portion.subjects, views(kit, supply, observations, now))
    return Loaded(subjects, health, supply, observations, portion.in_force)


def _read(stored: Sequence[Stored]) -> Observations:
    loads = orjson.loads
    told = [Told(one.source, loads(one.document), one.observed_at, one.collected_at) for one in stored]
    return Observations.as_stored(told)


def views(
    kit: Kit, supply: Supply, observations: Mapping[str, Observations], now: datetime
) -> Callable[[Subject], View]:
    """Return how the evidence on a service is put together from what was observed of it and of others."""
    bare = _Bare(observations, supply, now)
    asker = Asker(kit.questions, supply, now)

    def view_of(subject: Subject) -> View:
        derived = {**derivations(subject, bare), **entity_facts(subject, kit.catalogue.entity_fields, supply)}
        derived |= asker.facts(subject)
        return View(observations[subject.ref], supply, now, derived)

    return view_of


class _Bare(Mapping[str, View]):
    """What sources report of services, without what is derived from others: a dependency is looked at when asked."""

    def __init__(self, observations: Mapping[str, Observations], supply: Supply, now: datetime) -> None:
        self._observations = observations
        self._supply = supply
        self._now = now
        self._views: dict[str, View] = {}

    def __getitem__(self, ref: str) -> View:
        view = self._views.get(ref)
        if view is None:
            view = self._views[ref] = View(self._observations[ref], self._supply, self._now)
        return view

    def __iter__(self) -> Iterator[str]:
        return iter(self._observations)

    def __len__(self) -> int:
        return len(self._observations)


def given_of(loaded: Loaded, reader: Reader, ref: str, in_force: InForce, hold: Hold | None = None) -> Given:
    """Return a loaded service as the assessor takes it."""
    plan, observations, view = reader.plan, loaded.observations[ref], None
    if plan.derived:
        view = loaded.subjects[ref][1]
    observed = observations.keys() if "observed_facts" in plan.fields else ()
    fields = service_fields(loaded.subjects.of(ref), observed) if plan.fields else {}
    return Given(fields, reader.read(observations, view, plan.derived), in_force, hold)


def judged(basis: Basis, portion: Portion) -> Written:
    """Judge a portion of services; return what is to be written of them."""
    key = (basis.sources_version, basis.now)
    kept_for, judge = basis.kit.remembered.get("judge", (None, None))
    if kept_for != key:
        judge = _Judge(basis)
        basis.kit.remembered["judge"] = key, judge
    with uncollected():
        found: Written = judge.written(portion)
    return found


class _Judge:
    """Judges services by one catalogue at one moment; what several of them have in common is found out once."""

    def __init__(self, basis: Basis) -> None:
        self.kit = basis.kit
        self.health = basis.health
        self.now = basis.now
        self.plan = basis.kit.plan
        self.supply = basis.kit.supply(basis.health)
        self.reader = Reader(self.plan, self.supply, basis.now)
        self.assessor = Assessor(self.plan, self.reader, basis.now)
        self.writer = Writer(self.plan, basis.sources_version, basis.now)
        self._places = {axis: place for place, (axis, *_) in enumerate(self.plan.axes)}
        self._sentences: dict[tuple[Any, ...], str] = {}
        self._any_outage = is_any_dark(basis.health)

    def written(self, portion: Portion) -> Written:
        """Judge the services of a portion; return what is to be written of them."""
        # With facts that are made of others, each service is looked at again for its own and for those around it.
        loaded = opened(portion, self.kit, self.health, self.supply, self.now, keeps=bool(self.plan.derived))
        return self.writer.written(self._judged(loaded, portion.before), portion.before)

    def _judged(self, loaded: Loaded, before: Mapping[str, Last]) -> list[Judged]:
        services = {ref: self._given(loaded, ref, before.get(ref)) for ref in loaded.subjects}
        found = []
        assessments = self.assessor.assess(list(services.values()))
        for (ref, one), assessment in zip(services.items(), assessments, strict=True):
            step = self._next_step(loaded, ref, one, assessment)
            found.append(Judged(loaded.subjects.of(ref), assessment, one.seen, step))
        return found

    def _given(self, loaded: Loaded, ref: str, last: Last | None) -> Given:
        hold = hold_of(last, self.plan, self.kit.grace) if self._any_outage else None
        return given_of(loaded, self.reader, ref, loaded.in_force.get(ref, NOTHING_IN_FORCE), hold)

    def _next_step(self, loaded: Loaded, ref: str, given: Given, assessment: Assessment) -> str | None:
        """Return the first thing to do in words; services that lack the same in the same way share the sentence."""
        if assessment.first is None:
            return None
        seen, prepared = given.seen, self.plan.checks[assessment.first]
        check, bars = prepared.check, prepared.counted.bars
        held = assessment.held
        count = self.assessor.as_held(assessment.codes, held) if held else assessment
        axis = count.axes[self._places[check.axis]]
        gain = gain_of(bars, check.weight, axis, count.overall, self.plan.ladder, is_held=check.id in held)
        alike = (assessment.first, assessment.first_group, gain, *self._alike(seen, prepared.slots))
        shareable = given.in_force is NOTHING_IN_FORCE and all(
            seen.states[slot] in (FRESH, MISSING) and slot not in seen.derived for slot in prepared.slots
        )
        if shareable and alike in self._sentences:
            return self._sentences[alike]
        ids = tuple(self.plan.checks[number].check.id for number in assessment.first_group)
        view = loaded.subjects[ref][1]
        sentence = make_step(judge_applicable(check, view, self.now, given.in_force), ids, gain, 0.0).sentence
        if shareable:
            self._sentences[alike] = sentence
        return sentence

    def _alike(self, seen: Seen, slots: Sequence[int]) -> list[Any]:
        known = [seen.values[slot] if seen.states[slot] == FRESH else None for slot in slots]
        return known + [id(self.reader.lack(seen, slot)) for slot in slots if seen.states[slot] == MISSING]
