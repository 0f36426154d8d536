"""Runs checks: on one service with its sentences, on many a page of answers at a time."""

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
from scorecards.tech_insights.checks import PASSING, Document, chosen, result_heading, type_of
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
from scorecards.tech_insights.tokens import tokens_of


@dataclass(frozen=True)
class Asked:
    """An entity that a bulk run is asked about."""

    ref: str
    """Lower case."""
    echo: str
    """How the answer names it: a text that was sent is echoed as sent."""


def run_on(
    session: Session, reader: Reader, judging: Judging, ref: str, ids: Sequence[str] | None, now: datetime
) -> list[Document]:
    """Run checks (None: all) on one entity; raises NotFound for a check that there is not.

    A check that does not apply is left out, as Tech Insights leaves out one whose filter does not match. What is no
    service has no results.
    """
    checks = chosen(judging.catalogue, ids)
    if not checks or "\0" in ref:  # no database takes that as a text
        return []
    return Form(judging.told_facts, now).results(verdicts_on(session, reader, judging, ref, checks, now))


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
        failure = {"name": "NotFoundError", "message": error.message}
        for page in _pages(session, asked):
            yield orjson.dumps([{"entity": one.echo, "error": failure, "results": []} for one in page])[1:-1]
        return
    run = _Run(session, reader, judging, shelf, checks, now)
    for page in _pages(session, asked):
        with uncollected():
            found = run.results({one.ref for one in page})
            yield b",".join([_item(one.echo, found.get(one.ref, b"")) for one in page])


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
        self.form = Form(judging.told_facts, now)
        self._near = [check for check in checks if not is_from_afar(check)]
        self._far = [check for check in checks if is_from_afar(check)]

    def results(self, refs: Set[str]) -> dict[str, bytes]:
        """Return the results on services by reference, the passing ones first; what is no service is absent.

        They are written as the inside of a JSON array.
        """
        if not self.checks:
            return {}
        tokens = tokens_of(self.reader, self.judging, refs, self.now)
        found = {ref: self.shelf.get(ref, token) if token else {} for ref, token in tokens.items()}
        lacking = {ref for ref, of_ref in found.items() if any(check.id not in of_ref for check in self._near)}
        for ref, made in self._made(lacking, self.checks).items():
            found[ref] = made
            if token := tokens[ref]:
                self.shelf.put(ref, token, {check.id: made[check.id] for check in self._near})
        for ref, made in self._made(found.keys() - lacking, self._far).items():
            found[ref] = found[ref] | made
        return {ref: self._in_order(of_ref) for ref, of_ref in found.items()}

    def _made(self, refs: Set[str], checks: Sequence[Check]) -> dict[str, Results]:
        if not refs or not checks:
            return {}
        verdicts = verdicts_on_many(self.session, self.judging, refs, checks, self.now)
        absent: Results = dict.fromkeys([check.id for check in checks])
        return {ref: absent | {one.check.id: self._ready(one) for one in of_ref} for ref, of_ref in verdicts.items()}

    def _ready(self, verdict: Verdict) -> Ready | None:
        if verdict.status is Status.NOT_APPLICABLE:
            return None
        return Ready(verdict.status in PASSING, orjson.dumps(self.form.result(verdict)))

    def _in_order(self, results: Results) -> bytes:
        told = [one for check in self.checks if (one := results.get(check.id))]
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
    """Writes results as JSON; what is the same for every service is made once."""

    def __init__(self, specs: Mapping[str, Spec], now: datetime) -> None:
        self.specs = specs
        self.now = now
        self._rules: dict[str, Annotate] = {}
        self._headings: dict[tuple[str, Status], bytes] = {}

    def results(self, verdicts: Sequence[Verdict]) -> list[Document]:
        """Return the results, the passing ones first."""
        told = [verdict for verdict in verdicts if verdict.status is not Status.NOT_APPLICABLE]
        told.sort(key=lambda verdict: verdict.status not in PASSING)
        return [self.result(verdict) for verdict in told]

    def result(self, verdict: Verdict) -> Document:
        """Return one result."""
        fresh = {key: fact.value for key, fact in verdict.facts.items() if fact.state == "fresh"}
        rule = {"conditions": self._rule(verdict.check)(Seen(fresh, self.now))}
        return {
            "facts": {key: self._fact(key, fact) for key, fact in verdict.facts.items()},
            "result": verdict.status in PASSING,
            "check": _told(verdict, rule) if verdict.sentence else self._bare(verdict, rule),
        }

    def _rule(self, check: Check) -> Annotate:
        rule = self._rules.get(check.id)
        if rule is None:
            rule = self._rules[check.id] = annotator(rooted(check.rule.tree if check.rule else None), self.specs)
        return rule

    def _bare(self, verdict: Verdict, rule: Document) -> orjson.Fragment:
        key = (verdict.check.id, verdict.status)
        head = self._headings.get(key)
        if head is None:
            head = self._headings[key] = orjson.dumps(result_heading(verdict.check, verdict.status))[:-1]
        return orjson.Fragment(head + b',"rule":' + orjson.dumps(rule) + b"}")

    def _fact(self, key: str, fact: FactSeen) -> Document:
        spec = self.specs[key]
        return {
            "value": fact.value,
            "type": type_of(spec),
            "description": spec.description,
            "metadata": {
                "unit": spec.unit,
                "state": fact.state,
                "source": fact.source,
                "observed_at": fact.observed_at,
            },
        }


def _told(verdict: Verdict, rule: Document) -> Document:
    head = result_heading(verdict.check, verdict.status)
    return {**head, "metadata": {**head["metadata"], "sentence": verdict.sentence}, "rule": rule}
