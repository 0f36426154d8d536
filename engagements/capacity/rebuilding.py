"""Teams, their ledgers, saved plans and the decisions on them checked against, and made again from, the history."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Integer, select
from sqlalchemy.orm import Session

from engagements.capacity.limits import TeamKind
from engagements.capacity.models import CapacityEntry, PlanDecision, SavedPlan, SreTeam
from engagements.models import HistoryEvent
from portal_backend.core.clock import parse_time
from portal_backend.core.db import Model, upsert

Rows = dict[tuple[Any, ...], dict[str, Any]]
"""Rows by their natural key, in the columns of their table but for the running number."""


def rebuild(session: Session) -> list[str]:
    """Make teams, ledgers, plans and decisions again what the histories tell; return what was not, as `table/key`."""
    entries = _entries_told(session)
    told = {
        SreTeam: _teams_of(entries),
        CapacityEntry: entries,
        SavedPlan: _plans_told(session),
        PlanDecision: _decisions_told(session),
    }
    wrong = []
    for table, rows in told.items():
        stored = _stored(session, table)
        differing = {key for key in rows.keys() | stored.keys() if rows.get(key) != stored.get(key)}
        wrong += [f"{table.__tablename__}/{'/'.join(map(str, key))}" for key in differing]
        upsert(session, table, [rows[key] for key in sorted(differing) if key in rows], KEYS[table])
    for table in reversed(told):
        _remove(session, table, told[table])
    session.expire_all()
    return sorted(wrong)


KEYS: Mapping[type[Model], list[str]] = {
    SreTeam: ["ref"],
    CapacityEntry: ["team_ref", "sequence"],
    SavedPlan: ["id"],
    PlanDecision: ["entity_ref", "sequence"],
}


def _stored(session: Session, table: type[Model]) -> Rows:
    columns = table.__table__.columns
    names = [column.name for column in columns if not (column.name == "id" and isinstance(column.type, Integer))]
    rows = [{name: getattr(row, name) for name in names} for row in session.scalars(select(table))]
    return {tuple(row[name] for name in KEYS[table]): row for row in rows}


def _remove(session: Session, table: type[Model], told: Rows) -> None:
    """Remove the rows of which no history tells."""
    for row in session.scalars(select(table)):
        if tuple(getattr(row, name) for name in KEYS[table]) not in told:
            session.delete(row)
    session.flush()


def _entries_told(session: Session) -> Rows:
    """Return every entry of every ledger as the histories of the teams tell it."""
    kinds = ("capacity.changed", "capacity.freed")
    query = select(HistoryEvent.details).where(HistoryEvent.kind.in_(kinds)).order_by(HistoryEvent.id)
    found: Rows = {}
    for details in session.scalars(query):
        entry = details.get("entry")
        if entry is not None:
            moments = {name: parse_time(entry[name]) for name in ("effective_at", "recorded_at")}
            found[entry["team_ref"], entry["sequence"]] = {**entry, **moments}
    return dict(sorted(found.items()))


def _teams_of(entries: Rows) -> Rows:
    """Return the teams that the entries make."""
    found: Rows = {}
    for (ref, sequence), entry in entries.items():
        known = found.get((ref,), {"ref": ref, "title": "", "kind": TeamKind.SERVICE.value})
        named = {name: entry["details"][name] for name in ("title", "kind") if name in entry["details"]}
        found[ref,] = {**known, **named, "version": sequence}
    return found


def _plans_told(session: Session) -> Rows:
    """Return every saved plan as its event holds it."""
    query = select(HistoryEvent.details).where(HistoryEvent.kind == "plan.saved").order_by(HistoryEvent.id)
    plans = (details["plan"] for details in session.scalars(query))
    return {(plan["id"],): {**plan, "saved_at": parse_time(plan["saved_at"])} for plan in plans}


def _decisions_told(session: Session) -> Rows:
    """Return every decision on a plan's row as the histories of the services tell it."""
    kinds = ("plan.row_decided", "plan.decision_released")
    columns = (HistoryEvent.kind, HistoryEvent.occurred_at, HistoryEvent.details)
    found: Rows = {}
    for kind, at, details in session.execute(
        select(*columns).where(HistoryEvent.kind.in_(kinds)).order_by(HistoryEvent.id)
    ):
        key = (details["entity_ref"], details["sequence"])
        if kind == "plan.row_decided":
            found[key] = {**details, "decided_at": parse_time(details["decided_at"])}
        elif key in found:
            found[key] = {**found[key], "released_at": at}
    return found
