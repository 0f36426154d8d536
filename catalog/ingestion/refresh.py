"""Locations to entities: read, judge, compare with what is stored, write what differs.

A bad document keeps the last good form of its entity; a target that cannot be read keeps all of them. Entities that
left their files go only after a complete read, and only a few at a time: more of them wait for a person.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from catalog.format.documents import JudgedDocument
from catalog.format.refs import location_ref
from catalog.ingestion.bulk import delete_rows, insert_rows
from catalog.ingestion.following import FileReading, FoundFault, KnownFile, Nested, Reading, read_location
from catalog.ingestion.reading import Place, Reader
from catalog.ingestion.storing import STORED_COLUMNS, Candidate, Stored, find_stored, remove_entities, write_entities
from catalog.locations import register_location
from catalog.models import CatalogFault, Entity, Location, LocationFile
from portal_backend.core.db import chunks, serialise

__all__ = ["IngestReport", "refresh_location", "register_location"]

INGESTION = "catalog ingestion"
"""One location is written after the other: two at once could supply the same entity."""

REMOVAL_SHARE = 0.05
"""Share of a location's entities that may leave in one read without a person's consent; one may always."""

MAX_FAULT_PATH = 500
MAX_FAULT_MESSAGE = 2000


@dataclass(frozen=True)
class IngestReport:
    """What one read of a location did."""

    location: str
    """The location, `file:/srv/catalog`."""
    added: int
    changed: int
    """Documents whose entity was stored before, in another form."""
    removed: int
    unchanged: int
    faults: tuple[FoundFault, ...]
    changed_refs: frozenset[str]
    """Entities whose final form changed, new ones and those whose relations changed included."""
    removed_refs: frozenset[str]
    withheld_refs: frozenset[str] = frozenset()
    """Entities that are no longer in the files, whose removal waits."""
    error: str | None = None
    """Why the target could not be read."""


def refresh_location(
    session: Session,
    location: Location,
    now: datetime,
    *,
    allow_removals: bool = False,
    reader: Reader | None = None,
    on_file: Callable[[str], None] = lambda _: None,
) -> IngestReport:
    """Read a registered location again and store what differs; what is wrong with it is in the report.

    `allow_removals` lifts the cap on entities that leave; `on_file` is called with each file before it is read.
    """
    reading = read_location(reader or Reader(), location.type, location.target, _known(session, location), on_file)
    serialise(session, INGESTION)
    own = _own(session, location.id)
    plan = _plan(session, location, reading, own)
    leaving, withheld, note = _removals(reading, plan, own, location, allow_removals=allow_removals)
    gone = {stored.ref for stored in leaving}
    changed_refs = remove_entities(session, leaving, now) | write_entities(session, plan.candidates, now)
    faults = [*reading.faults, *plan.faults]
    if note:
        faults += [FoundFault(stored.file, stored.document, stored.ref, "", note) for stored in withheld]
    _store_faults(session, location.id, faults, now)
    _store_files(session, location.id, reading, {*(fault.file for fault in faults), *(one.file for one in withheld)})
    location.last_attempt_at = now
    location.last_error = reading.error
    if reading.error is None:
        location.last_read_at = now
    session.flush()
    counted = [candidate for candidate in plan.candidates if candidate.ref != location.entity_ref]
    return IngestReport(
        location=location_ref(location.type, location.target),
        added=sum(candidate.stored is None for candidate in counted),
        changed=sum(candidate.stored is not None for candidate in counted),
        removed=len(gone),
        unchanged=plan.unchanged,
        faults=tuple(faults),
        changed_refs=frozenset(changed_refs - gone - {location.entity_ref}),
        removed_refs=frozenset(gone),
        withheld_refs=frozenset(stored.ref for stored in withheld),
        error=reading.error,
    )


@dataclass(frozen=True)
class _Plan:
    """What a reading means for the entities that are stored."""

    candidates: tuple[Candidate, ...]
    kept: frozenset[str]
    """References that the files still name, in whatever state."""
    unclear: frozenset[str]
    """Files with a document whose entity cannot be told: nothing of theirs leaves."""
    faults: tuple[FoundFault, ...]
    unchanged: int


def _known(session: Session, location: Location) -> dict[str, KnownFile]:
    rows = session.execute(
        select(LocationFile.file, LocationFile.content_hash, LocationFile.http_etag, LocationFile.nested).where(
            LocationFile.location_id == location.id
        )
    )
    return {
        file: KnownFile(digest, etag, tuple(Nested(type_, target, optional) for type_, target, optional in nested))
        for file, digest, etag, nested in rows
    }


def _own(session: Session, location_id: str) -> dict[str, Stored]:
    rows = session.execute(select(*STORED_COLUMNS).where(Entity.location_id == location_id))
    return {row.ref: Stored(*row) for row in rows}


def _plan(session: Session, location: Location, reading: Reading, own: Mapping[str, Stored]) -> _Plan:
    """Compare the documents with what is stored: who is new, who changed, who comes too late."""
    unchanged_files = {file.place.target for file in reading.files if file.unchanged}
    holders = {ref: stored.file for ref, stored in own.items() if stored.file in unchanged_files}
    unchanged = len(holders)
    stored_by_ref = {**find_stored(session, _good_refs(reading) - own.keys()), **own}
    names = _names_of_others(session, stored_by_ref.values(), location.id)
    candidates = _own_entity(session, location, own)
    kept = {location.entity_ref, *holders}
    faults: list[FoundFault] = []
    for file, document in _documents(reading):
        ref = document.ref
        if ref is None:
            continue
        kept.add(ref)
        if document.entity is None:
            continue
        stored = stored_by_ref.get(ref)
        by = holders.get(ref)
        if by is None and stored is not None and stored.location_id != location.id:
            by = names[stored.location_id]
        if by is not None:
            message = f"{ref} is already supplied by {by}; rename one of them or take one away"
            faults.append(FoundFault(file.place.target, document.index, ref, "metadata.name", message))
            continue
        holders[ref] = f"{file.place.target} (document {document.index})"
        candidate = _candidate(location, file, document, stored)
        if candidate is None:
            unchanged += 1
        else:
            candidates.append(candidate)
    unclear = frozenset(file.place.target for file, document in _documents(reading) if document.ref is None)
    return _Plan(tuple(candidates), frozenset(kept), unclear, tuple(faults), unchanged)


def _documents(reading: Reading) -> Iterable[tuple[FileReading, JudgedDocument]]:
    return ((file, document) for file in reading.files for document in file.documents)


def _good_refs(reading: Reading) -> set[str]:
    return {document.ref for _, document in _documents(reading) if document.entity is not None and document.ref}


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


def _candidate(
    location: Location, file: FileReading, document: JudgedDocument, stored: Stored | None
) -> Candidate | None:
    """Return what is to be written for a good document; None when it is stored as it is."""
    entity, ref = document.entity, document.ref
    assert entity is not None and ref is not None  # noqa: S101 (the caller looked)
    digest = hashlib.sha256(orjson.dumps(entity)).hexdigest()
    same = stored is not None and stored.document_hash == digest and stored.file == file.place.target
    if same and stored is not None and stored.document == document.index:
        return None
    origin = location_ref(location.type, location.target)
    return Candidate(ref, entity, location.id, origin, file.place, document.index, digest, stored)


def _own_entity(session: Session, location: Location, own: Mapping[str, Stored]) -> list[Candidate]:
    """Return the Location entity that stands for a registered location, unless it is stored already."""
    if location.entity_ref in own:
        return []
    entity = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Location",
        "metadata": {"name": location.entity_ref.partition("/")[2], "namespace": "default"},
        "spec": {"type": location.type, "target": location.target},
    }
    if find_stored(session, [location.entity_ref]):
        return []
    document = JudgedDocument(0, location.entity_ref, entity, ())
    file = FileReading(Place(location.type, location.target), "", None, unchanged=False)
    candidate = _candidate(location, file, document, None)
    return [candidate] if candidate else []


def _removals(
    reading: Reading, plan: _Plan, own: Mapping[str, Stored], location: Location, *, allow_removals: bool
) -> tuple[list[Stored], list[Stored], str]:
    """Return the entities that leave, those that are no longer in the files but stay, and why they stay."""
    missing = [stored for ref, stored in own.items() if ref not in plan.kept and stored.file not in plan.unclear]
    hidden = [stored for ref, stored in own.items() if ref not in plan.kept and stored.file in plan.unclear]
    if not missing:
        return [], hidden, ""
    if not reading.complete:
        return [], missing + hidden, ""
    if not any(file.documents or file.unchanged for file in reading.files):
        return [], missing, "is no longer in the files, but they are all empty; it stays until they hold something"
    present = len(own) - (location.entity_ref in own)
    if len(missing) <= max(1, int(present * REMOVAL_SHARE)) or allow_removals:
        return missing, hidden, ""
    note = (
        f"is no longer in the files, like {len(missing)} of {present} entities of this location; "
        "if that is meant, run `portal catalog refresh --allow-removals`"
    )
    return [], missing, note


def _store_faults(session: Session, location_id: str, faults: Sequence[FoundFault], now: datetime) -> None:
    """Keep the faults of the last read; those that stand already keep the time when they were first seen."""
    wanted = dict.fromkeys(
        fault._replace(path=fault.path[:MAX_FAULT_PATH], message=fault.message[:MAX_FAULT_MESSAGE]) for fault in faults
    )
    columns = (
        CatalogFault.id,
        CatalogFault.file,
        CatalogFault.document,
        CatalogFault.ref,
        CatalogFault.path,
        CatalogFault.message,
    )
    mended: list[int] = []
    for id_, file, document, ref, path, message in session.execute(
        select(*columns).where(CatalogFault.location_id == location_id)
    ):
        fault = FoundFault(file, document, ref, path, message)
        if fault in wanted:
            del wanted[fault]
        else:
            mended.append(id_)
    delete_rows(session, CatalogFault.id, mended)
    insert_rows(
        session, CatalogFault, [{"location_id": location_id, **fault._asdict(), "seen_at": now} for fault in wanted]
    )


def _store_files(session: Session, location_id: str, reading: Reading, doubtful: set[str]) -> None:
    """Remember the files without a fault, so that the next read need not judge them again."""
    session.execute(delete(LocationFile).where(LocationFile.location_id == location_id))
    insert_rows(
        session,
        LocationFile,
        [
            {
                "location_id": location_id,
                "file": file.place.target,
                "content_hash": file.digest,
                "http_etag": file.http_etag,
                "nested": [list(nested) for nested in file.nested],
            }
            for file in reading.files
            if file.place.target not in doubtful
        ],
    )
