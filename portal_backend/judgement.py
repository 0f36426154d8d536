"""Judges services and writes the levels that moved into their histories: the end of the pipeline, whoever starts it."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

import catalog.services
from engagements import history
from engagements.history import NewEvent
from engagements.in_force import review_settings, triage_settings
from engagements.models import Support
from engagements.reviews import following as reviews
from engagements.triage_lists import refresh as triage
from portal_backend import engagement_facts
from portal_backend.core import clock
from portal_backend.core.db import reading, serialise, transaction
from portal_backend.core.processes import Run, other_processes
from scorecards import judging, scorecard
from scorecards.assessment.portions import judged
from scorecards.changes import LevelChange
from scorecards.exceptions.recording import JUDGING
from scorecards.models import Scorecard
from scorecards.simulation.versions import keep_version
from scorecards.webhooks import deliveries as webhooks
from scorecards.webhooks import settings as webhook_settings

BATCH = 500
WORTH_SHARING = 2_000
"""Services from which other processes judge along: starting those takes half a second."""
SHARED_BATCH = 5_000
"""Services that are judged with them in one transaction, some seconds of work: at its ends they have nothing to do."""


def judge(session: Session, refs: Collection[str], now: datetime, run: Run = map) -> list[LevelChange]:
    """Judge services and record the levels that moved, within the caller's transaction; `run` may share the work."""
    if not refs:
        return []
    serialise(session, JUDGING)
    keep_version(session, judging.current().catalogue, now)
    moved = scorecard.update(session, judging.current(), refs, now, run)
    history.record(session, [_level_event(change) for change in moved], now)
    webhooks.enqueue(session, judging.current(), moved, refs, webhook_settings.current(), now)
    reviews.after_judging(session, judging.current(), review_settings(), refs, now)
    triage.refresh(session, judging.current(), refs, now, triage_settings())
    return moved


def rejudge_due() -> list[LevelChange]:
    """Judge again what time or the health of the sources has changed since; return the levels that moved."""
    basis = judging.current()
    with transaction() as session:
        serialise(session, JUDGING)
        told = engagement_facts.follow(session, clock.now())
    with reading() as session:
        now = clock.now()
        refs = {*told, *scorecard.due(session, basis, now), *scorecard.due_for_sources(session, basis, now)}
        refs |= _of_another_tier(session)
    moved = judge_in_batches(sorted(refs))
    _triage_due()
    return moved


def _triage_due() -> None:
    """Triage again whatever grew old, in transactions of bounded size."""
    done = 1
    while done:
        with transaction() as session:
            serialise(session, JUDGING)
            report = triage.upkeep(session, judging.current(), clock.now(), triage_settings())
        done = report.computed + report.removed


def _of_another_tier(session: Session) -> set[str]:
    """Return the services whose support tier changed since they were judged, where a check looks at the tier."""
    if not judging.current().catalogue.looks_at("tier"):
        return set()
    query = select(Support.entity_ref).join(Scorecard, Scorecard.entity_ref == Support.entity_ref)
    return set(session.scalars(query.where(Support.since > Scorecard.evaluated_at)))


def judge_all() -> list[LevelChange]:
    """Judge every service again; return the levels that moved."""
    with reading() as session:
        refs = [service.ref for service in catalog.services.services(session, judging.current().service_types)]
    return judge_in_batches(refs)


def judge_in_batches(refs: Sequence[str]) -> list[LevelChange]:
    """Judge in transactions of bounded size, so that readers and other writers wait for none of them for long."""
    moved: list[LevelChange] = []
    is_shared = len(refs) >= WORTH_SHARING
    size = SHARED_BATCH if is_shared else BATCH
    with other_processes(None if is_shared else 0, judged if is_shared else None) as run:
        for start in range(0, len(refs), size):
            with transaction() as session:
                moved += judge(session, refs[start : start + size], clock.now(), run)
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
