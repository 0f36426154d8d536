"""Runs checks: on one service with its sentences, on many a page of answers at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy.orm import Session

from portal_backend.core.db import chunks
from portal_backend.core.errors import NotFound
from portal_backend.core.memory import uncollected
from scorecards.checks.definitions import Check, Status
from scorecards.evidence.causes import Spec
from scorecards.judging import Judging
from scorecards.tech_insights.checks import PASSING, Document, chosen, result_heading, told_facts, type_of
from scorecards.tech_insights.conditions import Annotate, Seen, annotator, rooted
from scorecards.tech_insights.results import PAGE, FactSeen, Verdict, judged_after, verdicts_on, verdicts_on_many


@dataclass(frozen=True)
class Asked:
    """An entity that a bulk run is asked about."""

    ref: str
    """Lower case."""
    echo: str
    """How the answer names it: a text that was sent is echoed as sent."""


def run_on(session: Session, judging: Judging, ref: str, ids: Sequence[str] | None, now: datetime) -> list[Document]:
    """Run checks (None: all) on one entity; raises NotFound for a check that there is not.

    A check that does not apply is left out, as Tech Insights leaves out one whose filter does not match. What is no
    service has no results.
    """
    checks = chosen(judging.catalogue, ids)
    if not checks or "\0" in ref:  # no database takes that as a text
        return []
    return Form(told_facts(judging), now).results(verdicts_on(session, judging, ref, checks, now))


def run_on_many(
    session: Session, judging: Judging, asked: Sequence[Asked], ids: Sequence[str] | None, now: datetime
) -> Iterator[list[Document]]:
    """Run checks (None: all) on entities, a page of answers at a time; no entities stand for every judged service.

    A check that there is not is the error of each entity, as in Tech Insights.
    """
    try:
        checks = chosen(judging.catalogue, ids)
    except NotFound as error:
        failure = {"name": "NotFoundError", "message": error.message}
        for page in _pages(session, asked):
            yield [{"entity": one.echo, "error": failure, "results": []} for one in page]
        return
    form = Form(told_facts(judging), now)
    for page in _pages(session, asked):
        refs = {one.ref for one in page}
        with uncollected():
            found = verdicts_on_many(session, judging, refs, checks, now) if checks else {}
            answers = [{"entity": one.echo, "results": form.results(found.get(one.ref, ()))} for one in page]
        yield answers


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
        return [self._result(verdict) for verdict in told]

    def _result(self, verdict: Verdict) -> Document:
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
