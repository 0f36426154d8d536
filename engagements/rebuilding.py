"""The stored support checked against, and made again from, the history that it follows from."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engagements import support
from engagements.models import HistoryEvent, Support
from engagements.support import SupportState
from portal_backend.core.db import upsert


def from_history(session: Session) -> dict[str, SupportState]:
    """Return the support of every service whose tier ever changed, as its history tells it."""
    newest = (
        select(HistoryEvent.entity_ref, func.max(HistoryEvent.sequence).label("sequence"))
        .where(HistoryEvent.kind == "tier.changed")
        .group_by(HistoryEvent.entity_ref)
        .subquery()
    )
    query = select(HistoryEvent.entity_ref, HistoryEvent.details).join(
        newest, (HistoryEvent.entity_ref == newest.c.entity_ref) & (HistoryEvent.sequence == newest.c.sequence)
    )
    return {ref: support.state_in(ref, details) for ref, details in session.execute(query)}


def verify(session: Session) -> list[str]:
    """Return the services whose stored support is not what their history tells, sorted."""
    stored, history_says = support.moved(session), from_history(session)
    refs = stored.keys() | history_says.keys()
    return sorted(ref for ref in refs if stored.get(ref) != history_says.get(ref))


def rebuild(session: Session) -> list[str]:
    """Make the stored support again what the history tells; return the services where it was not, sorted."""
    wrong, states = verify(session), from_history(session)
    for row in session.scalars(select(Support)):
        if row.entity_ref not in states:
            session.delete(row)
    session.flush()
    upsert(session, Support, [support.row_of(states[ref]) for ref in wrong if ref in states], ["entity_ref"])
    session.expire_all()
    return wrong
