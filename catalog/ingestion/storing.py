"""Writing entities: final JSON, columns, search rows and relations, a chunk of entities per statement."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from catalog.format.refs import location_ref
from catalog.format.relations import Edge, declared_edges
from catalog.ingestion.bulk import delete_rows, insert_rows, refresh_statistics
from catalog.ingestion.flatten import columns, search_values
from catalog.ingestion.reading import URL, Place
from catalog.models import Entity, EntityBody, RelationRow, SearchKey, SearchRow
from portal_backend.core.db import chunks

MANAGED_BY = "backstage.io/managed-by-location"
MANAGED_BY_ORIGIN = "backstage.io/managed-by-origin-location"
VIEW_URL = "backstage.io/view-url"
MANY = 1_000
"""Entities written at once from which the planner's statistics are renewed."""
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


@dataclass(frozen=True)
class Candidate:
    """A good document that is new or changed, about to be stored."""

    ref: str
    entity: dict[str, Any]
    location_id: str
    origin: str
    """The registered location, `file:/srv/catalog`."""
    place: Place
    document: int
    document_hash: str
    stored: Stored | None
    """The entity's present row; None for a new one."""


STORED_COLUMNS = (
    Entity.id,
    Entity.ref,
    Entity.uid,
    Entity.etag,
    Entity.location_id,
    Entity.file,
    Entity.document,
    Entity.document_hash,
)


def find_stored(session: Session, refs: Iterable[str]) -> dict[str, Stored]:
    """Return the rows of the entities with these references."""
    return {
        row.ref: Stored(*row)
        for some in chunks(refs)
        for row in session.execute(select(*STORED_COLUMNS).where(Entity.ref.in_(some)))
    }


def write_entities(session: Session, candidates: Sequence[Candidate], now: datetime) -> set[str]:
    """Store new and changed entities, and renew those whose relations change with them.

    Returns the references of all entities whose final form changed.
    """
    ids = _give_ids(session, candidates)
    edges = {candidate.ref: declared_edges(candidate.entity) for candidate in candidates}
    owned = {ids[ref]: some for ref, some in edges.items()}
    old = _edges_of(session, [candidate.stored.id for candidate in candidates if candidate.stored])
    gone = {(id_, edge) for id_, some in old.items() for edge in some - owned[id_]}
    added = {(id_, edge) for id_, some in owned.items() for edge in some - old.get(id_, set())}
    _delete_edges(session, gone)
    touched = {edge.source for _, edge in gone | added} - edges.keys()
    changed: set[str] = set()
    writer = _Writer(session, now)
    uids = {c.ref: c.stored.uid if c.stored else str(uuid.uuid4()) for c in candidates}
    incoming: dict[str, set[Edge]] = {}
    for _, edge in added:
        incoming.setdefault(edge.source, set()).add(edge)
    for some in chunks(candidates):
        relations = _relations(session, [candidate.ref for candidate in some], incoming)
        for candidate in some:
            base = _with_annotations(candidate, uids[candidate.ref])
            writer.add(ids[candidate.ref], _finish(base, relations[candidate.ref]), candidate)
        changed |= writer.flush()
    changed |= _renew(session, writer, touched, incoming)
    insert_rows(
        session,
        RelationRow,
        [
            {"declared_by": id_, "source_ref": edge.source, "type": edge.type, "target_ref": edge.target}
            for id_, edge in sorted(added)
        ],
    )
    if len(candidates) >= MANY:
        session.flush()
        refresh_statistics(session, (Entity, EntityBody, SearchKey, SearchRow, RelationRow))
    return changed


def remove_entities(session: Session, gone: Sequence[Stored], now: datetime) -> set[str]:
    """Remove entities with all that only they supplied; returns the references of others whose relations changed."""
    ids = [stored.id for stored in gone]
    touched = {edge.source for some in _edges_of(session, ids).values() for edge in some}
    for column in (RelationRow.declared_by, SearchRow.entity_id, EntityBody.id, Entity.id):
        delete_rows(session, column, ids)
    touched -= {stored.ref for stored in gone}
    return _renew(session, _Writer(session, now), touched, {})


def _renew(session: Session, writer: "_Writer", refs: Iterable[str], incoming: Mapping[str, set[Edge]]) -> set[str]:
    """Write those of the entities whose relations changed; returns their references."""
    neighbours = find_stored(session, refs)
    changed: set[str] = set()
    for some in chunks(neighbours):
        relations = _relations(session, some, incoming)
        for stored, base in _bases(session, [neighbours[ref] for ref in some]):
            writer.renew(stored, _finish(base, relations[stored.ref]))
        changed |= writer.flush()
    return changed


def _give_ids(session: Session, candidates: Sequence[Candidate]) -> dict[str, int]:
    """Return the id of each candidate; new ones get the next free numbers (ingestions follow one another)."""
    last = session.scalar(select(func.coalesce(func.max(Entity.id), 0))) or 0
    ids: dict[str, int] = {}
    for candidate in candidates:
        if candidate.stored:
            ids[candidate.ref] = candidate.stored.id
        else:
            last += 1
            ids[candidate.ref] = last
    return ids


def _edges_of(session: Session, ids: Iterable[int]) -> dict[int, set[Edge]]:
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


