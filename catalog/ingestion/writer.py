"""Rows of entities: prepared a portion at a time, while the portion before is written."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import delete, tuple_, update
from sqlalchemy.orm import Session

from catalog import settings
from catalog.ingestion.bulk import (
    copies,
    copy_in,
    copy_in_blobs,
    delete_rows,
    insert_full_rows,
    insert_plain_rows,
    insert_rows,
)
from catalog.ingestion.changes import record_changes
from catalog.ingestion.copying import PlainRow
from catalog.ingestion.counting import Counts, add_counts, counts_of, stored_counts
from catalog.ingestion.preparing import SEARCH_COLUMNS, Draft, Prepared, prepare, search_rows, search_text
from catalog.ingestion.search_keys import SearchKeys
from catalog.models import Entity, EntityBody, RelationRow, SearchRow
from portal_backend.core.beside import Begin
from portal_backend.core.db import chunks

TUPLES = 200
"""Rows named by several columns in one statement; SQLite bounds the number of parameters."""
RELATION_COLUMNS = ("source_ref", "type", "target_ref", "declared_by")

Portion = TypeVar("Portion")
Answer = TypeVar("Answer")


class Writer:
    """Writes entities: their rows, bodies, relations, search rows and changes.

    It takes a few statements for each portion of them.
    """

    def __init__(self, session: Session, actor: str, now: datetime, keys: SearchKeys | None = None) -> None:
        """Take who or what makes the changes, as the history is to name it, and the search keys that are known."""
        self.changed_refs: set[str] = set()
        """Entities whose final form changed, of all that was written so far."""
        self.touched_refs: set[str] = set()
        """Entities at which relations end that came or went."""
        self._session = session
        self._actor = actor
        self._now = now
        self._keys = SearchKeys() if keys is None else keys
        self._copies = copies(session)
        self._counts: Counts = Counter()
        """What the portions that were written since the last count change in the numbers that are kept."""

    def write(
        self,
        begin: Begin,
        portions: Iterable[Portion],
        ask: Callable[[Portion], Answer],
        drafts: Callable[[Portion, Answer], Iterable[Draft]],
    ) -> None:
        """Write the next forms of entities.

        `ask` asks the database what must be known of a portion, `drafts` says what becomes of it then and asks nobody:
        it is called while the portion before is written.
        """
        present: tuple[Portion, Future[Answer]] | None = None
        for portion in portions:
            coming = portion, begin(ask, portion)
            if present is not None:
                self._write(begin, drafts(present[0], present[1].result()))
            present = coming
        if present is not None:
            self._write(begin, drafts(present[0], present[1].result()))
        begin(self._count)

    def _write(self, begin: Begin, drafts: Iterable[Draft]) -> None:
        prepared = prepare(settings.current().integrations, drafts)
        rows = self._search_rows(begin, prepared)
        self.changed_refs.update(change.ref for change in prepared.changes)
        self.touched_refs.update(row[0] for row in prepared.declared)
        self.touched_refs.update(row[0] for row in prepared.withdrawn)
        written = counts_of([*prepared.new, *prepared.changed], [(one.kind, one.values) for one in prepared.found])
        begin(self._store, prepared, rows, written)

    def _search_rows(self, begin: Begin, prepared: Prepared) -> bytes | list[PlainRow]:
        """Return the rows of the rest-index, as the database takes them."""
        rows_of = search_text if self._copies else search_rows
        try:
            return rows_of(prepared.found, self._keys.numbers)
        except KeyError:  # seldom, after the first portion: so it is not looked for beforehand
            begin(self._keys.learn, self._session, prepared.keys()).result()
            return rows_of(prepared.found, self._keys.numbers)

    def _count(self) -> None:
        add_counts(self._session, self._counts)
        self._counts.clear()

    def _store(self, prepared: Prepared, found: bytes | list[PlainRow], written: Counts) -> None:
        session, version = self._session, {"updated_at": self._now}
        self._counts.update(written)
        self._counts.subtract(stored_counts(session, [row["id"] for row in prepared.changed]))
        _delete_relations(session, prepared.withdrawn)
        insert_full_rows(session, RelationRow, RELATION_COLUMNS, prepared.declared)
        insert_rows(session, Entity, [{**row, **version} for row in prepared.new])
        self._insert_bodies(prepared.new_bodies)
        changed = ({**row, **version} for row in prepared.changed)
        for rows in _alike([*changed, *prepared.others]):
            session.execute(update(Entity), rows)
        if prepared.changed:
            session.execute(update(EntityBody), [{"id": id_, "body": body} for id_, body in prepared.changed_bodies])
            delete_rows(session, SearchRow.entity_id, [row["id"] for row in prepared.changed])
        if isinstance(found, bytes):
            copy_in(session, SearchRow, SEARCH_COLUMNS, found)
        else:
            insert_plain_rows(session, SearchRow, SEARCH_COLUMNS, found)
        record_changes(session, prepared.changes, self._actor, self._now)

    def _insert_bodies(self, bodies: Sequence[tuple[int, bytes]]) -> None:
        if self._copies:
            copy_in_blobs(self._session, EntityBody, ("id", "body"), bodies)
        else:
            insert_rows(self._session, EntityBody, [{"id": id_, "body": body} for id_, body in bodies])


def _delete_relations(session: Session, rows: Iterable[tuple[str, str, str, int]]) -> None:
    key = tuple_(RelationRow.declared_by, RelationRow.source_ref, RelationRow.type, RelationRow.target_ref)
    for some in chunks(sorted(rows), TUPLES):
        named = [(declared_by, *ends) for *ends, declared_by in some]
        session.execute(delete(RelationRow).where(key.in_(named)))


def _alike(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Put together what has the same columns: one statement writes them."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(sorted(row)), []).append(row)
    return list(groups.values())
