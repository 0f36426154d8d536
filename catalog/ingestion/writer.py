"""Rows of entities: collected a chunk at a time and written together."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from catalog.ingestion.bulk import delete_rows, insert_plain_rows, insert_rows
from catalog.ingestion.changes import Change, ChangeKind, record_changes
from catalog.ingestion.differences import differences
from catalog.ingestion.flatten import columns, search_values
from catalog.models import Entity, EntityBody, SearchKey, SearchRow
from portal_backend.core.db import chunks

Final = dict[str, Any]
SEARCH_COLUMNS = ("entity_id", "position", "key_id", "value", "original", "is_item")


class Writer:
    """Collects final entities and writes their rows, bodies, search rows and changes in a few statements."""

    def __init__(self, session: Session, actor: str, now: datetime) -> None:
        """Take who or what makes the changes, as the history is to name it."""
        self.changed_refs: set[str] = set()
        """Entities whose final form changed, of all that was written so far."""
        self._session = session
        self._actor = actor
        self._now = now
        self._keys: dict[str, int] = {}
        self._new: list[tuple[int, Final, dict[str, Any]]] = []
        self._changed: list[tuple[int, Final, dict[str, Any]]] = []
        self._columns: list[dict[str, Any]] = []
        self._changes: list[Change] = []

    def add(self, id_: int, ref: str, entity: Final, columns_: Mapping[str, Any]) -> None:
        """Take a new entity; `columns_` are those that the entity itself does not tell."""
        self._new.append((id_, entity, {**columns(entity), **columns_}))
        self._note(ref, ChangeKind.ADDED, None, entity)

    def replace(
        self, id_: int, ref: str, before: Final, entity: Final, columns_: Mapping[str, Any], kind: ChangeKind
    ) -> None:
        """Take another form of a stored entity; where it is the same after all, only the columns are written."""
        if before["metadata"]["etag"] != entity["metadata"]["etag"]:
            self._note(ref, kind, before, entity)
            self._changed.append((id_, entity, {**columns(entity), **columns_}))
        elif columns_:
            self._columns.append({"id": id_, **columns_})

    def flush(self) -> None:
        """Write what was taken."""
        session, moment = self._session, self._now
        insert_rows(session, Entity, [{**row, **_identity(id_, entity, moment)} for id_, entity, row in self._new])
        insert_rows(session, EntityBody, [_body(id_, entity) for id_, entity, _ in self._new])
        changed = [{**row, "id": id_, **_version(entity, moment)} for id_, entity, row in self._changed]
        for rows in _alike([*changed, *self._columns]):
            session.execute(update(Entity), rows)
        if self._changed:
            session.execute(update(EntityBody), [_body(id_, entity) for id_, entity, _ in self._changed])
            delete_rows(session, SearchRow.entity_id, [id_ for id_, _, _ in self._changed])
        self._write_search_rows([(id_, entity) for id_, entity, _ in self._new + self._changed])
        record_changes(session, self._changes, self._actor, moment)
        self._new, self._changed, self._columns, self._changes = [], [], [], []

    def _note(self, ref: str, kind: ChangeKind, before: Final | None, after: Final) -> None:
        self.changed_refs.add(ref)
        fields = differences(before, after) if before is not None else ()
        from_etag = before["metadata"]["etag"] if before is not None else None
        self._changes.append(Change(ref, kind, from_etag, after["metadata"]["etag"], fields))

    def _write_search_rows(self, entities: Sequence[tuple[int, Final]]) -> None:
        found = [(id_, search_values(entity)) for id_, entity in entities]
        self._learn_keys({value.key for _, values in found for value in values})
        keys = self._keys
        insert_plain_rows(
            self._session,
            SearchRow,
            SEARCH_COLUMNS,
            [
                (id_, position, keys[key], value, original, is_item)
                for id_, values in found
                for position, (key, value, original, is_item) in enumerate(values)
            ],
        )

    def _learn_keys(self, wanted: set[str]) -> None:
        """Make sure that the number of every key is known."""
        self._load_keys(wanted - self._keys.keys())
        missing = sorted(wanted - self._keys.keys())
        if missing:
            self._session.execute(insert(SearchKey), [{"name": name} for name in missing])
            self._load_keys(missing)

    def _load_keys(self, names: Iterable[str]) -> None:
        for some in chunks(names):
            for name, id_ in self._session.execute(
                select(SearchKey.name, SearchKey.id).where(SearchKey.name.in_(some))
            ):
                self._keys[name] = id_


def _identity(id_: int, entity: Final, moment: datetime) -> dict[str, Any]:
    return {"id": id_, "uid": entity["metadata"]["uid"], **_version(entity, moment)}


def _version(entity: Final, moment: datetime) -> dict[str, Any]:
    return {"etag": entity["metadata"]["etag"], "updated_at": moment}


def _body(id_: int, entity: Final) -> dict[str, Any]:
    return {"id": id_, "body": orjson.dumps(entity)}


def _alike(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Put together what has the same columns: one statement writes them."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(sorted(row)), []).append(row)
    return list(groups.values())
