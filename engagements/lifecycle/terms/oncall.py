"""Which alerts of a service are the platform's and which its developers' (SRE book, chapter 32): one scope each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements import history
from engagements.lifecycle.models import OnCallSplit
from engagements.models import HistoryEvent
from portal_backend.core.clock import format_time
from portal_backend.core.db import upsert
from portal_backend.core.errors import NotAllowed, PreconditionFailed
from portal_backend.core.principal import Principal, Role

ALERTS_SEEN = timedelta(days=90)
AGREEING = (Role.SRE_LEAD, Role.DEV_LEAD, Role.PLATFORM_OWNER)


class Scope(StrEnum):
    """Whose an alert is."""

    PLATFORM_INFRA = "platform_infra"
    """SRE's: what the platform below the service does."""
    SERVICE_FUNCTION = "service_function"
    """The developers': what the service itself does."""


@dataclass(frozen=True)
class Split:
    """The split of a service's on-call duties; version 0 is a service that has none."""

    entity_ref: str
    routes: Mapping[str, str]
    unrouted: tuple[str, ...]
    """Alerts that fired in 90 days and belong to nobody: a finding."""
    agreed_by: str = ""
    agreed_at: datetime | None = None
    version: int = 0


def read(session: Session, ref: str, now: datetime) -> Split:
    """Return the split of a service, and which of the alerts that it had in 90 days it leaves open."""
    row = session.get(OnCallSplit, ref)
    routes = row.routes if row else {}
    unrouted = tuple(sorted(_seen(session, ref, now) - routes.keys()))
    if row is None:
        return Split(ref, {}, unrouted)
    return Split(ref, routes, unrouted, row.agreed_by, row.agreed_at, row.version)


def put(
    session: Session,
    ref: str,
    routes: Mapping[str, Scope],
    actor: Principal,
    now: datetime,
    if_match: int | None = None,
) -> Split:
    """Agree on a split, in place of the one before; the same again changes nothing.

    Raises NotAllowed unless a lead or the platform's owner does it, PreconditionFailed when it changed meanwhile.
    """
    if not actor.has_role(*AGREEING):
        raise NotAllowed(f"{actor.name} may not split on-call duties: it takes one of {', '.join(AGREEING)}.")
    history.lock(session, [ref])
    session.expire_all()
    before = read(session, ref, now)
    if if_match is not None and if_match != before.version:
        raise PreconditionFailed(f"The split of {ref} is at version {before.version} now, not {if_match}.")
    wanted = {alert: Scope(scope).value for alert, scope in sorted(routes.items())}
    if before.version and dict(before.routes) == wanted:
        return before
    values = {
        "entity_ref": ref,
        "routes": wanted,
        "agreed_by": actor.name,
        "agreed_at": now,
        "version": before.version + 1,
    }
    event = history.NewEvent(
        entity_ref=ref,
        kind="oncall.split_changed",
        occurred_at=now,
        source=history.PORTAL,
        source_event_id=f"oncall-split/{ref}/{values['version']}",
        summary=f"On-call duties are split: {len(wanted)} alerts have one scope each.",
        actor=actor.name,
        details={"roles": sorted(actor.roles), "split_set": {**values, "agreed_at": format_time(now)}},
    )
    history.record(session, [event], now)
    upsert(session, OnCallSplit, [values], ["entity_ref"])
    session.expire_all()
    return read(session, ref, now)


def _seen(session: Session, ref: str, now: datetime) -> set[str]:
    """Return the alerts that fired lately, by name."""
    query = select(HistoryEvent.details).where(
        HistoryEvent.entity_ref == ref,
        HistoryEvent.kind == "alert.fired",
        HistoryEvent.occurred_at >= now - ALERTS_SEEN,
    )
    names = (details.get("alert") or details.get("alertname") for details in session.scalars(query))
    return {str(name) for name in names if name}
