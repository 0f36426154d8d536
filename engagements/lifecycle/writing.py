"""How an engagement is read for a decision, and how what was decided is written: the row and its event together."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engagements import history
from engagements.lifecycle import engagements
from engagements.lifecycle.models import Engagement
from engagements.lifecycle.states import EngagementState as Engaged
from engagements.lifecycle.states import Model, State
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import chunks, upsert
from portal_backend.core.errors import PreconditionFailed
from portal_backend.core.principal import Principal

FIELDS = tuple(each.name for each in fields(Engaged))
MOMENTS = ("state_since", "requested_at", "accepted_at", "review_completed_at", "closed_at")
SET = "engagement_set"
"""In an event's details: the columns, and the sections of the document, that have a new value."""


def new_id() -> str:
    """Return a short id that nobody has."""
    return f"eng-{secrets.token_hex(5)}"


def state_of(row: Engagement) -> Engaged:
    """Return an engagement as the guards see it."""
    values = {name: getattr(row, name) for name in FIELDS}
    return Engaged(**{**values, "model": Model(row.model), "state": State(row.state)})


def read(session: Session, engagement_id: str) -> Engaged:
    """Return an engagement as it is; raises NotFound."""
    return state_of(engagements.get(session, engagement_id))


def locked(session: Session, engagement_id: str, if_match: int | None = None) -> Engaged:
    """Return an engagement that nobody else can change until the transaction ends.

    Raises NotFound, and PreconditionFailed when it is not at the version that the caller saw.
    """
    row = engagements.get(session, engagement_id)
    history.lock(session, [row.entity_ref])
    session.refresh(row)
    if if_match is not None and if_match != row.version:
        raise PreconditionFailed(
            f"The engagement {row.id} is at version {row.version} now, not {if_match}; read it again and decide anew."
        )
    return state_of(row)


@dataclass(frozen=True)
class Change:
    """An engagement as it was (None: there was none) and as it is to be, and what the history says of it."""

    before: Engaged | None
    after: Engaged
    kind: str
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)


def save(
    session: Session,
    before: Engaged | None,
    after: Engaged,
    kind: str,
    summary: str,
    actor: Principal,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> Engaged:
    """Write an engagement and its event, and return it with its new version. What changes nothing is not written."""
    if before is not None and replace(after, version=before.version) == before:
        return before
    return save_all(session, [Change(before, after, kind, summary, details or {})], actor, now)[0]


def save_all(session: Session, changes: Iterable[Change], actor: Principal, now: datetime) -> list[Engaged]:
    """Write engagements and their events, and return them with their new versions."""
    written = [
        replace(each, after=replace(each.after, version=(each.before.version if each.before else 0) + 1))
        for each in changes
    ]
    history.record(session, [_event(change, actor, now) for change in written], now)
    for few in chunks([row_of(change.after) for change in written]):
        upsert(session, Engagement, few, ["id"])
    session.expire_all()
    return [change.after for change in written]


def _event(change: Change, actor: Principal, now: datetime) -> history.NewEvent:
    after = change.after
    return history.NewEvent(
        entity_ref=after.entity_ref,
        kind=change.kind,
        occurred_at=now,
        source=history.PORTAL,
        source_event_id=f"engagement/{after.id}/{after.version}",
        summary=change.summary,
        actor=actor.name,
        details={
            **change.details,
            "engagement": after.id,
            "model": after.model.value,
            "state": after.state.value,
            "roles": sorted(actor.roles),
            "version": after.version,
            SET: difference(change.before, after),
        },
    )


def with_section(state: Engaged, **sections: Any) -> Engaged:
    """Return an engagement with other sections of its terms."""
    return replace(state, document={**state.document, **sections})


def row_of(state: Engaged) -> dict[str, Any]:
    """Return an engagement as the table holds it."""
    values = {name: getattr(state, name) for name in FIELDS}
    return {**values, "model": state.model.value, "state": state.state.value, "document": dict(state.document)}


def plain(state: Engaged) -> dict[str, Any]:
    """Return an engagement as JSON holds it."""
    row = row_of(state)
    return {**row, **{name: row[name] and format_time(row[name]) for name in MOMENTS}}


def difference(before: Engaged | None, after: Engaged) -> dict[str, Any]:
    """Return what is new: columns by name and, below `document`, whole sections."""
    new = plain(after)
    if before is None:
        return new
    old = plain(before)
    changed = {name: new[name] for name in FIELDS if name != "document" and new[name] != old[name]}
    sections = {name: value for name, value in after.document.items() if before.document.get(name) != value}
    return {**changed, "document": sections} if sections else changed


def folded(state: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return an engagement's JSON after a change that `difference` told."""
    document = {**state.get("document", {}), **change.get("document", {})}
    return {**state, **change, "document": document}


def from_plain(values: Mapping[str, Any]) -> Engaged:
    """Return the engagement that `plain` wrote."""
    moments = {name: values[name] and parse_time(values[name]) for name in MOMENTS}
    return Engaged(**{**values, **moments, "model": Model(values["model"]), "state": State(values["state"])})
