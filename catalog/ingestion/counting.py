"""How many entities of a kind have each of the values that are asked for most: kept with every write of entities.

What is written is counted as it is prepared, and what that replaces as it is stored, in one transaction with the write:
so the numbers are those of the stored rows. Where nothing is counted yet, the first write counts all that is stored.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from catalog.ingestion.flatten import COLUMNS, COUNTED_COLUMNS, COUNTED_ITEMS, SearchValue
from catalog.versions import next_version
from portal_backend.core.db import chunks

Counts = Counter[tuple[str, str, str, str]]
"""Entities by kind, path, value and spelling, which is empty where the value is spelt in lower case."""

SPELLINGS = {
    path: column if path == "metadata.namespace" else f"{column}_original"
    for path, column in COLUMNS.items()
    if path in COUNTED_COLUMNS
}
"""Where each counted column's spelling stands; a namespace has but one."""


def counts_of(rows: Sequence[Mapping[str, Any]], found: Iterable[tuple[str, Sequence[SearchValue]]]) -> Counts:
    """Count rows of the entity table, and what the rest-index holds of entities, each with its kind. Pure."""
    counts: Counts = Counter()
    for path, spelling in SPELLINGS.items():
        for (kind, value, spelt), entities in Counter(map(itemgetter("kind", COLUMNS[path], spelling), rows)).items():
            if value is not None:
                counts[kind, path, value, "" if spelt in (None, value) else spelt] += entities
    for kind, values in found:
        items = {
            (key, value, spelt or "") for key, value, spelt, _ in values if key in COUNTED_ITEMS and value is not None
        }
        counts.update((kind, *one) for one in items)
    return counts


def stored_counts(session: Session, ids: Collection[int]) -> Counts:
    """Count what is stored of these entities."""
    counts: Counts = Counter()
    for some in chunks(ids):
        for *key, entities in session.execute(OF_SOME, {"ids": some}):
            counts[tuple(key)] += entities
    return counts


def add_counts(session: Session, counts: Counts) -> None:
    """Add to the numbers what a write changed; call it after the write, with the lock of ingestion."""
    changes = sorted((*key, entities) for key, entities in counts.items() if entities)
    if not changes:
        return
    if session.execute(IS_COUNTED).first() is None:
        session.execute(COUNT_ALL)
        return
    session.execute(ADD, [dict(zip(NAMES, change, strict=True)) for change in changes])
    if any(change[-1] < 0 for change in changes):
        session.execute(FORGET_NONE)


def recount(session: Session) -> int:
    """Put right what differs from what is stored; returns how many numbers did. Call it with the lock of ingestion."""
    wrong = set(map(tuple, session.execute(ALL))) ^ set(map(tuple, session.execute(KEPT)))
    if wrong:
        session.execute(FORGET)
        session.execute(COUNT_ALL)
        next_version(session)
    return len(wrong)


NAMES = ("kind", "path", "value", "original", "entities")


def _counting(table: str, search_filter: str = "") -> str:
    """Return the query that counts the entities of a table."""
    parts = [
        f"SELECT kind, '{path}', {COLUMNS[path]}, CASE WHEN {spelling} <> {COLUMNS[path]} THEN {spelling} ELSE '' END, "  # noqa: S608
        f"count(*) FROM {table} WHERE {COLUMNS[path]} IS NOT NULL GROUP BY 1, 3, 4"
        for path, spelling in SPELLINGS.items()
    ]
    parts += [
        f"SELECT k.kind, '{path}', s.value, COALESCE(s.original, ''), count(DISTINCT s.entity_id) "  # noqa: S608 (ours)
        f"FROM catalog_search_key k JOIN catalog_search s ON s.key_id = k.id "
        f"WHERE k.name = '{path}' AND s.value IS NOT NULL{search_filter} GROUP BY 1, 3, 4"
        for path in COUNTED_ITEMS
    ]
    return " UNION ALL ".join(parts)


OF_SOME = text(
    "WITH named AS (SELECT * FROM catalog_entity WHERE id IN :ids) "  # noqa: S608 (our own names)
    + _counting("named", " AND s.entity_id IN (SELECT id FROM named)")
).bindparams(bindparam("ids", expanding=True))
ALL = text(_counting("catalog_entity"))
KEPT = text(f"SELECT {', '.join(NAMES)} FROM catalog_value_count")  # noqa: S608 (our own names)
COUNT_ALL = text(f"INSERT INTO catalog_value_count ({', '.join(NAMES)}) {ALL.text}")
IS_COUNTED = text("SELECT 1 FROM catalog_value_count LIMIT 1")
ADD = text(
    f"INSERT INTO catalog_value_count ({', '.join(NAMES)}) VALUES ({', '.join(f':{name}' for name in NAMES)}) "  # noqa: S608
    "ON CONFLICT (kind, path, value, original) "
    "DO UPDATE SET entities = catalog_value_count.entities + excluded.entities"
)
FORGET_NONE = text("DELETE FROM catalog_value_count WHERE entities = 0")
FORGET = text("DELETE FROM catalog_value_count")
