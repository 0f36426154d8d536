"""Writes the history of facts: what was seen, and when it was first seen so."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal_backend.core.arrays import among
from portal_backend.core.db import chunks
from portal_backend.core.db import upsert as add_missing
from scorecards.bulk import upsert
from scorecards.models import FactName, FactSubject, FactValue


class Change(NamedTuple):
    """A value that a fact took."""

    entity_ref: str
    source: str
    key: str
    value: Any
    observed_at: datetime


def record(session: Session, changes: Sequence[Change]) -> None:
    """Add values to the history; of two that a source saw of one fact at one moment the later one stays."""
    if not changes:
        return
    subjects = _subjects(session, {change.entity_ref for change in changes})
    names = _names(session, {(change.key, change.source) for change in changes})
    rows = {
        (subject, name, change.observed_at): {
            "subject_id": subject,
            "name_id": name,
            "observed_at": change.observed_at,
            "value": change.value,
        }
        for change in changes
        for subject, name in [(subjects[change.entity_ref], names[change.key, change.source])]
    }
    upsert(session, FactValue, list(rows.values()), ["subject_id", "name_id", "observed_at"])


def forget(session: Session, refs: Collection[str]) -> None:
    """Delete the history of entities."""
    for chunk in chunks(sorted(refs)):
        subjects = select(FactSubject.id).where(FactSubject.entity_ref.in_(chunk))
        session.execute(delete(FactValue).where(FactValue.subject_id.in_(subjects)))
        session.execute(delete(FactSubject).where(FactSubject.entity_ref.in_(chunk)))


def _subjects(session: Session, refs: Collection[str]) -> dict[str, int]:
    """Return the numbers of entities; those that have none get one."""
    found: dict[str, int] = {}
    for chunk in chunks(sorted(refs)):
        listed = select(FactSubject.entity_ref, FactSubject.id).where(among(session, FactSubject.entity_ref, chunk))
        known = {ref: number for ref, number in session.execute(listed)}  # noqa: C416 - rows are no pairs to the type checker
        if missing := [{"entity_ref": ref} for ref in chunk if ref not in known]:
            add_missing(session, FactSubject, missing, ["entity_ref"])
            known = {ref: number for ref, number in session.execute(listed)}  # noqa: C416
        found |= known
    return found


def _names(session: Session, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return the numbers of facts by key and source; those that have none get one. There are hundreds in all."""
    listed = select(FactName.key, FactName.source, FactName.id)
    listed = listed.where(FactName.source.in_({source for _, source in wanted}))
    known = {(key, source): number for key, source, number in session.execute(listed)}
    if missing := [{"key": key, "source": source} for key, source in sorted(wanted) if (key, source) not in known]:
        add_missing(session, FactName, missing, ["key", "source"])
        known = {(key, source): number for key, source, number in session.execute(listed)}
    return known
