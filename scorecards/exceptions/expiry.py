"""What ended by the passing of time: attestations and waivers that expired are marked so, and told to the histories.

Nothing here decides whether they count: the clock does, at every judgement.
"""

from datetime import datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from scorecards.exceptions import attestations, waivers
from scorecards.exceptions.models import AttestationRow, WaiverRow
from scorecards.exceptions.recording import Happening

BATCH = 500


def is_due(session: Session, now: datetime) -> bool:
    """Say whether anything has ended of itself since it was last marked."""
    attested = exists().where(AttestationRow.ended_at.is_(None), AttestationRow.expires_at <= now)
    waived = exists().where(WaiverRow.state == "approved", WaiverRow.until <= now)
    return bool(session.scalar(select(or_(attested, waived))))


def expire(session: Session, now: datetime) -> list[Happening]:
    """Mark what has ended of itself, the oldest first and at most 500 of each kind, and return what to tell of it."""
    return _expire_attestations(session, now) + _expire_waivers(session, now)


def _expire_attestations(session: Session, now: datetime) -> list[Happening]:
    row = AttestationRow
    query = select(row).where(row.ended_at.is_(None), row.expires_at <= now).order_by(row.expires_at, row.id)
    happenings = []
    for one in session.scalars(query.limit(BATCH)):
        one.ended_at, one.end_kind = one.expires_at, "expired"
        summary = f"What {one.attested_by} attested of {one.check_id} on {one.attested_at:%Y-%m-%d} has expired."
        happenings.append(attestations.happening(one, "expired", summary, None, one.expires_at))
    return happenings


def _expire_waivers(session: Session, now: datetime) -> list[Happening]:
    row = WaiverRow
    query = select(row).where(row.state == "approved", row.until <= now).order_by(row.until, row.id)
    happenings = []
    for one in session.scalars(query.limit(BATCH)):
        one.state, one.ended_at = "expired", one.until
        summary = f"The waiver of {one.check_id} that {one.decided_by} approved has expired."
        happenings.append(waivers.happening(one, "expired", summary, None, one.until))
    return happenings
