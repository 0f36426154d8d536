"""Bringing stored entities up to date after an upgrade that finds other values in them than the release before did."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from catalog.ingestion.bulk import copies, copy_in, delete_rows, insert_plain_rows
from catalog.ingestion.flatten import INDEXING, SearchValue, columns
from catalog.ingestion.preparing import SEARCH_COLUMNS, Found, found_in, search_rows, search_text
from catalog.ingestion.search_keys import SearchKeys
from catalog.models import CatalogVersion, Entity, EntityBody, SearchKey, SearchRow
from catalog.versions import next_version

PORTION = 1_000
"""Entities in one transaction."""
HOT_COLUMNS = tuple(columns({}))


def reindex_some(session: Session, after: int) -> tuple[int, int] | None:
    """Put right what filters see of the next entities whose id is larger than `after`; begin with 0.

    Returns the last id and how many of them differed; None where all are up to date. Call it with the lock of
    ingestion, each time in a transaction of its own.
    """
    version = session.get(CatalogVersion, 1)
    if version is None or version.indexed_as == INDEXING:
        return None
    statement = select(EntityBody.id, EntityBody.body).where(EntityBody.id > after).order_by(EntityBody.id)
    bodies = session.execute(statement.limit(PORTION)).all()
    if not bodies:
        version.indexed_as = INDEXING
        return None
    last = bodies[-1].id
    entities = {id_: orjson.loads(body) for id_, body in bodies}
    found = [found_in(id_, entities[id_], body) for id_, body in bodies]
    stored = _stored_values(session, after, last)
    differing = [one for one in found if stored.get(one.entity_id, []) != list(one.values)]
    _write(session, differing)
    changed = {one.entity_id for one in differing} | _renew_columns(session, after, last, entities)
    if changed:
        next_version(session)
    return last, len(changed)


def _stored_values(session: Session, after: int, last: int) -> dict[int, list[SearchValue]]:
    """Return what the rest-index holds of entities, in the order in which it was found."""
    found: dict[int, list[SearchValue]] = {}
    statement = (
        select(SearchRow.entity_id, SearchKey.name, SearchRow.value, SearchRow.original, SearchRow.is_item)
        .join(SearchKey, SearchKey.id == SearchRow.key_id)
        .where(SearchRow.entity_id > after, SearchRow.entity_id <= last)
        .order_by(SearchRow.entity_id, SearchRow.position)
    )
    for id_, key, value, original, is_item in session.execute(statement):
        found.setdefault(id_, []).append((key, value, original, is_item))
    return found


def _write(session: Session, found: Sequence[Found]) -> None:
    if not found:
        return
    delete_rows(session, SearchRow.entity_id, [one.entity_id for one in found])
    keys = SearchKeys()
    keys.learn(session, {(one.kind, key) for one in found for key, *_ in one.values})
    if copies(session):
        copy_in(session, SearchRow, SEARCH_COLUMNS, search_text(found, keys.numbers))
    else:
        insert_plain_rows(session, SearchRow, SEARCH_COLUMNS, search_rows(found, keys.numbers))


def _renew_columns(session: Session, after: int, last: int, entities: dict[int, dict[str, Any]]) -> set[int]:
    """Put right the hot columns; returns the ids of the entities in which one was wrong."""
    wanted = {id_: columns(entity) for id_, entity in entities.items()}
    names = [getattr(Entity, name) for name in HOT_COLUMNS]
    rows = session.execute(select(Entity.id, *names).where(Entity.id > after, Entity.id <= last)).mappings()
    wrong = [
        row["id"]
        for row in rows
        if row["id"] in wanted and {name: row[name] for name in HOT_COLUMNS} != wanted[row["id"]]
    ]
    if wrong:
        session.execute(update(Entity), [{"id": id_, **wanted[id_]} for id_ in wrong])
    return set(wrong)