def _relations(
    session: Session, refs: Sequence[str], incoming: Mapping[str, set[Edge]]
) -> dict[str, list[dict[str, str]]]:
    """Return the relations that each entity shows, sorted by type and target: stored ones and those about to be."""
    pairs: dict[str, set[tuple[str, str]]] = {
        ref: {(edge.type, edge.target) for edge in incoming.get(ref, ())} for ref in refs
    }
    statement = select(RelationRow.source_ref, RelationRow.type, RelationRow.target_ref)
    for some in chunks(refs):
        for source, type_, target in session.execute(statement.where(RelationRow.source_ref.in_(some))):
            pairs[source].add((type_, target))
    return {
        ref: [{"type": type_, "targetRef": target} for type_, target in sorted(some)] for ref, some in pairs.items()
    }


def _bases(session: Session, some: Sequence[Stored]) -> list[tuple[Stored, dict[str, Any]]]:
    """Return the final form of unchanged entities, from which only the relations will differ."""
    bodies = session.execute(
        select(EntityBody.id, EntityBody.body).where(EntityBody.id.in_([stored.id for stored in some]))
    )
    by_id = {stored.id: stored for stored in some}
    return [(by_id[id_], orjson.loads(body)) for id_, body in bodies]


def _with_annotations(candidate: Candidate, uid: str) -> dict[str, Any]:
    """Add what only the server knows; what a file says of these is overwritten."""
    metadata = candidate.entity["metadata"]
    place = candidate.place
    annotations = {
        **metadata.get("annotations", {}),
        MANAGED_BY: location_ref(place.type, place.target),
        MANAGED_BY_ORIGIN: candidate.origin,
    }
    if place.type == URL:
        annotations[VIEW_URL] = place.target
    return {**candidate.entity, "metadata": {**metadata, "annotations": annotations, "uid": uid}}


def _finish(base: Mapping[str, Any], relations: list[dict[str, str]]) -> dict[str, Any]:
    """Return the final entity: its relations, and an etag over everything else."""
    metadata = {key: value for key, value in base["metadata"].items() if key != "etag"}
    entity = {**base, "metadata": metadata, "relations": relations}
    etag = hashlib.sha256(orjson.dumps(entity)).hexdigest()[:40]
    return {**entity, "metadata": {**metadata, "etag": etag}}


class _Writer:
    """Collects rows of one chunk of entities and writes them together."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._now = now
        self._keys: dict[str, int] = {}
        self._new: list[tuple[int, dict[str, Any], Candidate]] = []
        self._changed: list[tuple[int, dict[str, Any], dict[str, Any]]] = []
        self._refs: set[str] = set()

    def add(self, id_: int, entity: dict[str, Any], candidate: Candidate) -> None:
        """Take a new or changed document's entity."""
        if candidate.stored is None:
            self._refs.add(candidate.ref)
            self._new.append((id_, entity, candidate))
            return
        if candidate.stored.etag != entity["metadata"]["etag"]:
            self._refs.add(candidate.ref)
        self._changed.append((id_, entity, {**columns(entity), **_origin_columns(candidate)}))

    def renew(self, stored: Stored, entity: dict[str, Any]) -> None:
        """Take an entity of which at most the relations changed."""
        if stored.etag != entity["metadata"]["etag"]:
            self._refs.add(stored.ref)
            self._changed.append((stored.id, entity, {}))

    def flush(self) -> set[str]:
        """Write what was taken; returns the references of those whose final form changed."""
        session, moment = self._session, self._now
        new = [(id_, entity) for id_, entity, _ in self._new]
        changed = [(id_, entity) for id_, entity, _ in self._changed]
        insert_rows(
            session,
            Entity,
            [
                {
                    "id": id_,
                    "uid": entity["metadata"]["uid"],
                    "ref": candidate.ref,
                    **columns(entity),
                    "etag": entity["metadata"]["etag"],
                    "location_id": candidate.location_id,
                    **_origin_columns(candidate),
                    "updated_at": moment,
                }
                for id_, entity, candidate in self._new
            ],
        )
        for whole in (True, False):
            rows = [
                {"id": id_, **extra, "etag": entity["metadata"]["etag"], "updated_at": moment}
                for id_, entity, extra in self._changed
                if bool(extra) is whole
            ]
            if rows:
                session.execute(update(Entity), rows)
        insert_rows(session, EntityBody, [{"id": id_, "body": orjson.dumps(entity)} for id_, entity in new])
        if changed:
            session.execute(update(EntityBody), [{"id": id_, "body": orjson.dumps(entity)} for id_, entity in changed])
            delete_rows(session, SearchRow.entity_id, [id_ for id_, _ in changed])
        self._write_search_rows(new + changed)
        refs = self._refs
        self._new, self._changed, self._refs = [], [], set()
        return refs

    def _write_search_rows(self, entities: Sequence[tuple[int, dict[str, Any]]]) -> None:
        found = [(id_, search_values(entity)) for id_, entity in entities]
        self._learn_keys({value.key for _, values in found for value in values})
        insert_rows(
            self._session,
            SearchRow,
            [
                {
                    "entity_id": id_,
                    "position": position,
                    "key_id": self._keys[value.key],
                    "value": value.value,
                    "original": value.original,
                    "is_item": value.is_item,
                }
                for id_, values in found
                for position, value in enumerate(values)
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


def _origin_columns(candidate: Candidate) -> dict[str, Any]:
    return {
        "file": candidate.place.target,
        "document": candidate.document,
        "document_hash": candidate.document_hash,
    }
