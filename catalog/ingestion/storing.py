"""Writing entities: final forms with their relations and status, a chunk of entities per statement.

Whoever writes holds the lock of ingestion (`serialise(session, INGESTION)`), and counts the catalog's version once.
"""

import os
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog.format.relations import Edge
from catalog.ingestion.bulk import delete_rows, refresh_statistics
from catalog.ingestion.candidates import NOTHING_COMING, Candidate, Coming, Stored, find_stored
from catalog.ingestion.changes import record_changes
from catalog.ingestion.counting import add_counts, stored_counts
from catalog.ingestion.differences import Change, ChangeKind
from catalog.ingestion.finishing import StatusItem
from catalog.ingestion.preparing import Document, Draft
from catalog.ingestion.search_keys import SearchKeys
from catalog.ingestion.status import status_items
from catalog.ingestion.writer import Writer
from catalog.models import CatalogFault, Entity, EntityBody, EntityChange, RelationRow, SearchKey, SearchRow
from catalog.versions import next_version
from portal_backend.core.beside import at_once, beside
from portal_backend.core.db import Model, chunks
from portal_backend.core.memory import uncollected

INGESTION = "catalog ingestion"
"""One write follows the other: two at once could supply the same entity."""
MANY = 1_000
"""Entities written from which the planner's statistics are renewed."""
PORTION = 1_000
"""Entities that are prepared together, and written while the next ones are prepared."""
PORTION_BYTES = 8 * 1024 * 1024
"""Of their documents, from which a portion is full with fewer entities: several portions are in memory at once."""
NO_EDGES: frozenset[Edge] = frozenset()


class Known(NamedTuple):
    """What the database knows of some entities."""

    bodies: Mapping[int, bytes]
    """Their present forms, by id."""
    relations: Mapping[str, Sequence[tuple[str, str]]]
    """Types and targets that candidates do not declare, of those entities that have any."""
    items: Mapping[str, Sequence[StatusItem]]
    edges: Mapping[int, set[Edge]]
    """What their files said so far, by id."""


def write_entities(
    session: Session,
    candidates: Sequence[Candidate],
    coming: Coming,
    actor: str,
    now: datetime,
    keys: SearchKeys | None = None,
) -> set[str]:
    """Store new and changed entities, and renew those whose relations change with them.

    `coming` knows these and the other candidates of the plan: their entities are written with all their relations
    anyway; `keys` are the search keys that are known. Returns the references of all entities whose final form changed.
    """
    if not candidates:
        return set()
    writer = Writer(session, actor, now, keys)
    with uncollected(), beside(session, len(candidates) > PORTION) as begin:
        writer.write(begin, _portions(candidates), partial(_known, session, coming), partial(_drafts, coming))
    renew(session, writer, [ref for ref in writer.touched_refs if ref not in coming], coming)
    return writer.changed_refs


