"""What a reading means for the entities that are stored: who is new, who changed, who comes too late, who left."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import starmap

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.format.refs import location_ref
from catalog.ingestion.candidates import STORED_COLUMNS, Candidate, Stored, find_stored
from catalog.ingestion.documents import ReadDocument, own_document
from catalog.ingestion.file_readings import FoundFault, Reading
from catalog.ingestion.pacing import may_remove
from catalog.ingestion.place import Place
from catalog.locations import location_entity
from catalog.models import Entity, Location
from portal_backend.core.db import chunks

EMPTY = "is no longer in the files, but they are all empty; it stays until they hold something"


@dataclass(frozen=True)
class Conflict:
    """A document whose entity somebody else supplies."""

    fault: FoundFault
    supplied_by: str


@dataclass
class Plan:
    """What is to be written."""

    candidates: list[Candidate] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    unchanged: int = 0
    kept: set[str] = field(default_factory=set)
    """References that the files still name, in whatever state."""
    unclear: frozenset[str] = frozenset()
    """Files with a document whose entity cannot be told: nothing of theirs leaves."""


@dataclass(frozen=True)
class Departures:
    """Entities that the files no longer hold, by what becomes of them."""

    removed: list[Stored]
    orphaned: list[Stored]
    withheld: list[Stored]
    """They stay as they are: until everything could be read, or until a person agrees."""
    note: str = ""
    """Why those that could go stay."""


def own_entities(session: Session, location_id: str) -> dict[str, Stored]:
    """Return all that a location supplies, orphans included."""
    rows = session.execute(select(*STORED_COLUMNS).where(Entity.location_id == location_id))
    return {stored.ref: stored for stored in starmap(Stored, rows)}


def make_plan(
    session: Session, location: Location, reading: Reading, documents: Iterable[ReadDocument], own: Mapping[str, Stored]
) -> Plan:
    """Compare the documents with what is stored."""
    documents = list(documents)
    refs = {document.good.ref for document in documents if document.good is not None}
    stored_by_ref = {**_stored_elsewhere(session, refs - own.keys(), location), **own}
    names = _names_of_others(session, stored_by_ref.values(), location.id)
    holders: dict[str, str | ReadDocument] = {**_still_held(reading, own, location.entity_ref)}
    plan = Plan(unchanged=len(holders), kept={location.entity_ref, *holders})
    plan.unclear = frozenset(document.place.target for document in documents if document.ref is None)
    for document in _with_own(session, location, reading, documents, own):
        if document.ref is None:
            continue
        plan.kept.add(document.ref)
        if document.good is None:
            continue
        stored = stored_by_ref.get(document.ref)
        supplier = _holder(holders.get(document.ref)) or _other_supplier(stored, location, names)
        if supplier is not None:
            plan.conflicts.append(_conflict(document, supplier))
            continue
        holders[document.ref] = document
        if stored is not None and _is_same(stored, document, location):
            plan.unchanged += document.ref != location.entity_ref
        else:
            plan.candidates.append(_candidate(document, location, stored))
    return plan


def left_behind(session: Session, own: Mapping[str, Stored], plan: Plan) -> list[Stored]:
    """Return what a location supplied when the plan was made and its files no longer name, as it is stored now."""
    stored = find_stored(session, own.keys() - plan.kept)
    return [stored[ref] for ref in own if ref in stored]


def departures(
    reading: Reading,
    plan: Plan,
    left: Sequence[Stored],
    location: Location,
    now: datetime,
    *,
    present: int,
    grace: timedelta,
    share: float,
    allow_removals: bool,
) -> Departures:
    """Return what becomes of the entities that are no longer in the files.

    `left` are these, of the `present` entities that the location supplies. After a complete read they are orphans, and
    go after the grace period under the cap; at once where a person said so, or gave the location another target.
    """
    missing = [one for one in left if one.file not in plan.unclear or one.orphaned_at is not None]
    hidden = [one for one in left if one.file in plan.unclear and one.orphaned_at is None]
    if not reading.complete:
        return Departures([], [], [one for one in left if one.orphaned_at is None])
    if location.moved_at is not None:
        return Departures(missing, [], hidden)
    due = missing if allow_removals else [one for one in missing if now - (one.orphaned_at or now) >= grace]
    lost = [one for one in missing if one.orphaned_at is None]
    note = ""
    if due and all(file.is_empty for file in reading.files):
        note = EMPTY
    elif not allow_removals and not may_remove(share, len(due), present):
        note = _over_the_cap(len(due), present)
    if note:
        return Departures([], lost, hidden + due, note)
    removed = {one.ref for one in due}
    return Departures(due, [one for one in lost if one.ref not in removed], hidden)


def _stored_elsewhere(session: Session, refs: Collection[str], location: Location) -> dict[str, Stored]:
    """Return those of the entities that other locations supply; a first ingest into an empty catalog asks once."""
    if not refs or session.scalar(select(Entity.id).where(Entity.location_id != location.id).limit(1)) is None:
        return {}
    return find_stored(session, refs)


def _over_the_cap(leaving: int, present: int) -> str:
    return (
        f"is no longer in the files, like {leaving} of {present} entities of this location; "
        "if that is meant, run `portal catalog refresh --allow-removals`"
    )


def _with_own(
    session: Session,
    location: Location,
    reading: Reading,
    documents: Iterable[ReadDocument],
    own: Mapping[str, Stored],
) -> Iterator[ReadDocument]:
    """Yield the Location entity that stands for a registered location, once it could be read, and the documents."""
    stored = own.get(location.entity_ref) or find_stored(session, [location.entity_ref]).get(location.entity_ref)
    if stored is not None and stored.location_id != location.id:
        own_is_due = False
    else:
        own_is_due = stored is not None or reading.error is None
    if own_is_due:
        entity = location_entity(location.entity_ref, location.type, location.target)
        yield own_document(location.entity_ref, entity, Place(location.type, location.target))
    yield from documents


def _still_held(reading: Reading, own: Mapping[str, Stored], location_entity_ref: str) -> dict[str, str]:
    """Return the entities whose documents stand as the last read found them, each with its file.

    The location's own entity is none of them: it bears the name of a file without being a document of it.
    """
    unchanged = {file.place.target for file in reading.files if file.unchanged}
    partly = {file.place.target: file.known_documents for file in reading.files if file.known_documents}
    return {
        ref: one.file
        for ref, one in own.items()
        if ref != location_entity_ref
        and one.orphaned_at is None
        and (one.file in unchanged or one.document in partly.get(one.file, ()))
    }


def _names_of_others(session: Session, some: Iterable[Stored], location_id: str) -> dict[str, str]:
    """Return what the other locations are called that supply entities of ours."""
    ids = {stored.location_id for stored in some} - {location_id}
    return {
        id_: location_ref(type_, target)
        for few in chunks(ids)
        for id_, type_, target in session.execute(
            select(Location.id, Location.type, Location.target).where(Location.id.in_(few))
        )
    }


def _other_supplier(stored: Stored | None, location: Location, names: Mapping[str, str]) -> str | None:
    """Return who else supplies an entity; nobody does who has lost it: that is how one moves to another location."""
    if stored is None or stored.location_id == location.id or stored.orphaned_at is not None:
        return None
    return names[stored.location_id]


def _holder(found: str | ReadDocument | None) -> str | None:
    """Say where a document stands that came first."""
    return f"{found.place.target} (document {found.index})" if isinstance(found, ReadDocument) else found


def _conflict(document: ReadDocument, supplier: str) -> Conflict:
    message = f"{document.ref} is already supplied by {supplier}; rename one of them or take one away"
    return Conflict(
        FoundFault(document.place.target, document.index, document.ref or "", "metadata.name", message), supplier
    )


def _is_same(stored: Stored, document: ReadDocument, location: Location) -> bool:
    if location.moved_at is not None or stored.orphaned_at is not None or stored.location_id != location.id:
        return False
    digest = document.good.digest if document.good else ""
    before = (stored.document_hash, stored.file, stored.document, stored.parent_ref)
    return before == (digest, document.place.target, document.index, _parent(document, location))


def _candidate(document: ReadDocument, location: Location, stored: Stored | None) -> Candidate:
    assert document.good is not None  # noqa: S101 (the caller looked)
    return Candidate(
        document=document.good,
        location_id=location.id,
        origin=location_ref(location.type, location.target),
        place=document.place,
        parent_ref=_parent(document, location),
        stored=stored,
    )


def _parent(document: ReadDocument, location: Location) -> str | None:
    if document.ref == location.entity_ref:
        return None
    return document.parent_ref or location.entity_ref
