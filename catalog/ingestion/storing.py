"""Writing entities: final forms with their relations and status, a chunk of entities per statement.

Whoever writes holds the lock of ingestion (`serialise(session, INGESTION)`), and counts the catalog's version once.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog import settings
from catalog.format.kinds import Kind
from catalog.format.relations import Edge, declared_edges
from catalog.ingestion.bulk import delete_rows, insert_plain_rows, refresh_statistics
from catalog.ingestion.changes import Change, ChangeKind, record_changes
from catalog.ingestion.finishing import as_orphan, finish, items_of, with_annotations, with_uid
from catalog.ingestion.reading import Place
from catalog.ingestion.status import status_items
from catalog.ingestion.writer import Writer
from catalog.models import CatalogFault, Entity, EntityBody, EntityChange, RelationRow, SearchKey, SearchRow
from catalog.versions import next_version
from portal_backend.core.db import chunks

INGESTION = "catalog ingestion"
"""One write follows the other: two at once could supply the same entity."""
MANY = 1_000
"""Entities written from which the planner's statistics are renewed."""
TUPLES = 200
"""Rows named by several columns in one statement; SQLite bounds the number of parameters."""


@dataclass(frozen=True)
class Stored:
    """What the entity table knows of an entity, as far as ingestion needs it."""

    id: int
    ref: str
    uid: str
    etag: str
    location_id: str
    file: str
    document: int
    document_hash: str
    parent_ref: str | None
    orphaned_at: datetime | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A good document that is new or changed, about to be stored."""

    ref: str
    body: bytes
    """The document as JSON: many of them wait at once, and so they take the least memory."""
    location_id: str
    origin: str
    """The registered location, `file:/srv/catalog`."""
    place: Place
    document: int
    document_hash: str
    parent_ref: str | None
    stored: Stored | None
    """The entity's present row; None for a new one."""
    kind: Kind | None = None
    """What it was judged as; its relations are those of that kind."""


STORED_COLUMNS: tuple[InstrumentedAttribute[Any], ...] = (
    Entity.id,
    Entity.ref,
    Entity.uid,
    Entity.etag,
    Entity.location_id,
    Entity.file,
    Entity.document,
    Entity.document_hash,
    Entity.parent_ref,
    Entity.orphaned_at,
)

RELATION_COLUMNS = ("declared_by", "source_ref", "type", "target_ref")


@dataclass
class Edges:
    """Edges that documents declare and that are about to be stored.

    Known for all documents before the first one is written, each entity is written once, with all its relations.
    """

    declared: dict[str, set[Edge]] = field(default_factory=dict)
    """By the entity whose document says so."""
    shown: dict[str, list[Edge]] = field(default_factory=dict)
    """By the entity that shows them."""


NO_EDGES = Edges()


def find_stored(session: Session, refs: Iterable[str]) -> dict[str, Stored]:
    """Return the rows of the entities with these references."""
    return {
        row.ref: Stored(*row)
        for some in chunks(refs)
        for row in session.execute(select(*STORED_COLUMNS).where(Entity.ref.in_(some)))
    }


def edges_of(candidates: Iterable[Candidate]) -> Edges:
    """Return the edges that documents declare."""
    edges = Edges()
    for candidate in candidates:
        declared = edges.declared[candidate.ref] = declared_edges(orjson.loads(candidate.body), candidate.kind)
        for edge in declared:
            edges.shown.setdefault(edge.source, []).append(edge)
    return edges


