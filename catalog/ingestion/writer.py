"""Rows of entities: prepared some at a time, by other processes where there are many, and written together."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.orm import Session

from catalog import settings
from catalog.ingestion.bulk import copies, copy_in, delete_rows, insert_plain_rows, insert_rows
from catalog.ingestion.changes import record_changes
from catalog.ingestion.preparing import Batch, Draft, NumberlessRow, Prepared, prepare
from catalog.models import Entity, EntityBody, SearchKey, SearchRow
from portal_backend.core.db import chunks
from portal_backend.core.processes import Run

SEARCH_COLUMNS = ("entity_id", "position", "key_id", "value", "original", "is_item")
KEYS = 200
"""Named in one statement; SQLite bounds the number of parameters."""


class Writer:
    """Writes entities: their rows, bodies, search rows and changes, in a few statements for each batch of drafts."""

    def __init__(self, session: Session, actor: str, now: datetime, run: Run = map) -> None:
        """Take who or what makes the changes, as the history is to name it; `run` prepares (`core.processes`)."""
        self.changed_refs: set[str] = set()
        """Entities whose final form changed, of all that was written so far."""
        self._session = session
        self._actor = actor
        self._now = now
        self._run = run
        self._keys: dict[str, dict[str, int]] = {}

    def write(self, batches: Iterable[Sequence[Draft]]) -> None:
        """Write the next forms of entities. While one batch is written, the next ones are prepared."""
        work = partial(prepare, settings.current().integrations, copies(self._session))
        for prepared in self._run(work, self._with_keys(batches)):
            self._write(prepared)

    def _with_keys(self, batches: Iterable[Sequence[Draft]]) -> Iterator[Batch]:
        for drafts in batches:
            yield Batch(drafts, self._keys)

    def _write(self, prepared: Prepared) -> None:
        session, version = self._session, {"updated_at": self._now}
        insert_rows(session, Entity, [{**row, **version} for row in prepared.new])
        insert_rows(session, EntityBody, [{"id": id_, "body": body} for id_, body in prepared.new_bodies])
        changed = ({**row, **version} for row in prepared.changed)
        for rows in _alike([*changed, *prepared.others]):
            session.execute(update(Entity), rows)
        if prepared.changed:
            session.execute(update(EntityBody), [{"id": id_, "body": body} for id_, body in prepared.changed_bodies])
            delete_rows(session, SearchRow.entity_id, [row["id"] for row in prepared.changed])
        self._write_search_rows(prepared)
        record_changes(session, prepared.changes, self._actor, self._now)
        self.changed_refs.update(change.ref for change in prepared.changes)

    def _write_search_rows(self, prepared: Prepared) -> None:
        copy_in(self._session, SearchRow, SEARCH_COLUMNS, prepared.search_text)
        insert_plain_rows(self._session, SearchRow, SEARCH_COLUMNS, prepared.search_rows)
        if not prepared.numberless:
            return
        self._learn_keys({(row.kind, row.key) for row in prepared.numberless})
        insert_plain_rows(self._session, SearchRow, SEARCH_COLUMNS, list(map(self._numbered, prepared.numberless)))

    def _numbered(self, row: NumberlessRow) -> tuple[int | str | None, ...]:
        number = self._keys[row.kind][row.key]
        return row.entity_id, row.position, number, row.value, row.original, row.is_item

    def _learn_keys(self, wanted: set[tuple[str, str]]) -> None:
        """Make sure that the number of every key is known."""
        wanted -= self._known()
        self._load_keys(wanted)
        missing = sorted(wanted - self._known())
        if missing:
            self._session.execute(insert(SearchKey), [{"kind": kind, "name": name} for kind, name in missing])
            self._load_keys(missing)

    def _known(self) -> set[tuple[str, str]]:
        return {(kind, name) for kind, numbers in self._keys.items() for name in numbers}

    def _load_keys(self, names: Iterable[tuple[str, str]]) -> None:
        # Made anew, since other threads still read the old ones to hand them over.
        found = {kind: dict(numbers) for kind, numbers in self._keys.items()}
        for some in chunks(names, KEYS):
            statement = select(SearchKey.kind, SearchKey.name, SearchKey.id).where(
                tuple_(SearchKey.kind, SearchKey.name).in_(some)
            )
            for kind, name, id_ in self._session.execute(statement):
                found.setdefault(kind or "", {})[name] = id_
        self._keys = found


def _alike(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Put together what has the same columns: one statement writes them."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(sorted(row)), []).append(row)
    return list(groups.values())
