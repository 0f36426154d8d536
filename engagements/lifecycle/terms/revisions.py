"""The major revision of a service: what its development lead set, or its annotation, whichever is newer."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import history
from engagements.lifecycle.models import ServiceRevision
from portal_backend.core.clock import format_time
from portal_backend.core.db import chunks, upsert
from portal_backend.core.errors import NotAllowed
from portal_backend.core.principal import Principal, Role

REVISION_ANNOTATION = "sre.portal/revision"


def current(session: Session, annotations: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the running major revision of services, given what the catalog says of each (None: nothing).

    What was set counts until the catalog says something else than it said then.
    """
    found = dict(annotations)
    for few in chunks(sorted(annotations)):
        for row in session.scalars(select(ServiceRevision).where(ServiceRevision.entity_ref.in_(few))):
            if row.annotation == annotations[row.entity_ref]:
                found[row.entity_ref] = row.revision
    return found


def put(
    session: Session, ref: str, revision: str, annotation: str | None, actor: Principal, now: datetime
) -> ServiceRevision:
    """Set the major revision that runs; to set the same again changes nothing.

    Raises NotAllowed unless a development lead does it.
    """
    if not actor.has_role(Role.DEV_LEAD):
        raise NotAllowed(f"{actor.name} may not set the revision of {ref}: it takes the role {Role.DEV_LEAD}.")
    history.lock(session, [ref])
    session.expire_all()
    row = session.get(ServiceRevision, ref)
    if row is not None and (row.revision, row.annotation) == (revision, annotation):
        return row
    values = {
        "entity_ref": ref,
        "revision": revision,
        "annotation": annotation,
        "set_by": actor.name,
        "set_at": now,
    }
    event = history.NewEvent(
        entity_ref=ref,
        kind="service.revision_changed",
        occurred_at=now,
        source=history.PORTAL,
        source_event_id=f"revision/{ref}/{format_time(now)}",
        summary=f"The major revision {revision} runs now.",
        actor=actor.name,
        details={"roles": sorted(actor.roles), "revision_set": {**values, "set_at": format_time(now)}},
    )
    history.record(session, [event], now)
    upsert(session, ServiceRevision, [values], ["entity_ref"])
    session.expire_all()
    return session.get_one(ServiceRevision, ref)
