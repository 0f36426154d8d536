"""Engagements as they are read."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements.lifecycle.models import Engagement
from portal_backend.core.db import chunks
from portal_backend.core.errors import NotFound


def get(session: Session, engagement_id: str) -> Engagement:
    """Return an engagement; raises NotFound."""
    found = None if "\0" in engagement_id else session.get(Engagement, engagement_id)
    if found is None:
        raise NotFound(f"There is no engagement {engagement_id!r}; GET /api/engagements lists them.")
    return found


def open_of(session: Session, entity_ref: str) -> list[Engagement]:
    """Return the engagements of a service that are not closed, oldest first; in practice one at most."""
    query = select(Engagement).where(Engagement.entity_ref == entity_ref, Engagement.closed_at.is_(None))
    return list(session.scalars(query.order_by(Engagement.requested_at, Engagement.id)))


def open_among(session: Session, refs: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return id, model and phase of the open engagement of each of the services that has one."""
    found = {}
    columns = (Engagement.entity_ref, Engagement.id, Engagement.model, Engagement.state)
    for few in chunks(refs):
        query = select(*columns).where(Engagement.entity_ref.in_(few), Engagement.closed_at.is_(None))
        for ref, engagement_id, model, state in session.execute(query):
            found[ref] = {"id": engagement_id, "engagement_model": model, "phase": state}
    return found
