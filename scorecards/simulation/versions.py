"""Keeps every catalogue that services were judged by, and tells what one version changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal_backend.core.db import upsert
from portal_backend.core.errors import NotFound
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from scorecards.checks.definitions import CheckCatalogue
from scorecards.simulation.effect import Change
from scorecards.simulation.models import CatalogueVersion

Document = dict[str, Any]


def keep_version(session: Session, catalogue: CheckCatalogue, now: datetime) -> bool:
    """Keep a catalogue that is judged by, once; return whether it is new."""
    known = session.scalar(select(CatalogueVersion.version).where(CatalogueVersion.version == catalogue.version))
    if known:
        return False
    row = {
        "version": catalogue.version,
        "first_used_at": now,
        "definitions": [dict(check.definition) for check in catalogue.checks.values()],
        "disabled": dict(catalogue.disabled),
        "levels_by_points": catalogue.ladder.told(),
    }
    upsert(session, CatalogueVersion, [row], ["version"])
    return True


def list_versions(session: Session, cursor: str | None, limit: int) -> Page[Document]:
    """Return the versions, the latest first; raises InvalidInput for a foreign cursor."""
    order = (CatalogueVersion.first_used_at.desc(), CatalogueVersion.version)
    start = _offset(cursor)
    rows = list(session.scalars(select(CatalogueVersion).order_by(*order).offset(start).limit(limit + 1)))
    more = len(rows) > limit
    return Page([_short(row) for row in rows[:limit]], encode_cursor(start + limit) if more else None)


def read_version(session: Session, version: str, against: str | None) -> Document:
    """Return a version with its checks and what it changed; raises NotFound when it, or `against`, was never used.

    Without `against` it is compared with the version that came into use before it.
    """
    row = _required(session, version)
    other = _required(session, against) if against else _before(session, row)
    changes = definition_changes(other.definitions if other else [], row.definitions)
    return {
        **_short(row),
        "definitions": row.definitions,
        "against": other.version if other else None,
        "changes": changes,
    }


def definition_changes(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[Document]:
    """Return the checks whose definitions differ, each with the fields that do. Pure."""
    before = {check["id"]: check for check in old}
    after = {check["id"]: check for check in new}
    found = []
    for name in dict.fromkeys((*after, *before)):
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        change = Change.ADDED if one is None else Change.REMOVED if other is None else Change.CHANGED
        pairs = (one or {}, other or {})
        names = [key for key in dict.fromkeys((*pairs[0], *pairs[1])) if pairs[0].get(key) != pairs[1].get(key)]
        found.append({"check": name, "change": change, "fields_changed": names if change is Change.CHANGED else []})
    return found


def _offset(cursor: str | None) -> int:
    position = 0 if cursor is None else decode_cursor(cursor)
    if not isinstance(position, int) or isinstance(position, bool) or position < 0:
        raise bad_cursor()
    return position


def _required(session: Session, version: str) -> CatalogueVersion:
    row = session.get(CatalogueVersion, version)
    if row is None:
        raise NotFound(f"No service was judged by a catalogue {version}; /api/scorecards/catalogues lists them.")
    return row


def _before(session: Session, row: CatalogueVersion) -> CatalogueVersion | None:
    query = select(CatalogueVersion).where(CatalogueVersion.first_used_at < row.first_used_at)
    return session.scalar(query.order_by(CatalogueVersion.first_used_at.desc()).limit(1))


def _short(row: CatalogueVersion) -> Document:
    return {
        "version": row.version,
        "first_used_at": row.first_used_at,
        "checks": len(row.definitions),
        "disabled": row.disabled,
        "levels_by_points": row.levels_by_points,
    }
