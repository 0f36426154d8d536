"""The engagement that a review belongs to, read and held while its records change."""

from sqlalchemy.orm import Session

from engagements import records
from engagements.lifecycle import engagements
from engagements.lifecycle.models import Engagement
from engagements.records import Place
from portal_backend.core.errors import Conflict, Fault

NOT_BEGUN = frozenset({"requested", "candidate", "accepted"})


def place_of(engagement: Engagement) -> Place:
    """Return where the records of an engagement belong."""
    return Place(engagement.entity_ref, engagement.id)


def for_writing(session: Session, engagement_id: str) -> Engagement:
    """Return an engagement whose records nobody else changes until the transaction ends.

    Raises NotFound, and Conflict when the engagement is closed.
    """
    engagement = engagements.get(session, engagement_id)
    records.lock(session, engagement.entity_ref)
    engagement = engagements.get(session, engagement_id)
    if engagement.closed_at is not None:
        raise Conflict(
            f"The engagement {engagement_id} is closed ({engagement.state}): its records stand as they are.",
            [Fault("engagement", "Ask for a new engagement to go on.")],
        )
    return engagement


def begun(session: Session, engagement_id: str) -> Engagement:
    """Return an engagement for writing whose review has begun; raises Conflict before it was started."""
    engagement = for_writing(session, engagement_id)
    if engagement.state in NOT_BEGUN:
        raise Conflict(
            f"The engagement {engagement_id} is {engagement.state}: its review has not begun.",
            [Fault("state", "Start the engagement first.")],
        )
    return engagement
