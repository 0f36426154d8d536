"""What is stored of entities, and the documents that are about to be stored."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import starmap
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.format.relations import Edge, edges
from catalog.ingestion.bulk import table_of
from catalog.ingestion.judging import GoodDocument
from catalog.ingestion.place import Place
from catalog.ingestion.shelf import ShelvedDocument
from catalog.models import Entity, RelationRow
from portal_backend.core.db import chunks


@dataclass(frozen=True, slots=True)
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

    document: GoodDocument | ShelvedDocument
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


STORED_COLUMNS = tuple(table_of(Entity).c[column.name] for column in fields(Stored))
"""Of the table itself: the rows of a large location would cost twice as much through the class that maps it."""

TYPES = 1 << 16
"""Types of relations that can be told apart."""


class Coming:
    """All candidates of a plan, with what they declare: each is written once, with all its relations.

    What points at an entity is kept as a position among the candidates and a type, in one number: a large catalog has
    millions of relations.
    """

    def __init__(self, candidates: Sequence[Candidate] = (), last_id: int = 0) -> None:
        """Take the candidates and give the new ones their ids: those after `last_id`, the largest one so far."""
        self._candidates = candidates
        self._positions: dict[str, int] = {}
        self._types: list[str] = []
        self._pointing: dict[str, array[int]] = {}
        self._last_id = last_id
        self._replaced = {candidate.stored.id for candidate in candidates if candidate.stored}
        numbers: dict[str, int] = {}
        for position, candidate in enumerate(candidates):
            if candidate.stored is None:
                last_id += 1
            candidate.id = candidate.stored.id if candidate.stored else last_id
            self._positions[candidate.ref] = position
            for _, reverse, target in candidate.document.declared():
                number = numbers.setdefault(reverse, len(numbers))
                self._pointing.setdefault(target, array("Q")).append(position * TYPES + number)
        self._types = list(numbers)

    def __contains__(self, ref: str) -> bool:
        """Say whether the entity is among them."""
        return ref in self._positions

    def relations(self, ref: str) -> set[tuple[str, str]]:
        """Return type and target of the relations of an entity that candidates declare."""
        position = self._positions.get(ref)
        own = () if position is None else self._candidates[position].document.declared()
        found = {(forward, target) for forward, _, target in own}
        for pointing in self._pointing.get(ref, ()):
            position, number = divmod(pointing, TYPES)
            found.add((self._types[number], self._candidates[position].ref))
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
    found = (session.execute(select(*STORED_COLUMNS).where(Entity.ref.in_(some))) for some in chunks(refs))
    return {stored.ref: stored for rows in found for stored in starmap(Stored, rows)}


def await_candidates(session: Session, candidates: Sequence[Candidate]) -> Coming:
    """Give the candidates their ids: new ones get the next free numbers, since writes follow one another."""
    return Coming(candidates, session.scalar(select(func.coalesce(func.max(Entity.id), 0))) or 0)
