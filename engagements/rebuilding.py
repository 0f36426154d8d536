"""Every stored state checked against, and made again from, the history that it follows from."""

from collections.abc import Callable, Iterable, Sequence
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
from portal_backend.core.db import Model, upsert


@dataclass(frozen=True)
class Part:
    """A state that follows from the history."""

    name: str
    rebuild: Callable[[Session], Sequence[object]]
    """Makes it again what the history tells, and returns what differed."""
    tables: Sequence[str]
    """All that it keeps."""


def _names(tables: Iterable[type[Model]]) -> tuple[str, ...]:
    return tuple(table.__tablename__ for table in tables)


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
        .where(HistoryEvent.kind == "tier.changed", HistoryEvent.source.in_((support.PORTAL, support.IMPORT)))
        .group_by(HistoryEvent.entity_ref)
        .subquery()
    )
    query = select(HistoryEvent.entity_ref, HistoryEvent.details).join(
        newest, (HistoryEvent.entity_ref == newest.c.entity_ref) & (HistoryEvent.sequence == newest.c.sequence)
    )
    return {ref: support.state_in(ref, details) for ref, details in session.execute(query)}


def verify(session: Session) -> list[str]:
    """Return the services whose stored support is not what their history tells, sorted."""
    names = [column.name for column in Support.__table__.columns]
    stored = {row.entity_ref: {name: getattr(row, name) for name in names} for row in session.scalars(select(Support))}
    history_says = {ref: support.row_of(state) for ref, state in from_history(session).items()}
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
    Part("support", rebuild, ("support",)),
    Part("engagements", engagements.lifecycle.rebuilding.rebuild, ("engagement", "oncall_split", "service_revision")),
    Part("reviews", engagements.reviews.rebuilding.rebuild, _names(engagements.reviews.rebuilding.TABLES)),
    Part("knowledge", engagements.knowledge.rebuilding.rebuild, _names(engagements.knowledge.rebuilding.TABLES)),
    Part("dismissals", dismissals.rebuild, ("triage_dismissal",)),
    Part("capacity", engagements.capacity.rebuilding.rebuild, _names(engagements.capacity.rebuilding.KEYS)),
    Part(
        "exceptions",
        exception_states.rebuild,
        ("attestation", "waiver", "framework_module_adoption", "campaign_exemption"),
    ),
)
"""Each package that keeps a state of its own."""

NOT_FROM_HISTORY = {
    "history_event": "the history itself: `portal engagements verify-history`",
    "history_head": "where each history ends: checked with it",
    "engagement_request": "which requests were answered already, so that a repeated one is told from a new one",
    "triage_result": "computed from facts, the catalog and the states, at least once an hour",
    "triage_run": "when that was done last",
    "triage_snapshot": "what was computed then: a record, of which no state follows",
    "framework_module": "what the platform's owner defines, like checks; which services use it is told",
    "framework_module_release": "the same of its versions",
}
"""The tables of engagements and exceptions that are made of something else, and of what."""
