"""The history of entities: what was added, changed, orphaned, restored, removed, by whom, and what differs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from catalog.ingestion.bulk import insert_rows
from catalog.ingestion.differences import Change as Change
from catalog.ingestion.differences import ChangeKind as ChangeKind
from catalog.ingestion.differences import Difference
from catalog.models import Entity, EntityChange
from portal_backend.core.errors import NotFound
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor


def record_changes(session: Session, changes: Sequence[Change], actor: str, now: datetime) -> None:
    """Write what happened, in the transaction in which it happens; `actor` is a registered location or a person."""
    insert_rows(
        session,
        EntityChange,
        [
            {
                "ref": change.ref,
                "at": now,
                "kind": str(change.kind),
                "actor": actor,
                "from_etag": change.from_etag,
                "to_etag": change.to_etag,
                "fields": [list(field) for field in change.fields],
            }
            for change in changes
        ],
    )


def list_changes(session: Session, ref: str, limit: int, cursor: str | None = None) -> Page[dict[str, Any]]:
    """Return a page of what happened to an entity (full reference), newest first, also of one that was removed.

    Raises NotFound when nothing of this name exists or is remembered, InvalidInput for a strange cursor.
    """
    statement = select(EntityChange).where(EntityChange.ref == ref).order_by(EntityChange.id.desc()).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(EntityChange.id < _position(cursor))
    rows = session.scalars(statement).all() if "\0" not in ref else []
    if not rows and cursor is None:
        _require_known(session, ref)
    items = [_told(row) for row in rows[:limit]]
    return Page(items, encode_cursor(rows[limit - 1].id) if len(rows) > limit else None)


def prune_changes(session: Session, before: datetime, limit: int) -> int:
    """Delete at most `limit` of the changes older than `before`; return how many went."""
    oldest = select(EntityChange.id).where(EntityChange.at < before).order_by(EntityChange.id).limit(limit)
    ids = session.scalars(oldest).all()
    if ids:
        session.execute(delete(EntityChange).where(EntityChange.at < before, EntityChange.id <= ids[-1]))
    return len(ids)


def _require_known(session: Session, ref: str) -> None:
    if "\0" in ref or session.scalar(select(Entity.id).where(Entity.ref == ref)) is None:
        raise NotFound(f"No entity {ref} exists or is remembered; `portal catalog list` shows those that exist.")


def _told(row: EntityChange) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "at": row.at,
        "kind": row.kind,
        "actor": row.actor,
        "from_etag": row.from_etag,
        "to_etag": row.to_etag,
        "fields": [dict(zip(Difference._fields, field, strict=True)) for field in row.fields],
    }


def _position(cursor: str) -> int:
    position = decode_cursor(cursor)
    if type(position) is not int or not 0 <= position < 2**31:
        raise bad_cursor()
    return position