def _portions(candidates: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    portion: list[Candidate] = []
    size = 0
    for candidate in candidates:
        portion.append(candidate)
        size += candidate.document.size
        if len(portion) >= PORTION or size >= PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _known(session: Session, coming: Coming, some: Sequence[Candidate]) -> Known:
    refs = [candidate.ref for candidate in some]
    stored = [candidate.stored for candidate in some if candidate.stored]
    items = status_items(session, refs, but_faults_of=some[0].location_id)
    edges = _edges_declared_by(session, [one.id for one in stored])
    return Known(_bodies(session, stored), _relations(session, refs, coming), items, edges)


def _drafts(coming: Coming, some: Sequence[Candidate], known: Known) -> Iterator[Draft]:
    chance = os.urandom(16 * len(some))  # for all at once: to ask for each lets the thread that writes go first
    for position, candidate in enumerate(some):
        relations = coming.relations(candidate.ref).union(known.relations.get(candidate.ref, ()))
        uid = uuid.UUID(bytes=chance[16 * position : 16 * position + 16], version=4)
        yield _draft(candidate, known, relations, str(uid))


def _draft(candidate: Candidate, known: Known, relations: set[tuple[str, str]], new_uid: str) -> Draft:
    stored, ref = candidate.stored, candidate.ref
    if stored is None:
        change = ChangeKind.ADDED
    else:
        change = ChangeKind.CHANGED if stored.orphaned_at is None else ChangeKind.RESTORED
    uid = stored.uid if stored else new_uid
    now_declared, declared = candidate.edges(), known.edges.get(candidate.id, NO_EDGES)
    return Draft(
        candidate.id,
        ref,
        change,
        known.bodies.get(candidate.id),
        Document(candidate.document.body, candidate.place, candidate.origin, uid),
        relations,
        known.items.get(ref, ()),
        columns=candidate.columns(),
        declares=now_declared - declared,
        withdraws=declared - now_declared,
    )


def remove_entities(session: Session, gone: Sequence[Stored], now: datetime, *, actor: str = "portal") -> set[str]:
    """Remove entities with all that only they supplied; returns the references of others whose relations changed.

    `actor` is who or what does it, as the entities' history names it.
    """
    if not gone:
        return set()
    next_version(session)
    ids = [stored.id for stored in gone]
    touched = {edge.source for some in _edges_declared_by(session, ids).values() for edge in some}
    counts = stored_counts(session, ids)
    for column in (RelationRow.declared_by, SearchRow.entity_id, EntityBody.id, Entity.id):
        delete_rows(session, column, ids)
    add_counts(session, Counter({one: -entities for one, entities in counts.items()}))
    record_changes(session, [Change(one.ref, ChangeKind.REMOVED, one.etag, None) for one in gone], actor, now)
    writer = Writer(session, actor, now)
    renew(session, writer, touched - {stored.ref for stored in gone}, NOTHING_COMING)
    return writer.changed_refs


def orphan_entities(
    session: Session, lost: Sequence[Stored], reasons: Mapping[str, str], actor: str, now: datetime
) -> set[str]:
    """Mark entities that their files no longer hold, each with its reason; returns their references."""
    columns = {"orphaned_at": now}

    def marked(draft: Draft) -> Draft:
        return draft._replace(change=ChangeKind.ORPHANED, orphan_reason=reasons[draft.ref], columns=columns)

    writer = Writer(session, actor, now)
    ask = partial(_present, session)
    writer.write(at_once, chunks(lost), ask, lambda _, drafts: map(marked, drafts))
    return writer.changed_refs


def restate(session: Session, refs: Iterable[str], actor: str, now: datetime) -> set[str]:
    """Write the status of entities whose faults came or went; returns the references of those that changed."""

    def ask(some: Sequence[Stored]) -> list[Draft]:
        items = status_items(session, [stored.ref for stored in some])
        return [draft._replace(items=items.get(draft.ref, ())) for draft in _present(session, some)]

    writer = Writer(session, actor, now)
    writer.write(at_once, chunks(find_stored(session, refs).values()), ask, lambda _, drafts: drafts)
    return writer.changed_refs


def renew(session: Session, writer: Writer, refs: Iterable[str], coming: Coming) -> None:
    """Write those of the entities whose relations changed."""

    def ask(some: Sequence[Stored]) -> list[Draft]:
        stored = _relations(session, [one.ref for one in some], coming)
        return [
            draft._replace(relations=coming.relations(draft.ref).union(stored.get(draft.ref, ())))
            for draft in _present(session, some)
        ]

    writer.write(at_once, chunks(find_stored(session, refs).values()), ask, lambda _, drafts: drafts)


def _present(session: Session, some: Sequence[Stored]) -> list[Draft]:
    """Return drafts of stored entities as they are."""
    bodies = _bodies(session, some)
    return [Draft(one.id, one.ref, ChangeKind.CHANGED, bodies[one.id]) for one in some if one.id in bodies]


ASKED_FOR: Mapping[type[Model], Sequence[InstrumentedAttribute[Any]]] = {
    Entity: (
        *(Entity.id, Entity.ref, Entity.uid, Entity.kind, Entity.namespace, Entity.name, Entity.title, Entity.type),
        *(Entity.lifecycle, Entity.owner, Entity.system, Entity.location_id, Entity.file, Entity.orphaned_at),
    ),
    EntityBody: (EntityBody.id,),
    SearchKey: (SearchKey.id, SearchKey.kind, SearchKey.name),
    SearchRow: (SearchRow.entity_id, SearchRow.key_id, SearchRow.value, SearchRow.is_item),
    RelationRow: (RelationRow.declared_by, RelationRow.source_ref, RelationRow.type, RelationRow.target_ref),
    CatalogFault: (CatalogFault.id, CatalogFault.location_id, CatalogFault.ref, CatalogFault.shown_at),
    EntityChange: (EntityChange.id, EntityChange.ref, EntityChange.at),
}
"""The columns of each table that conditions name: the planner need not know of others."""


def tell_the_planner(session: Session) -> None:
    """Renew the statistics of the catalog's tables; due after MANY entities were written."""
    session.flush()
    refresh_statistics(session, ASKED_FOR)


def _edges_declared_by(session: Session, ids: Iterable[int]) -> dict[int, set[Edge]]:
    found: dict[int, set[Edge]] = {}
    columns_ = (RelationRow.declared_by, RelationRow.source_ref, RelationRow.type, RelationRow.target_ref)
    for some in chunks(ids):
        for id_, *ends in session.execute(select(*columns_).where(RelationRow.declared_by.in_(some))):
            found.setdefault(id_, set()).add(Edge(*ends))
    return found


def _relations(session: Session, refs: Sequence[str], coming: Coming) -> dict[str, list[tuple[str, str]]]:
    """Return the stored relations that entities show, but for those that candidates declare."""
    found: dict[str, list[tuple[str, str]]] = {}
    for source, type_, target in coming.stored_relations(session, refs):
        found.setdefault(source, []).append((type_, target))
    return found


def _bodies(session: Session, some: Sequence[Stored]) -> dict[int, bytes]:
    """Return the present final forms of stored entities, by id."""
    statement = select(EntityBody.id, EntityBody.body)
    return {
        id_: body
        for ids in chunks(stored.id for stored in some)
        for id_, body in session.execute(statement.where(EntityBody.id.in_(ids)))
    }
