"""Engagements, on-call splits and revisions checked against, and made again from, the history that they follow from."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements.lifecycle.models import Engagement, OnCallSplit, ServiceRevision
from engagements.lifecycle.writing import SET, folded, from_plain, plain, row_of, state_of
from engagements.models import HistoryEvent
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import Model, upsert

ENGAGEMENT_KINDS = (
    *("engagement.requested", "engagement.accepted", "engagement.declined", "engagement.withdrawn"),
    *("engagement.paused", "engagement.resumed", "engagement.phase_entered", "engagement.terms_changed"),
    *("engagement.escalated", "engagement.adopted", "agreement.proposed", "agreement.signed", "training.held"),
    *("transfer.started", "transfer.completed", "pager.returned", "pager.resumed"),
    *("disengagement.started", "disengagement.completed", "framework.conformance_reported"),
)
"""The kinds of events that change an engagement; others may bear the same kinds, but not the same details."""

READ_AT_ONCE = 1000


@dataclass(frozen=True)
class Difference:
    """A row that is not what the history tells."""

    table: str
    key: str
    """The engagement's id, or the service's reference."""
    stored: Mapping[str, Any] | None
    told: Mapping[str, Any] | None

    def __str__(self) -> str:
        """Say it in words."""
        if self.stored is None:
            return f"{self.table} {self.key} is missing; the history has it."
        if self.told is None:
            return f"{self.table} {self.key} is not in the history."
        names = sorted(name for name in self.told if self.stored.get(name) != self.told[name])
        return f"{self.table} {self.key} differs from its history in {', '.join(names)}."


def verify(session: Session) -> list[Difference]:
    """Return every row that is not what the history tells, by table and key."""
    differences = []
    for name, (stored, told) in PROJECTIONS.items():
        found, expected = stored(session), told(session)
        for key in sorted(found.keys() | expected.keys()):
            if found.get(key) != expected.get(key):
                differences.append(Difference(name, key, found.get(key), expected.get(key)))
    return differences


def rebuild(session: Session) -> list[Difference]:
    """Make the rows again what the history tells, and return where they were not."""
    differences = verify(session)
    tables: dict[str, tuple[type[Model], str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
        "engagement": (Engagement, "id", _engagement_row),
        "oncall_split": (OnCallSplit, "entity_ref", _row("agreed_at")),
        "service_revision": (ServiceRevision, "entity_ref", _row("set_at")),
    }
    for difference in differences:
        if difference.told is None:
            session.delete(session.get_one(tables[difference.table][0], difference.key))
    session.flush()
    for name, (table, key, row) in tables.items():
        told = [each.told for each in differences if each.table == name and each.told is not None]
        upsert(session, table, [row(values) for values in _closed_first(told)], [key])
    session.expire_all()
    return differences


def _closed_first(rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Order rows so that a service's earlier engagement is closed before its next one opens."""
    return sorted(rows, key=lambda row: row.get("closed_at") is None)


def engagements_told(session: Session) -> dict[str, dict[str, Any]]:
    """Return every engagement as its events tell it, as JSON, by id."""
    found: dict[str, dict[str, Any]] = {}
    query = (
        select(HistoryEvent.details)
        .where(HistoryEvent.kind.in_(ENGAGEMENT_KINDS))
        .order_by(HistoryEvent.entity_ref, HistoryEvent.sequence)
        .execution_options(yield_per=READ_AT_ONCE)
    )
    for details in session.scalars(query):
        change = details.get(SET)
        if change is not None:
            identity = details["engagement"]
            values = folded(found.get(identity, {}), change)
            found[identity] = {**values, "version": details["version"]}
    return found


def _stored_engagements(session: Session) -> dict[str, dict[str, Any]]:
    return {row.id: _plain_of(row) for row in session.scalars(select(Engagement))}


def _plain_of(row: Engagement) -> dict[str, Any]:
    """Return a stored engagement as JSON; one whose words mean nothing differs from every history."""
    try:
        return plain(state_of(row))
    except ValueError as error:
        return {"unreadable": str(error)}


def _engagement_row(values: Mapping[str, Any]) -> dict[str, Any]:
    return row_of(from_plain(values))


def _stored(table: type[OnCallSplit | ServiceRevision], moment: str) -> Callable[[Session], dict[str, dict[str, Any]]]:
    names = [column.name for column in table.__table__.columns]

    def read(session: Session) -> dict[str, dict[str, Any]]:
        rows: Iterable[Any] = session.scalars(select(table))
        found = {row.entity_ref: {name: getattr(row, name) for name in names} for row in rows}
        return {ref: {**values, moment: format_time(values[moment])} for ref, values in found.items()}

    return read


def _told(kind: str, name: str) -> Callable[[Session], dict[str, dict[str, Any]]]:
    def read(session: Session) -> dict[str, dict[str, Any]]:
        query = select(HistoryEvent.entity_ref, HistoryEvent.details).where(HistoryEvent.kind == kind)
        query = query.order_by(HistoryEvent.entity_ref, HistoryEvent.sequence)
        return {ref: details[name] for ref, details in session.execute(query) if name in details}

    return read


def _row(moment: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda values: {**values, moment: parse_time(values[moment])}


Reading = Callable[[Session], dict[str, dict[str, Any]]]

PROJECTIONS: dict[str, tuple[Reading, Reading]] = {
    "engagement": (_stored_engagements, engagements_told),
    "oncall_split": (_stored(OnCallSplit, "agreed_at"), _told("oncall.split_changed", "split_set")),
    "service_revision": (
        _stored(ServiceRevision, "set_at"),
        _told("service.revision_changed", "revision_set"),
    ),
}
"""Of each table: how its rows are read, and how the history tells them."""
