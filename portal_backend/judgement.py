"""Judges services and writes the levels that moved into their histories: the end of the pipeline, whoever starts it."""

import threading
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

import catalog.services
from catalog.models import Entity
from engagements import history
from engagements.history import NewEvent
from engagements.in_force import review_settings, triage_settings
from engagements.models import Support
from engagements.reviews import following as reviews
from engagements.triage_lists import refresh as triage
from portal_backend import engagement_facts
from portal_backend.core import clock
from portal_backend.core.arrays import among
from portal_backend.core.db import chunks, reading, serialise, transaction
from portal_backend.core.processes import Run, other_processes
from scorecards import judging, scorecard
from scorecards.assessment.portions import judged
from scorecards.changes import LevelChange
from scorecards.evidence.causes import CATALOG_SOURCE
from scorecards.exceptions.recording import JUDGING
from scorecards.models import EntityFacts, Scorecard
from scorecards.simulation.versions import keep_version
from scorecards.webhooks import deliveries as webhooks
from scorecards.webhooks import settings as webhook_settings

BATCH = 500
WORTH_SHARING = 2_000
"""Services from which other processes judge along: starting those takes half a second."""
SHARED_BATCH = 2_000
"""Services that are judged with them in one transaction: at its ends they have nothing to do, and until then whoever
stores facts or reads the catalog anew waits."""

_turn = threading.Lock()
"""Held by the thread that judges what is due."""
_wanted = threading.Event()
"""Somebody has asked for it since that thread looked for what is due."""


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
    """Judge what nobody has judged yet, and what time or the health of the sources has changed since.

    Returns the levels that moved. What is due stands in the database alone: whoever is killed leaves the rest to the
    next one. Of a process's threads one does it; another returns at once, and the one looks again before it ends:
    else a worker's threads would all wait here in turn, and none would read files meanwhile.
    """
    moved: list[LevelChange] = []
    _wanted.set()
    while _wanted.is_set() and _turn.acquire(blocking=False):
        try:
            _wanted.clear()
            moved += _rejudge()
        finally:
            _turn.release()
    return moved


def _rejudge() -> list[LevelChange]:
    with transaction() as session:
        serialise(session, JUDGING)
        now = clock.now()
        scorecard.expire(session, engagement_facts.follow(session, now), now)
    with reading() as session:
        now = clock.now()
        refs = _due(session, now)
    moved = judge_in_batches(sorted(refs), unless_since=now)
    _triage_due()
    return moved


def _due(session: Session, now: datetime) -> set[str]:
    basis = judging.current()
    refs = {*scorecard.due(session, basis, now), *scorecard.due_for_sources(session, basis, now)}
    return refs | _of_another_tier(session) | _never_judged(session)


def _never_judged(session: Session) -> set[str]:
    """Return the services without a scorecard, once the catalog's facts of them are stored."""
    known = exists().where(EntityFacts.entity_ref == Entity.ref, EntityFacts.source == CATALOG_SOURCE)
    judged_before = exists().where(Scorecard.entity_ref == Entity.ref)
    of_services = catalog.services.is_service(judging.current().service_types)
    return set(session.scalars(select(Entity.ref).where(of_services, known, ~judged_before)))


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


def judge_in_batches(refs: Sequence[str], *, unless_since: datetime | None = None) -> list[LevelChange]:
    """Judge in transactions of bounded size, so that readers and other writers wait for none of them for long.

    Those are left out that somebody else has judged since `unless_since` by the time it is their turn.
    """
    moved: list[LevelChange] = []
    is_shared = len(refs) >= WORTH_SHARING
    size = SHARED_BATCH if is_shared else BATCH
    with other_processes(None if is_shared else 0, judged if is_shared else None) as run:
        for some in chunks(refs, size):
            with transaction() as session:
                serialise(session, JUDGING)
                now = clock.now()
                done = _judged_since(session, some, unless_since, now) if unless_since else set()
                moved += judge(session, set(some) - done, now, run)
    return moved


def _judged_since(session: Session, refs: Sequence[str], since: datetime, now: datetime) -> set[str]:
    """Return those of the services that were judged since then, and are not to be judged again already."""
    still_valid = or_(Scorecard.valid_until.is_(None), Scorecard.valid_until >= now)
    query = select(Scorecard.entity_ref).where(Scorecard.evaluated_at > since, still_valid)
    found: set[str] = set()
    for few in chunks(refs):
        found |= set(session.scalars(query.where(among(session, Scorecard.entity_ref, few))))
    return found


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
