"""Judges services, keeps their scorecards, and explains one when it is read.

Many services are judged by `scorecards.assessment`, which yields verdicts without words; the words of one service are
made by `scorecards.evaluation` from the facts that are stored, when somebody reads its scorecard.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy import update as sql_update
from sqlalchemy.orm import Session

from plugins.health import health
from portal_backend.core.beside import Begin, beside
from portal_backend.core.db import chunks
from portal_backend.core.errors import NotFound
from portal_backend.core.memory import uncollected
from portal_backend.core.processes import Run
from portal_backend.core.quick_reading import Reader
from scorecards import facts
from scorecards.assessment.kit import state_of
from scorecards.assessment.portions import Basis, Loaded, Portion, judged, part_of
from scorecards.assessment.verdicts import hold_of
from scorecards.changes import LevelChange
from scorecards.checks.definitions import CheckCatalogue, Subject
from scorecards.documents import Document, scorecard_form
from scorecards.evaluation import CheckResult, judge
from scorecards.evidence.causes import SourceState, Supply
from scorecards.evidence.view import View
from scorecards.exceptions.in_force import NOTHING_IN_FORCE, InForce
from scorecards.grading import Grade, grade
from scorecards.holding import Hold, darkness, held_verdicts, is_any_dark
from scorecards.judging import Judging, sources_version
from scorecards.keeping import compress_quickly, keep, last_of
from scorecards.loading import gather, load, service_refs
from scorecards.models import Scorecard
from scorecards.quick_loading import Kept, load_one

AT_ONCE = 500
"""Services that are read, and written, together."""
PORTION = 125
"""Services that are judged together: what one process gives another."""
AN_INSTANT = timedelta(microseconds=1)


def grade_service(
    subject: Subject,
    view: View,
    catalogue: CheckCatalogue,
    now: datetime,
    in_force: InForce = NOTHING_IN_FORCE,
    hold: Hold | None = None,
) -> Grade:
    """Judge every check of the catalogue on one service and put the verdicts together, with their words. Pure."""
    results = [judge(check, subject, view, now, in_force) for check in catalogue.checks.values()]
    return grade(subject, results, catalogue, held_verdicts(hold, _dark(results, view.supply), now))


def _dark(results: Sequence[CheckResult], supply: Supply) -> dict[str, Any]:
    """Return the checks that are unknown because a source is silent, each with the source."""
    unknown = [result for result in results if result.status == "unknown" and not result.shadow]
    found = {result.check.id: darkness(result.causes, supply) for result in unknown}
    return {check: dark for check, dark in found.items() if dark}


def update(
    session: Session, judging: Judging, refs: Collection[str] | None, now: datetime, run: Run = map
) -> list[LevelChange]:
    """Judge services again (None: all of them); return the levels that changed. `dependents_of` tells who else may.

    An unchanged scorecard is not written again; what changed leaves a row. References that are no services, such as
    groups or libraries, lose a scorecard that they may have had as a service. `run` may have other processes judge.
    """
    wanted = sorted(refs if refs is not None else _kept_refs(session) | service_refs(session, judging))
    states = health(session, now)
    health_told = {name: state_of(state) for name, state in states.items()}
    basis = Basis(judging.kit, health_told, sources_version(states), now)
    known: set[str] = set()
    moved: list[LevelChange] = []
    if len(wanted) >= AT_ONCE:
        compress_quickly(session)
    try:
        with uncollected(), beside(session, len(wanted) > AT_ONCE) as begin:
            portions = _portions(begin, session, judging, wanted, now, known)
            for written in chunks(run(partial(judged, basis), portions), AT_ONCE // PORTION):
                begin(keep, session, written)
                moved += [move for one in written for move in one.moved]
    finally:
        judging.kit.remembered.clear()
    _drop(session, set(wanted) - known)
    return moved


def _portions(
    begin: Begin, session: Session, judging: Judging, refs: Sequence[str], now: datetime, known: set[str]
) -> Iterator[Portion]:
    """Yield those of the references that are services, in portions; adds them to the `known` ones.

    While some are judged, the next ones are read.
    """
    coming: deque[Future[Portion]] = deque()
    for some in _reads(refs):
        coming.append(begin(_read, session, judging, some, now))
        if len(coming) > 1:
            yield from _parts(coming.popleft().result(), known)
    for last in coming:
        yield from _parts(last.result(), known)


def _reads(refs: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield what is read at once; of many at first one portion alone, so that whoever judges need not wait for long."""
    first = PORTION if len(refs) > AT_ONCE else 0
    yield from chunks(refs[:first])
    yield from chunks(refs[first:], AT_ONCE)


def _parts(whole: Portion, known: set[str]) -> Iterator[Portion]:
    known.update(whole.subjects)
    for few in chunks(sorted(whole.subjects), PORTION):
        yield part_of(whole, few)


def _read(session: Session, judging: Judging, refs: Sequence[str], now: datetime) -> Portion:
    """Return those of the references that are services, with what their last judgements left."""
    whole = gather(session, judging, refs, now)
    return replace(whole, before=last_of(session, sorted(whole.subjects), judging.plan))


def read(session: Session, judging: Judging, ref: str, now: datetime) -> Document:
    """Return a service's scorecard as it stands at `now`; raises NotFound when the catalog has no such service.

    It is explained by the facts that are stored now. When evidence has grown stale since it was judged, or the sources
    or the checks have changed, its verdicts may be others than the stored ones; nothing is written.
    """
    kept = session.get(Scorecard, ref)
    loaded = load(session, judging, [ref], now)
    if ref not in loaded.subjects:
        raise _no_service(ref)
    return _explained(session, judging, loaded, ref, kept, now)


