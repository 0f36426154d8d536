"""Runs checks: on one service with its sentences, on many a page of answers at a time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy.orm import Session

from portal_backend.core.db import chunks
from portal_backend.core.errors import NotFound
from scorecards.checks.definitions import Check, CheckCatalogue
from scorecards.tech_insights.answers import Told, earliest
from scorecards.tech_insights.fragments import Desk, Run
from scorecards.tech_insights.looking import in_evidence
from scorecards.tech_insights.results import PAGE, judged_after, verdicts_on
from scorecards.tech_insights.shelf import Fragment, Shelf
from scorecards.tech_insights.writing import LEFT_OUT, LETTER_OF, Writer, passing_first


class Asked(NamedTuple):
    """An entity that a bulk run is asked about."""

    ref: str
    """Lower case."""
    echo: str
    """How the answer names it: a text that was sent is echoed as sent."""


def _chosen(catalogue: CheckCatalogue, ids: Sequence[str] | None) -> list[Check]:
    """Return the checks of these ids, each once (None: all); raises NotFound for an id that there is not."""
    if ids is None:
        return list(catalogue.checks.values())
    for check_id in ids:
        if check_id not in catalogue.checks:
            raise NotFound(f"Tech insight check with id '{check_id}' is not registered.")
    return [catalogue.checks[check_id] for check_id in dict.fromkeys(ids)]


def run_on(desk: Desk, ref: str, ids: Sequence[str] | None) -> Told:
    """Run checks (None: all) on one entity; raises NotFound for a check that there is not.

    A check that does not apply is left out, as Tech Insights leaves out one whose filter does not match. What is no
    service has no results.
    """
    checks = _chosen(desk.judging.catalogue, ids)
    if not checks or "\0" in ref:  # no database takes that as a text
        return Told(b"[]", None)
    results, until = verdicts_on(desk.session, desk.reader, desk.judging, ref, checks, desk.now)
    writer = Writer(desk.stencils, desk.now)
    told: list[tuple[str, bytes]] = []
    for result in results:
        letter = LETTER_OF[result.status]
        if letter == LEFT_OUT:
            continue
        look = in_evidence({used.evidence.key: used.evidence for used in result.facts}, desk.stencils)
        body, _ = writer.result(desk.stencils.of(result.check), letter, look, result.sentence)
        told.append((letter, body))
    return Told(b"[" + passing_first(told) + b"]", until)


def run_on_some(desk: Desk, shelf: Shelf, asked: Sequence[Asked], ids: Sequence[str] | None) -> Told:
    """Run checks (None: all) on 1 to PAGE entities, as `run_on_many` does, and tell until when the answer holds."""
    try:
        run = Run(desk, shelf, _chosen(desk.judging.catalogue, ids))
    except NotFound as error:
        return Told(b"[" + _failures(asked, error) + b"]", None)
    found = run.fragments({one.ref for one in asked})
    body = _written(b"[", asked, found.fragments, b"]")
    ends = [fragment.until for fragment in found.fragments.values()]
    return Told(body, earliest(*ends), found.rests_on)


def run_on_many(desk: Desk, shelf: Shelf, asked: Sequence[Asked], ids: Sequence[str] | None) -> Iterator[bytes]:
    """Run checks (None: all) on entities; no entities stand for every judged service.

    Yields a JSON array of answers, a page of them at a time. A check that there is not is the error of each entity, as
    in Tech Insights.
    """
    opening, failed = b"[", None
    try:
        checks = _chosen(desk.judging.catalogue, ids)
    except NotFound as error:
        checks, failed = [], error
    run = Run(desk, shelf, checks)
    for page in _pages(desk.session, asked):
        if failed:
            yield opening + _failures(page, failed)
        else:
            yield _written(opening, page, run.fragments({one.ref for one in page}).fragments)
        opening = b","
    yield b"[]" if opening == b"[" else b"]"


def _failures(asked: Sequence[Asked], error: NotFound) -> bytes:
    failure = {"name": "NotFoundError", "message": error.message}
    return orjson.dumps([{"entity": one.echo, "error": failure, "results": []} for one in asked])[1:-1]


def _written(opening: bytes, asked: Sequence[Asked], found: Mapping[str, Fragment], closing: bytes = b"") -> bytes:
    """Write the answers on entities; all at once, since they are large."""
    parts = [opening]
    for ref, echo in asked:
        fragment = found.get(ref)
        body = fragment.body if fragment else b""
        parts += (b'{"entity":', orjson.dumps(echo), b',"results":[', body, b"]}", b",")
    parts[-1] = closing
    return b"".join(parts)


def _pages(session: Session, asked: Sequence[Asked]) -> Iterator[list[Asked]]:
    if asked:
        yield from chunks(asked, PAGE)
        return
    refs = judged_after(session, "")
    while refs:
        yield [Asked(ref, ref) for ref in refs]
        refs = judged_after(session, refs[-1])