def write_entities(
    session: Session, candidates: Sequence[Candidate], coming: Edges, actor: str, now: datetime
) -> set[str]:
    """Store new and changed entities, and renew those whose relations change with them.

    `coming` holds the edges of all documents that are being written, these and others: their entities are written with
    all their relations anyway. Returns the references of all entities whose final form changed.
    """
    if not candidates:
        return set()
    ids = _give_ids(session, candidates)
    owned = {ids[candidate.ref]: coming.declared[candidate.ref] for candidate in candidates}
    old = _edges_declared_by(session, [candidate.stored.id for candidate in candidates if candidate.stored])
    gone = {(id_, edge) for id_, some in old.items() for edge in some - owned[id_]}
    added = {(id_, edge) for id_, some in owned.items() for edge in some - old.get(id_, set())}
    _delete_edges(session, gone)
    writer = Writer(session, actor, now)
    for some in chunks(candidates):
        _write_chunk(session, writer, some, ids, coming)
    touched = {edge.source for _, edge in gone | added} - coming.declared.keys()
    renew(session, writer, touched, coming)
    insert_plain_rows(session, RelationRow, RELATION_COLUMNS, [(id_, *edge) for id_, edge in sorted(added)])
    return writer.changed_refs


def _write_chunk(
    session: Session,
    writer: Writer,
    some: Sequence[Candidate],
    ids: Mapping[str, int],
    coming: Edges,
) -> None:
    refs = [candidate.ref for candidate in some]
    integrations = settings.current().integrations
    relations = _relations(session, refs, coming)
    items = status_items(session, refs, but_faults_of=some[0].location_id)
    before = {ref: body for ref, (_, body) in _bodies(session, [c.stored for c in some if c.stored]).items()}
    for candidate in some:
        ref, stored = candidate.ref, candidate.stored
        uid = stored.uid if stored else str(uuid.uuid4())
        document = orjson.loads(candidate.body)
        base = with_uid(with_annotations(document, candidate.place, candidate.origin, integrations), uid)
        entity = finish(base, relations[ref], items.get(ref, ()))
        if stored is None:
            writer.add(ids[ref], ref, entity, {"ref": ref, **_origin_columns(candidate)})
        else:
            kind = ChangeKind.CHANGED if stored.orphaned_at is None else ChangeKind.RESTORED
            writer.replace(ids[ref], ref, before[ref], entity, _origin_columns(candidate), kind)
    writer.flush()


def remove_entities(session: Session, gone: Sequence[Stored], now: datetime, *, actor: str = "portal") -> set[str]:
    """Remove entities with all that only they supplied; returns the references of others whose relations changed.

    `actor` is who or what does it, as the entities' history names it.
    """
    if not gone:
        return set()
    next_version(session)
    ids = [stored.id for stored in gone]
    touched = {edge.source for some in _edges_declared_by(session, ids).values() for edge in some}
    for column in (RelationRow.declared_by, SearchRow.entity_id, EntityBody.id, Entity.id):
        delete_rows(session, column, ids)
    record_changes(session, [Change(one.ref, ChangeKind.REMOVED, one.etag, None) for one in gone], actor, now)
    writer = Writer(session, actor, now)
    renew(session, writer, touched - {stored.ref for stored in gone}, NO_EDGES)
    return writer.changed_refs


def orphan_entities(
    session: Session, lost: Sequence[Stored], reasons: Mapping[str, str], actor: str, now: datetime
) -> set[str]:
    """Mark entities that their files no longer hold, each with its reason; returns their references."""
    writer = Writer(session, actor, now)
    for some in chunks(lost):
        for ref, (stored, body) in _bodies(session, some).items():
            entity = finish(as_orphan(body, reasons[ref]), body["relations"], items_of(body))
            writer.replace(stored.id, ref, body, entity, {"orphaned_at": now}, ChangeKind.ORPHANED)
        writer.flush()
    return writer.changed_refs


def restate(session: Session, refs: Iterable[str], actor: str, now: datetime) -> set[str]:
    """Write the status of entities whose faults came or went; returns the references of those that changed."""
    writer = Writer(session, actor, now)
    for some in chunks(find_stored(session, refs).values()):
        items = status_items(session, [stored.ref for stored in some])
        for ref, (stored, body) in _bodies(session, some).items():
            entity = finish(body, body["relations"], items.get(ref, ()))
            writer.replace(stored.id, ref, body, entity, {}, ChangeKind.CHANGED)
        writer.flush()
    return writer.changed_refs


