"""Every stored state checked against, and made again from, the history that it follows from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

import engagements.capacity.rebuilding
import engagements.knowledge.rebuilding
import engagements.lifecycle.rebuilding
import engagements.reviews.rebuilding
from engagements import exception_states, support
from engagements.models import HistoryEvent, Support
from engagements.support import SupportState
from engagements.triage_lists import dismissals
from portal_backend.core.db import upsert


@dataclass(frozen=True)
class Part:
    """A state that follows from the history."""

    name: str
    rebuild: Callable[[Session], Sequence[object]]
    """Makes it again what the history tells, and returns what differed."""


@dataclass(frozen=True)
class Differences:
    """What of a state was not as the history tells."""

    part: str
    found: Sequence[str]


def rebuild_all(session: Session) -> list[Differences]:
    """Make every state again what the history tells, and return what differed; to only look, roll back after."""
    return [Differences(part.name, [str(one) for one in part.rebuild(session)]) for part in PARTS]


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


PARTS = (
    Part("support", rebuild),
    Part("engagements", engagements.lifecycle.rebuilding.rebuild),
    Part("reviews", engagements.reviews.rebuilding.rebuild),
    Part("knowledge", engagements.knowledge.rebuilding.rebuild),
    Part("dismissals", dismissals.rebuild),
    Part("capacity", engagements.capacity.rebuilding.rebuild),
    Part("exceptions", exception_states.rebuild),
)
"""Each package that keeps a state of its own."""
