"""Attestations, waivers, adoptions of modules and exemptions from campaigns, checked against the histories."""

from collections.abc import Iterator

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from engagements.history import PORTAL
from engagements.models import HistoryEvent
from scorecards.exceptions import rebuilding
from scorecards.exceptions.rebuilding import KINDS, Told


def rebuild(session: Session) -> list[str]:
    """Make them again what the histories tell; return what was not so, sorted."""
    return rebuilding.rebuild(session, _told(session))


def _told(session: Session) -> Iterator[Told]:
    event = HistoryEvent
    query = select(event.entity_ref, event.kind, event.occurred_at, event.actor, event.details).order_by(event.id)
    ours = or_(*(event.kind.startswith(f"{kind}.") for kind in KINDS))
    for ref, kind, at, actor, details in session.execute(query.where(ours, event.source == PORTAL)):
        yield Told(ref, kind, at, actor, details)
