"""Writing entities: final forms with their relations and status, a chunk of entities per statement.

Whoever writes holds the lock of ingestion (`serialise(session, INGESTION)`), and counts the catalog's version once.
"""

import uuid
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog.format.relations import Edge, edges
from catalog.ingestion.bulk import delete_rows, insert_plain_rows, refresh_statistics
from catalog.ingestion.changes import record_changes
from catalog.ingestion.differences import Change, ChangeKind
from catalog.ingestion.finishing import StatusItem
from catalog.ingestion.judging import GoodDocument
from catalog.ingestion.place import Place
from catalog.ingestion.preparing import Document, Draft
from catalog.ingestion.status import status_items
from catalog.ingestion.writer import Writer
from catalog.models import CatalogFault, Entity, EntityBody, EntityChange, RelationRow, SearchKey, SearchRow
from catalog.versions import next_version
from portal_backend.core.db import chunks
from portal_backend.core.processes import Run

INGESTION = "catalog ingestion"
"""One write follows the other: two at once could supply the same entity."""
MANY = 1_000
"""Entities written from which the planner's statistics are renewed."""
DRAFTS = 500
"""Entities that are prepared together."""
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


@dataclass(slots=True)
class Candidate:
    """A good document that is new or changed, about to be stored."""

    document: GoodDocument
    location_id: str
    origin: str
    """The registered location, `file:/srv/catalog`."""
    place: Place
    parent_ref: str | None
    stored: Stored | None
    """The entity's present row; None for a new one."""
    id: int = 0
    """Of the entity; given when all candidates are known."""

    @property
    def ref(self) -> str:
        """Return the entity's reference."""
        return self.document.ref

    def edges(self) -> set[Edge]:
        """Return the relations that it declares, at both of their ends."""
        return edges(self.ref, self.document.declared())

    def columns(self) -> dict[str, Any]:
        """Return the columns of the entity that its final form does not tell."""
        return {
            "location_id": self.location_id,
            "file": self.place.target,
            "document": self.document.index,
            "document_hash": self.document.digest,
            "parent_ref": self.parent_ref,
            "orphaned_at": None,
        }


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

RELATION_COLUMNS = ("source_ref", "type", "target_ref", "declared_by")
NO_EDGES: frozenset[Edge] = frozenset()


