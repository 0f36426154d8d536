"""What follows a change of evidence or of an exception: the histories are told, and the services judged again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from flask import Flask
from sqlalchemy.orm import Session

from engagements import history, support
from engagements.history import NewEvent
from portal_backend import judgement
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from scorecards import judging
from scorecards.campaigns import counting, targets
from scorecards.campaigns.campaigns import find
from scorecards.changes import LevelChange
from scorecards.exceptions import recording
from scorecards.exceptions.expiry import expire, is_due
from scorecards.exceptions.recording import Happening


def init_app(app: Flask) -> None:
    """Let the views of the scorecards record what happens, and campaigns see support tiers."""
    recording.init_app(app, record_and_judge)
    targets.init_app(app, _tiers)


def record_and_judge(
    session: Session, happenings: Sequence[Happening], refs: Collection[str], now: datetime
) -> list[LevelChange]:
    """Write the happenings into the histories and judge the services again; return the levels that moved."""
    recording.begin(session)
    history.record(session, [_event(happening) for happening in happenings], now)
    return judgement.judge(session, refs, now)


def upkeep() -> None:
    """Tell what ended of itself, and count how far the running campaigns are today. For the worker, every so often."""
    record_expiries()
    with reading() as session:
        due = counting.due_counts(session, clock.now())
    for name in due:
        with transaction() as session:
            counting.count_day(session, judging.current().catalogue, find(session, name), clock.now())


def record_expiries() -> int:
    """Mark attestations and waivers that ended of themselves and tell the histories; return how many they were."""
    with reading() as session:
        if not is_due(session, clock.now()):
            return 0
    with transaction() as session:
        recording.begin(session)
        now = clock.now()
        return history.record(session, [_event(one) for one in expire(session, now)], now)


def _tiers(session: Session) -> Mapping[str, str]:
    return {ref: state.tier.value for ref, state in support.moved(session).items()}


def _event(happening: Happening) -> NewEvent:
    return NewEvent(
        entity_ref=happening.entity_ref,
        kind=happening.kind,
        occurred_at=happening.at,
        source=history.PORTAL,
        source_event_id=happening.event_id,
        summary=happening.summary,
        actor=happening.actor,
        details=happening.details,
    )