def renew(session: Session, writer: Writer, refs: Iterable[str], coming: Edges) -> None:
    """Write those of the entities whose relations changed."""
    neighbours = find_stored(session, refs)
    for some in chunks(neighbours):
        relations = _relations(session, some, coming)
        for ref, (stored, body) in _bodies(session, [neighbours[ref] for ref in some]).items():
            entity = finish(body, relations[ref], items_of(body))
            writer.replace(stored.id, ref, body, entity, {}, ChangeKind.CHANGED)
        writer.flush()


def tell_the_planner(session: Session) -> None:
    """Renew the statistics of the catalog's tables; due after MANY entities were written."""
    session.flush()
    models = (Entity, EntityBody, SearchKey, SearchRow, RelationRow, CatalogFault, EntityChange)
    refresh_statistics(session, models)


def _give_ids(session: Session, candidates: Sequence[Candidate]) -> dict[str, int]:
    """Return the id of each candidate; new ones get the next free numbers (writes follow one another)."""
    last = session.scalar(select(func.coalesce(func.max(Entity.id), 0))) or 0
    ids: dict[str, int] = {}
    for candidate in candidates:
        if candidate.stored:
            ids[candidate.ref] = candidate.stored.id
        else:
            last += 1
            ids[candidate.ref] = last
    return ids


def _edges_declared_by(session: Session, ids: Iterable[int]) -> dict[int, set[Edge]]:
    edges: dict[int, set[Edge]] = {}
    columns_ = (RelationRow.declared_by, RelationRow.source_ref, RelationRow.type, RelationRow.target_ref)
    for some in chunks(ids):
        for id_, *ends in session.execute(select(*columns_).where(RelationRow.declared_by.in_(some))):
            edges.setdefault(id_, set()).add(Edge(*ends))
    return edges


def _delete_edges(session: Session, gone: Iterable[tuple[int, Edge]]) -> None:
    key = tuple_(RelationRow.declared_by, RelationRow.source_ref, RelationRow.type, RelationRow.target_ref)
    for some in chunks(sorted(gone), TUPLES):
        session.execute(delete(RelationRow).where(key.in_([(id_, *edge) for id_, edge in some])))


def _relations(session: Session, refs: Sequence[str], coming: Edges) -> dict[str, list[dict[str, str]]]:
    """Return the relations that each entity shows, sorted by type and target: stored ones and those about to be."""
    pairs: dict[str, set[tuple[str, str]]] = {
        ref: {(edge.type, edge.target) for edge in coming.shown.get(ref, ())} for ref in refs
    }
    statement = select(RelationRow.source_ref, RelationRow.type, RelationRow.target_ref)
    for some in chunks(refs):
        for source, type_, target in session.execute(statement.where(RelationRow.source_ref.in_(some))):
            pairs[source].add((type_, target))
    return {
        ref: [{"type": type_, "targetRef": target} for type_, target in sorted(some)] for ref, some in pairs.items()
    }


def _bodies(session: Session, some: Sequence[Stored]) -> dict[str, tuple[Stored, dict[str, Any]]]:
    """Return the present final form of stored entities."""
    by_id = {stored.id: stored for stored in some}
    if not by_id:
        return {}
    rows = session.execute(select(EntityBody.id, EntityBody.body).where(EntityBody.id.in_(by_id)))
    return {by_id[id_].ref: (by_id[id_], orjson.loads(body)) for id_, body in rows}


def _origin_columns(candidate: Candidate) -> dict[str, Any]:
    return {
        "location_id": candidate.location_id,
        "file": candidate.place.target,
        "document": candidate.document,
        "document_hash": candidate.document_hash,
        "parent_ref": candidate.parent_ref,
        "orphaned_at": None,
    }
