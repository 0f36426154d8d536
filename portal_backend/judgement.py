"""Judges services and writes the levels that moved into their histories: the end of the pipeline, whoever starts it."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

import catalog.services
from engagements import history
from engagements.history import NewEvent
from portal_backend.core import clock
from portal_backend.core.db import reading, serialise, transaction
from scorecards import judging, scorecard
from scorecards.changes import LevelChange

BATCH = 500
JUDGING = "judging"
"""One transaction judges at a time: of two that judge the same service side by side, the later would overwrite the
earlier without having seen its facts."""


def judge(session: Session, refs: Collection[str], now: datetime) -> list[LevelChange]:
    """Judge services and record the levels that moved, within the caller's transaction."""
    if not refs:
        return []
    serialise(session, JUDGING)
    moved = scorecard.update(session, judging.current(), refs, now)
    history.record(session, [_level_event(change) for change in moved], now)
    return moved


def rejudge_due() -> list[LevelChange]:
    """Judge again what time or the health of the sources has changed since; return the levels that moved."""
    basis = judging.current()
    with reading() as session:
        now = clock.now()
        refs = {*scorecard.due(session, basis, now), *scorecard.due_for_sources(session, basis, now)}
    return judge_in_batches(sorted(refs))


def judge_all() -> list[LevelChange]:
    """Judge every service again; return the levels that moved."""
    with reading() as session:
        refs = [service.ref for service in catalog.services.services(session, judging.current().service_types)]
    return judge_in_batches(refs)


def judge_in_batches(refs: Sequence[str]) -> list[LevelChange]:
    """Judge in transactions of bounded size, so that readers and other writers wait for none of them for long."""
    moved: list[LevelChange] = []
    for start in range(0, len(refs), BATCH):
        with transaction() as session:
            moved += judge(session, refs[start : start + BATCH], clock.now())
    return moved


def _level_event(change: LevelChange) -> NewEvent:
    return NewEvent(
        entity_ref=change.ref,
        kind="scorecard.level_changed",
        occurred_at=change.at,
        source=history.PORTAL,
        source_event_id=change.event_id,
        summary=change.sentence,
        details={
            "from": change.from_level,
            "to": change.to_level,
            "cause": change.cause,
            "checks": list(change.checks),
        },
    )
