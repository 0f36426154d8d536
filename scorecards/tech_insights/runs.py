"""Runs checks: on one service with its sentences, on many a page of answers at a time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy.orm import Session

from portal_backend.core.db import chunks
from portal_backend.core.errors import NotFound
from portal_backend.core.memory import uncollected
from portal_backend.core.quick_reading import Reader
from scorecards.checks.definitions import Check, Status
from scorecards.evidence.causes import Spec
from scorecards.judging import Judging
from scorecards.tech_insights.answers import RestsOn, Told, earliest
from scorecards.tech_insights.checks import PASSING, chosen, result_heading, type_of
from scorecards.tech_insights.conditions import Annotate, Seen, annotator, rooted
from scorecards.tech_insights.results import (
    PAGE,
    FactSeen,
    Verdict,
    is_from_afar,
    judged_after,
    verdicts_on,
    verdicts_on_many,
)
from scorecards.tech_insights.shelf import Ready, Results, Shelf
from scorecards.tech_insights.tokens import resting_on, tokens_from_afar, tokens_of


@dataclass(frozen=True)
class Asked:
    """An entity that a bulk run is asked about."""

    ref: str
    """Lower case."""
    echo: str
    """How the answer names it: a text that was sent is echoed as sent."""


def run_on(
    session: Session, reader: Reader, judging: Judging, ref: str, ids: Sequence[str] | None, now: datetime
) -> Told:
    """Run checks (None: all) on one entity; raises NotFound for a check that there is not.

    A check that does not apply is left out, as Tech Insights leaves out one whose filter does not match. What is no
    service has no results.
    """
    checks = chosen(judging.catalogue, ids)
    if not checks or "\0" in ref:  # no database takes that as a text
        return Told(b"[]", None)
    verdicts, until = verdicts_on(session, reader, judging, ref, checks, now)
    return Told(b"[" + b",".join(Form(judging.told_facts, now).results(verdicts)) + b"]", until)


def run_on_some(
    session: Session,
    reader: Reader,
    judging: Judging,
    shelf: Shelf,
    asked: Sequence[Asked],
    ids: Sequence[str] | None,
    now: datetime,
) -> Told:
    """Run checks (None: all) on 1 to PAGE entities, as `run_on_many` does, and tell until when the answer holds."""
    try:
        run = _Run(session, reader, judging, shelf, chosen(judging.catalogue, ids), now)
    except NotFound as error:
        return Told(b"[" + _failures(asked, error) + b"]", None)
    page = run.page(asked)
    return Told(b"[" + page + b"]", run.until, run.rests_on)


def run_on_many(
    session: Session,
    reader: Reader,
    judging: Judging,
    shelf: Shelf,
    asked: Sequence[Asked],
    ids: Sequence[str] | None,
    now: datetime,
) -> Iterator[bytes]:
    """Run checks (None: all) on entities; no entities stand for every judged service.

    Yields a page of answers at a time, written as the inside of a JSON array. A check that there is not is the error of
    each entity, as in Tech Insights.
    """
    try:
        checks = chosen(judging.catalogue, ids)
    except NotFound as error:
        for page in _pages(session, asked):
            yield _failures(page, error)
        return
    run = _Run(session, reader, judging, shelf, checks, now)
    for page in _pages(session, asked):
        yield run.page(page)


def _failures(asked: Sequence[Asked], error: NotFound) -> bytes:
    failure = {"name": "NotFoundError", "message": error.message}
    return orjson.dumps([{"entity": one.echo, "error": failure, "results": []} for one in asked])[1:-1]


def _item(echo: str, results: bytes) -> bytes:
    return b'{"entity":' + orjson.dumps(echo) + b',"results":[' + results + b"]}"


class _Run:
    """One run of some checks on many services: what is on the shelf is taken from there, the rest is made and kept."""

    def __init__(
        self,
        session: Session,
        reader: Reader,
        judging: Judging,
        shelf: Shelf,
        checks: Sequence[Check],
        now: datetime,
    ) -> None:
        self.session, self.reader, self.judging, self.shelf = session, reader, judging, shelf
        self.checks, self.now = checks, now
        self.until: datetime | None = None
        """Until when all that was told so far holds if nothing is written; None where no time ends that."""
        self.rests_on: RestsOn | None = None
        """What was told last rests on; None where nobody can tell."""
        self.form = Form(judging.told_facts, now)
        self._parts = [
            (is_far, [check for check in checks if is_from_afar(check) is is_far]) for is_far in (False, True)
        ]

    def page(self, asked: Sequence[Asked]) -> bytes:
        """Return the answers on some entities, written as the inside of a JSON array."""
        with uncollected():
            found = self.results({one.ref for one in asked})
            return b",".join([_item(one.echo, found.get(one.ref, b"")) for one in asked])

    def results(self, refs: Set[str]) -> dict[str, bytes]:
        """Return the results on services by reference, the passing ones first; what is no service is absent.

        They are written as the inside of a JSON array.
        """
        if not self.checks:
            return {}
        tokens, until = tokens_of(self.reader, self.judging, refs, self.now)
        self.until = earliest(self.until, until)
        found: dict[str, Results] = {ref: {} for ref in tokens}
        lacking: dict[tuple[bool, ...], set[str]] = defaultdict(set)
        of_parts = [(is_far, checks, self._tokens(is_far, tokens)) for is_far, checks in self._parts if checks]
        is_far, _, widest = of_parts[-1]  # what is looked at from afar is known by more
        self.rests_on = resting_on(refs, is_far, widest)
        for ref in tokens:
            lacks = []
            for is_far, checks, known in of_parts:
                token = known[ref]
                kept = self.shelf.get((ref, is_far), token, self.now) if token else {}
                found[ref] = found[ref] | kept
                lacks += [] if all(check.id in kept for check in checks) else [is_far]
            if lacks:
                lacking[tuple(lacks)].add(ref)
        for parts, some in lacking.items():
            for is_far, ref, made, until in self._made(some, parts):
                found[ref] = found[ref] | made
                token = next(known[ref] for far, _, known in of_parts if far is is_far)
                if token:
                    self.shelf.put((ref, is_far), token, made, until)
        return {ref: self._in_order(of_ref) for ref, of_ref in found.items()}

    def _tokens(self, is_far: bool, tokens: Mapping[str, bytes | None]) -> Mapping[str, bytes | None]:
        if not is_far:
            return tokens
        if any(check.related for check in self.checks):
            return dict.fromkeys(tokens)  # what they ask of may lie anywhere in the catalog
        return tokens_from_afar(self.reader, tokens)

    def _made(self, refs: Set[str], parts: Sequence[bool]) -> Iterator[tuple[bool, str, Results, datetime | None]]:
        """Yield the results of each part of the checks, by service, and until when they hold."""
        checks = [check for is_far, of_part in self._parts if is_far in parts for check in of_part]
        told = verdicts_on_many(self.session, self.reader, self.judging, refs, checks, self.now)
        for is_far, of_part in self._parts:
            if is_far not in parts:
                continue
            absent: Results = dict.fromkeys([check.id for check in of_part])
            for ref, verdicts in told.items():
                own = [one for one in verdicts if one.check.id in absent]
                made = absent | {one.check.id: self._ready(one) for one in own}
                yield is_far, ref, made, earliest(*[one.until for one in own])

    def _ready(self, verdict: Verdict) -> Ready | None:
        if verdict.status is Status.NOT_APPLICABLE:
            return None
        return Ready(verdict.status in PASSING, self.form.result(verdict), verdict.until)

    def _in_order(self, results: Results) -> bytes:
        told = [one for check in self.checks if (one := results.get(check.id))]
        self.until = earliest(self.until, *[one.until for one in told])
        passing = [one.body for one in told if one.passing]
        return b",".join(passing + [one.body for one in told if not one.passing])


def _pages(session: Session, asked: Sequence[Asked]) -> Iterator[list[Asked]]:
    if asked:
        yield from chunks(asked, PAGE)
        return
    refs = judged_after(session, "")
    while refs:
        yield [Asked(ref, ref) for ref in refs]
        refs = judged_after(session, refs[-1])


class Form:
    """Writes results as JSON; what is the same for every service is written once."""

    def __init__(self, specs: Mapping[str, Spec], now: datetime) -> None:
        self.specs = specs
        self.now = now
        self._rules: dict[str, Annotate] = {}
        self._headings: dict[tuple[str, Status], bytes] = {}
        self._facts: dict[str, tuple[bytes, bytes]] = {}
        self._seen: dict[tuple[str | None, ...], bytes] = {}

    def results(self, verdicts: Sequence[Verdict]) -> list[bytes]:
        """Return the results, the passing ones first."""
        told = [verdict for verdict in verdicts if verdict.status is not Status.NOT_APPLICABLE]
        told.sort(key=lambda verdict: verdict.status not in PASSING)
        return [self.result(verdict) for verdict in told]

    def result(self, verdict: Verdict) -> bytes:
        """Return one result."""
        fresh = {key: fact.value for key, fact in verdict.facts.items() if fact.state == "fresh"}
        rule = b',"rule":{"conditions":' + self._rule(verdict.check)(Seen(fresh, self.now)) + b"}}"
        facts = b",".join([self._fact(key, fact) for key, fact in verdict.facts.items()])
        passing = b'},"result":true,"check":' if verdict.status in PASSING else b'},"result":false,"check":'
        return b'{"facts":{' + facts + passing + self._heading(verdict) + rule + b"}"

    def _rule(self, check: Check) -> Annotate:
        rule = self._rules.get(check.id)
        if rule is None:
            rule = self._rules[check.id] = annotator(rooted(check.rule.tree if check.rule else None), self.specs)
        return rule

    def _heading(self, verdict: Verdict) -> bytes:
        """Return the check with its verdict, up to its rule."""
        if verdict.sentence:
            head = result_heading(verdict.check, verdict.status)
            return orjson.dumps({**head, "metadata": {**head["metadata"], "sentence": verdict.sentence}})[:-1]
        key = (verdict.check.id, verdict.status)
        found = self._headings.get(key)
        if found is None:
            found = self._headings[key] = orjson.dumps(result_heading(verdict.check, verdict.status))[:-1]
        return found

    def _fact(self, key: str, fact: FactSeen) -> bytes:
        about = self._facts.get(key)
        if about is None:
            spec = self.specs[key]
            told = {"type": type_of(spec), "description": spec.description, "metadata": {"unit": spec.unit}}
            opening = orjson.dumps(key) + b':{"value":'
            about = self._facts[key] = opening, b"," + orjson.dumps(told)[1:-2] + b","
        alike = fact.state, fact.source, fact.observed_at
        seen = self._seen.get(alike)
        if seen is None:
            names = ("state", "source", "observed_at")
            seen = self._seen[alike] = orjson.dumps(dict(zip(names, alike, strict=True)))[1:] + b"}"
        return about[0] + orjson.dumps(fact.value) + about[1] + seen