def read_one(session: Session, reader: Reader, judging: Judging, ref: str, now: datetime) -> Document:
    """Return what `read` returns, from what is committed, for whom somebody waits."""
    with uncollected():
        one = load_one(session, reader, judging, ref, now)
        if one is None:
            raise _no_service(ref)
        return _explained(session, judging, one.loaded, ref, one.kept, now)


def _explained(
    session: Session, judging: Judging, loaded: Loaded, ref: str, kept: Scorecard | Kept | None, now: datetime
) -> Document:
    subject, view = loaded.subjects[ref]
    in_force = loaded.in_force.get(ref, NOTHING_IN_FORCE)
    last = last_of(session, [ref], judging.plan).get(ref) if kept and is_any_dark(loaded.health) else None
    graded = grade_service(subject, view, judging.catalogue, now, in_force, hold_of(last, judging.plan, judging.grace))
    answer = scorecard_form(graded, loaded.health)
    evaluated_at = kept.evaluated_at if kept and _holds(kept, judging, loaded.health, now) else now
    return {**answer, "evaluated_at": evaluated_at, "valid_until": _valid_until(graded, in_force)}


def standings(session: Session, refs: Collection[str] | None) -> list[Document]:
    """Return the short form of the stored scorecards (None: of all), by reference."""
    query = select(
        Scorecard.entity_ref,
        Scorecard.level,
        Scorecard.required_level,
        Scorecard.percent,
        Scorecard.coverage,
        Scorecard.next_step,
        Scorecard.evaluated_at,
    ).order_by(Scorecard.entity_ref)
    queries = (
        [query] if refs is None else [query.where(Scorecard.entity_ref.in_(part)) for part in chunks(sorted(refs))]
    )
    rows = [row for each in queries for row in session.execute(each)]
    return [
        {
            "ref": row.entity_ref,
            "level": row.level,
            "required_level": row.required_level,
            "distance": _distance(row.level, row.required_level),
            "percent": row.percent,
            "coverage": row.coverage,
            "next_step": row.next_step,
            "evaluated_at": row.evaluated_at,
        }
        for row in rows
    ]


def _distance(level: str | None, required: str | None) -> int | None:
    if level is None or required is None:
        return None
    return max(0, int(required[1:]) - int(level[1:]))


def due(session: Session, judging: Judging, now: datetime) -> list[str]:
    """Return the services to judge again because evidence has grown stale, or the checks are others than before."""
    outdated = or_(Scorecard.valid_until < now, Scorecard.catalogue_version != judging.catalogue.version)
    return list(session.scalars(select(Scorecard.entity_ref).where(outdated).order_by(Scorecard.entity_ref)))


def due_for_sources(session: Session, judging: Judging, now: datetime) -> list[str]:
    """Return the services whose scorecards tell causes that rest on another state of the sources than the present."""
    version = sources_version(health(session, now))
    outdated = Scorecard.sources_version != version
    return list(session.scalars(select(Scorecard.entity_ref).where(outdated).order_by(Scorecard.entity_ref)))


def awaiting_evidence(session: Session, refs: Collection[str]) -> set[str]:
    """Return those with a check that is unknown for stale evidence: judge them again after any new observation."""
    found: set[str] = set()
    for chunk in chunks(sorted(refs)):
        query = select(Scorecard.entity_ref).where(Scorecard.entity_ref.in_(chunk), Scorecard.awaits_evidence)
        found |= set(session.scalars(query))
    return found


def forget(session: Session, refs: Collection[str]) -> None:
    """Drop the scorecards and facts of entities that the catalog no longer has; the history of verdicts stays."""
    _drop(session, refs)
    facts.forget(session, refs)


def expire(session: Session, refs: Collection[str], now: datetime) -> None:
    """Have services judged again at the next occasion; until then a reader of them gets a fresh judgement."""
    for few in chunks(sorted(refs)):
        session.execute(sql_update(Scorecard).where(Scorecard.entity_ref.in_(few)).values(valid_until=now - AN_INSTANT))


def _valid_until(graded: Grade, in_force: InForce) -> datetime | None:
    moments = [result.changes_at for result in graded.results if result.changes_at]
    moments += [in_force.changes_at] if in_force.changes_at else []
    moments += [held.until for held in graded.held.values()]
    return min(moments, default=None)


def _holds(kept: Scorecard | Kept, judging: Judging, states: Mapping[str, SourceState], now: datetime) -> bool:
    """Say whether a stored scorecard is still what a fresh judgement would say."""
    return (
        (kept.valid_until is None or now <= kept.valid_until)
        and kept.catalogue_version == judging.catalogue.version
        and kept.sources_version == sources_version(states)
    )


def _kept_refs(session: Session) -> set[str]:
    return set(session.scalars(select(Scorecard.entity_ref)))


def _drop(session: Session, refs: Collection[str]) -> None:
    for chunk in chunks(sorted(refs)):
        session.execute(delete(Scorecard).where(Scorecard.entity_ref.in_(chunk)))


def _no_service(ref: str) -> NotFound:
    return NotFound(
        f"The catalog has no service {ref}: register it, or see whether its spec.type counts as a service "
        "(`services.types` in portal.yaml)."
    )