class Coming:
    """All candidates of a plan, with what they declare: each is written once, with all its relations.

    What points at an entity is kept as positions among the candidates, since a large catalog has millions of relations.
    """

    def __init__(self, candidates: Sequence[Candidate] = (), last_id: int = 0) -> None:
        """Take the candidates and give the new ones their ids: those after `last_id`, the largest one so far."""
        self._candidates = candidates
        self._positions: dict[str, int] = {}
        self._pointing: dict[str, array[int]] = {}
        self._last_id = last_id
        self._replaced = {candidate.stored.id for candidate in candidates if candidate.stored}
        for position, candidate in enumerate(candidates):
            if candidate.stored is None:
                last_id += 1
            candidate.id = candidate.stored.id if candidate.stored else last_id
            self._positions[candidate.ref] = position
            for target in {one.target for one in candidate.document.declared()}:
                self._pointing.setdefault(target, array("I")).append(position)

    def __contains__(self, ref: str) -> bool:
        """Say whether the entity is among them."""
        return ref in self._positions

    def relations(self, ref: str) -> set[tuple[str, str]]:
        """Return type and target of the relations of an entity that candidates declare."""
        position = self._positions.get(ref)
        own = () if position is None else self._candidates[position].document.declared()
        found = {(one.forward, one.target) for one in own}
        for candidate in map(self._candidates.__getitem__, self._pointing.get(ref, ())):
            found |= {(one.reverse, candidate.ref) for one in candidate.document.declared() if one.target == ref}
        return found

    def stored_relations(self, session: Session, refs: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        """Yield source, type and target of the stored relations of entities, but for those that candidates declared."""
        if not self._last_id:
            return  # all that is stored is of these candidates
        columns = (RelationRow.declared_by, RelationRow.source_ref, RelationRow.type, RelationRow.target_ref)
        statement = select(*columns).where(RelationRow.declared_by <= self._last_id)
        for some in chunks(refs):
            for declared_by, *ends in session.execute(statement.where(RelationRow.source_ref.in_(some))):
                if declared_by not in self._replaced:
                    yield ends[0], ends[1], ends[2]


NOTHING_COMING = Coming(last_id=2**31 - 1)


def find_stored(session: Session, refs: Iterable[str]) -> dict[str, Stored]:
    """Return the rows of the entities with these references."""
    return {
        row.ref: Stored(*row)
        for some in chunks(refs)
        for row in session.execute(select(*STORED_COLUMNS).where(Entity.ref.in_(some)))
    }


def await_candidates(session: Session, candidates: Sequence[Candidate]) -> Coming:
    """Give the candidates their ids: new ones get the next free numbers, since writes follow one another."""
    return Coming(candidates, session.scalar(select(func.coalesce(func.max(Entity.id), 0))) or 0)


def write_entities(
    session: Session, candidates: Sequence[Candidate], coming: Coming, actor: str, now: datetime, run: Run = map
) -> set[str]:
    """Store new and changed entities, and renew those whose relations change with them.

    `coming` knows these and the other candidates of the plan: their entities are written with all their relations
    anyway; `run` prepares what is written (`core.processes`). Returns the references of all entities whose final form
    changed.
    """
    if not candidates:
        return set()
    old = _edges_declared_by(session, [candidate.stored.id for candidate in candidates if candidate.stored])
    owned = {candidate.id: candidate.edges() for candidate in candidates}
    gone = {(id_, edge) for id_, some in old.items() for edge in some - owned[id_]}
    added = [(*edge, id_) for id_, some in owned.items() for edge in some - old.get(id_, NO_EDGES)]
    _delete_edges(session, gone)
    writer = Writer(session, actor, now, run)
    writer.write(_drafts(session, some, coming) for some in chunks(candidates, DRAFTS))
    touched = {edge.source for _, edge in gone} | {source for source, *_ in added}
    renew(session, writer, [ref for ref in touched if ref not in coming], coming)
    # Rows that are written side by side into an index cost less than those that go everywhere.
    insert_plain_rows(session, RelationRow, RELATION_COLUMNS, sorted(added))
    return writer.changed_refs


def _drafts(session: Session, some: Sequence[Candidate], coming: Coming) -> list[Draft]:
    refs = [candidate.ref for candidate in some]
    relations = _relations(session, refs, coming)
    items = status_items(session, refs, but_faults_of=some[0].location_id)
    before = _bodies(session, [candidate.stored for candidate in some if candidate.stored])
    return [_draft(candidate, before.get(candidate.id), relations, items) for candidate in some]


def _draft(
    candidate: Candidate,
    before: bytes | None,
    relations: Mapping[str, set[tuple[str, str]]],
    items: Mapping[str, list[StatusItem]],
) -> Draft:
    stored, ref = candidate.stored, candidate.ref
    if stored is None:
        change = ChangeKind.ADDED
    else:
        change = ChangeKind.CHANGED if stored.orphaned_at is None else ChangeKind.RESTORED
    uid = stored.uid if stored else str(uuid.uuid4())
    document = Document(candidate.document.body, candidate.place, candidate.origin, uid)
    columns = candidate.columns()
    return Draft(candidate.id, ref, change, before, document, relations[ref], items.get(ref, ()), columns=columns)


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
    renew(session, writer, touched - {stored.ref for stored in gone}, NOTHING_COMING)
    return writer.changed_refs


def orphan_entities(
    session: Session, lost: Sequence[Stored], reasons: Mapping[str, str], actor: str, now: datetime
) -> set[str]:
    """Mark entities that their files no longer hold, each with its reason; returns their references."""
    writer = Writer(session, actor, now)
    for some in chunks(lost):
        drafts = _present(session, some, ChangeKind.ORPHANED)
        columns = {"orphaned_at": now}
        writer.write([[replace(draft, orphan_reason=reasons[draft.ref], columns=columns) for draft in drafts]])
    return writer.changed_refs


def restate(session: Session, refs: Iterable[str], actor: str, now: datetime) -> set[str]:
    """Write the status of entities whose faults came or went; returns the references of those that changed."""
    writer = Writer(session, actor, now)
    for some in chunks(find_stored(session, refs).values()):
        items = status_items(session, [stored.ref for stored in some])
        drafts = _present(session, some, ChangeKind.CHANGED)
        writer.write([[replace(draft, items=items.get(draft.ref, ())) for draft in drafts]])
    return writer.changed_refs


def renew(session: Session, writer: Writer, refs: Iterable[str], coming: Coming) -> None:
    """Write those of the entities whose relations changed."""
    for some in chunks(find_stored(session, refs).values()):
        relations = _relations(session, [stored.ref for stored in some], coming)
        drafts = _present(session, some, ChangeKind.CHANGED)
        writer.write([[replace(draft, relations=relations[draft.ref]) for draft in drafts]])


def _present(session: Session, some: Sequence[Stored], change: ChangeKind) -> list[Draft]:
    """Return drafts of stored entities as they are."""
    bodies = _bodies(session, some)
    return [Draft(one.id, one.ref, change, bodies[one.id]) for one in some if one.id in bodies]


def tell_the_planner(session: Session) -> None:
    """Renew the statistics of the catalog's tables; due after MANY entities were written."""
    session.flush()
    models = (Entity, EntityBody, SearchKey, SearchRow, RelationRow, CatalogFault, EntityChange)
    refresh_statistics(session, models)


def _edges_declared_by(session: Session, ids: Iterable[int]) -> dict[int, set[Edge]]:
    found: dict[int, set[Edge]] = {}
    columns_ = (RelationRow.declared_by, RelationRow.source_ref, RelationRow.type, RelationRow.target_ref)
    for some in chunks(ids):
        for id_, *ends in session.execute(select(*columns_).where(RelationRow.declared_by.in_(some))):
            found.setdefault(id_, set()).add(Edge(*ends))
    return found


def _delete_edges(session: Session, gone: Iterable[tuple[int, Edge]]) -> None:
    key = tuple_(RelationRow.declared_by, RelationRow.source_ref, RelationRow.type, RelationRow.target_ref)
    for some in chunks(sorted(gone), TUPLES):
        session.execute(delete(RelationRow).where(key.in_([(id_, *edge) for id_, edge in some])))


def _relations(session: Session, refs: Sequence[str], coming: Coming) -> dict[str, set[tuple[str, str]]]:
    """Return the relations that each entity shows: stored ones and those about to be."""
    pairs = {ref: coming.relations(ref) for ref in refs}
    for source, type_, target in coming.stored_relations(session, refs):
        pairs[source].add((type_, target))
    return pairs


def _bodies(session: Session, some: Sequence[Stored]) -> dict[int, bytes]:
    """Return the present final forms of stored entities, by id."""
    ids = [stored.id for stored in some]
    if not ids:
        return {}
    rows = session.execute(select(EntityBody.id, EntityBody.body).where(EntityBody.id.in_(ids)))
    return {id_: body for id_, body in rows}  # noqa: C416 (rows are no pairs to the type checker)
