"""Judges services and keeps their scorecards: one document each, and a row for every verdict that changes."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import delete, insert, or_, select
from sqlalchemy import update as sql_update
from sqlalchemy.orm import Session

from plugins.health import SourceHealth, health
from portal_backend.core.db import chunks, upsert
from portal_backend.core.errors import NotFound
from portal_backend.core.memory import uncollected
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from scorecards import facts
from scorecards.changes import LevelChange, StatusChange, level_change, status_changes, statuses_of
from scorecards.checks.definitions import CheckCatalogue, Status, Subject, level_name
from scorecards.documents import Document, answer_form, stored_form
from scorecards.evaluation import judge
from scorecards.evidence.causes import CauseKind
from scorecards.evidence.view import View
from scorecards.grading import Grade, grade
from scorecards.judging import Judging, sources_version
from scorecards.loading import load
from scorecards.models import ResultChange, Scorecard

BATCH = 500


def grade_service(subject: Subject, view: View, catalogue: CheckCatalogue, now: datetime) -> Grade:
    """Judge every check of the catalogue on one service and put the verdicts together. Pure."""
    return grade(subject, [judge(check, subject, view, now) for check in catalogue.checks.values()], catalogue)


def update(session: Session, judging: Judging, refs: Collection[str] | None, now: datetime) -> list[LevelChange]:
    """Judge services again (None: all of them); return the levels that changed. `dependents_of` tells who else may.

    An unchanged document is not written again; a changed verdict leaves a row. References that are no services, such
    as groups or libraries, lose a scorecard that they may have had as a service.
    """
    loaded = load(session, judging, refs, now)
    basis = (judging.catalogue.version, sources_version(loaded.health))
    moved: list[LevelChange] = []
    for batch in chunks(sorted(loaded.subjects), BATCH):
        with uncollected():
            grades = [grade_service(*loaded.subjects[ref], judging.catalogue, now) for ref in batch]
            moved += _keep(session, grades, basis, now)
    gone = _kept_refs(session) if refs is None else set(refs)
    _drop(session, gone - loaded.subjects.keys())
    return moved


def read(session: Session, judging: Judging, ref: str, now: datetime) -> Document:
    """Return a service's scorecard as it stands at `now`; raises NotFound when the catalog has no such service.

    The stored one answers while it holds. When evidence has grown stale since, or the sources or the checks have
    changed, the service is judged afresh for this answer; nothing is written.
    """
    kept = session.get(Scorecard, ref)
    states = health(session, now)
    if kept and _holds(kept, judging, states, now):
        stored, evaluated_at, valid_until = orjson.loads(kept.document), kept.evaluated_at, kept.valid_until
    else:
        loaded = load(session, judging, [ref], now)
        if ref not in loaded.subjects:
            raise _no_service(ref)
        graded = grade_service(*loaded.subjects[ref], judging.catalogue, now)
        stored, evaluated_at, valid_until = stored_form(graded), now, _valid_until(graded)
    answer = answer_form(stored, judging.catalogue, states)
    return {**answer, "evaluated_at": evaluated_at, "valid_until": valid_until}


def changes(session: Session, ref: str, cursor: str | None, limit: int) -> Page[ResultChange]:
    """Return the changes of a service's verdicts, the latest first; raises NotFound when there never was any."""
    query = select(ResultChange).where(ResultChange.entity_ref == ref).order_by(ResultChange.id.desc())
    if cursor is not None:
        position = decode_cursor(cursor)
        if not isinstance(position, int) or isinstance(position, bool):
            raise bad_cursor()
        query = query.where(ResultChange.id < position)
    rows = list(session.scalars(query.limit(limit + 1)))
    if not rows and cursor is None and session.get(Scorecard, ref) is None:
        raise _no_service(ref)
    more = len(rows) > limit
    return Page(rows[:limit], encode_cursor(rows[limit - 1].id) if more else None)


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


def _keep(session: Session, grades: Sequence[Grade], basis: tuple[str, str], now: datetime) -> list[LevelChange]:
    """Write what changed of a batch of scorecards; return the levels that moved."""
    before = _last(session, [graded.subject.ref for graded in grades])
    rows: list[dict[str, Any]] = []
    unchanged: list[str] = []
    changed_results: list[dict[str, Any]] = []
    moved: list[LevelChange] = []
    for graded in grades:
        ref = graded.subject.ref
        last = before.get(ref)
        row = _row(graded, basis, now)
        if last and last.fingerprint == row["fingerprint"]:
            unchanged.append(ref)
            continue
        rows.append(row)
        differences = status_changes(last.statuses if last else None, graded)
        changed_results += [_change_row(ref, difference, now) for difference in differences]
        move = level_change(ref, last.level if last else None, last is None, graded, differences, now)
        if move:
            moved.append(move)
    upsert(session, Scorecard, rows, ["entity_ref"])
    if unchanged:
        touched = sql_update(Scorecard).where(Scorecard.entity_ref.in_(unchanged))
        session.execute(touched.values(evaluated_at=now, catalogue_version=basis[0], sources_version=basis[1]))
    if changed_results:
        session.execute(insert(ResultChange), changed_results)
    return moved


def _last(session: Session, refs: Sequence[str]) -> dict[str, Any]:
    """Return what the last judgement is compared by; the documents themselves stay where they are."""
    query = select(Scorecard.entity_ref, Scorecard.level, Scorecard.fingerprint, Scorecard.statuses)
    return {row.entity_ref: row for row in session.execute(query.where(Scorecard.entity_ref.in_(refs)))}


def _row(graded: Grade, basis: tuple[str, str], now: datetime) -> dict[str, Any]:
    stored = stored_form(graded)
    document = orjson.dumps(stored)
    valid_until = _valid_until(graded)
    statuses = statuses_of(graded)
    # The rules' digests take part: a new version of a check is kept even where it leads to the same verdict.
    seen = document + orjson.dumps([valid_until, statuses])
    row: dict[str, Any] = {
        "entity_ref": graded.subject.ref,
        "level": level_name(graded.overall.level),
        "percent": graded.overall.percent,
        "coverage": graded.overall.coverage,
        "required_level": level_name(graded.required_level),
        "next_step": graded.next_steps[0].sentence if graded.next_steps else None,
        "evaluated_at": now,
        "valid_until": valid_until,
        "awaits_evidence": _awaits_evidence(graded),
        "catalogue_version": basis[0],
        "sources_version": basis[1],
        "fingerprint": hashlib.sha256(seen).hexdigest()[:32],
        "statuses": statuses,
        "document": document,
    }
    for axis, standing in graded.axes.items():
        row[f"{axis}_level"] = level_name(standing.level)
        row[f"{axis}_percent"] = standing.percent
        row[f"{axis}_coverage"] = standing.coverage
    return row


def _change_row(ref: str, difference: StatusChange, now: datetime) -> dict[str, Any]:
    return {
        "entity_ref": ref,
        "check_id": difference.check,
        "from_status": difference.from_status,
        "to_status": difference.to_status,
        "cause": difference.cause,
        "check_version": difference.version,
        "sentence": difference.sentence,
        "at": now,
    }


def _valid_until(graded: Grade) -> datetime | None:
    moments = [result.changes_at for result in graded.results if result.changes_at]
    return min(moments, default=None)


def _awaits_evidence(graded: Grade) -> bool:
    return any(
        cause.kind is CauseKind.STALE
        for result in graded.results
        if result.status is not Status.NOT_APPLICABLE
        for cause in result.causes
    )


def _holds(kept: Scorecard, judging: Judging, states: dict[str, SourceHealth], now: datetime) -> bool:
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
