"""What a read found wrong, kept until the next one, and what it remembers of the files that were good."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from catalog.ingestion.bulk import delete_rows, insert_rows
from catalog.ingestion.file_readings import FileReading, FoundFault, KnownFile, Reading
from catalog.ingestion.planning import Conflict
from catalog.models import CatalogFault, Location, LocationFile
from portal_backend.core.db import chunks

MAX_PATH = 500
MAX_MESSAGE = 2000


class Finding(NamedTuple):
    """A fault, and where it is to be seen."""

    file: str
    document: int | None
    ref: str
    path: str
    message: str
    shown_at: str | None
    supplied_by: str | None


FINDING_COLUMNS = tuple(getattr(CatalogFault, name) for name in Finding._fields)


def findings(
    reading: Reading,
    conflicts: Iterable[Conflict],
    notes: Iterable[FoundFault],
    parents: Mapping[str, str | None],
    own_ref: str,
) -> list[Finding]:
    """Return all that is wrong with a location.

    A fault is shown at its entity; where that cannot be told, and where it keeps the whole file out, at the Location
    entity that led to the file (`parents`) or the registered location's own (`own_ref`). Notes are shown at no entity:
    they say what waits for a person.
    """
    found = [
        _finding(fault, (not fault.of_file and fault.ref) or parents.get(fault.file) or own_ref, None)
        for fault in reading.faults
    ]
    found += [_finding(one.fault, one.fault.ref, one.supplied_by) for one in conflicts]
    found += [_finding(note, None, None) for note in notes]
    return list(dict.fromkeys(found))


def store_findings(session: Session, location_id: str, found: Iterable[Finding], now: datetime) -> set[str]:
    """Keep what the last read found; what stands already keeps the time when it was first seen.

    Returns the entities whose status it changes.
    """
    wanted = dict.fromkeys(found)
    mended: list[int] = []
    touched: set[str] = set()
    statement = select(CatalogFault.id, *FINDING_COLUMNS).where(CatalogFault.location_id == location_id)
    for id_, *columns in session.execute(statement):
        finding = Finding(*columns)
        if finding in wanted:
            del wanted[finding]
        else:
            mended.append(id_)
            touched.add(finding.shown_at or "")
    delete_rows(session, CatalogFault.id, mended)
    rows = [{"location_id": location_id, **finding._asdict(), "seen_at": now} for finding in wanted]
    insert_rows(session, CatalogFault, rows)
    return (touched | {finding.shown_at or "" for finding in wanted}) - {""}


def let_others_try(session: Session, released: Collection[str], location_id: str) -> None:
    """Have the locations read soon that hold entities which this one has let go: a conflict kept them from it."""
    for some in chunks(released):
        waiting = select(CatalogFault.location_id).where(
            CatalogFault.ref.in_(some), CatalogFault.supplied_by.is_not(None), CatalogFault.location_id != location_id
        )
        session.execute(update(Location).where(Location.id.in_(waiting)).values(due_at=None))


def known_files(session: Session, location_id: str) -> dict[str, KnownFile]:
    """Return what the last read remembers of its files."""
    columns = (LocationFile.file, LocationFile.content_hash, LocationFile.http_etag, LocationFile.nested)
    rows = session.execute(select(*columns).where(LocationFile.location_id == location_id))
    return {file: KnownFile.recalled(digest, etag, remembered) for file, digest, etag, remembered in rows}


def still_known_files(session: Session, location_id: str, known: Mapping[str, KnownFile]) -> dict[str, KnownFile]:
    """Return what is remembered of the files by now; what stands as it was `known` is not read whole again."""
    columns = (LocationFile.file, LocationFile.content_hash, LocationFile.http_etag)
    return {
        file: one
        if (one := known.get(file)) and (one.digest, one.http_etag) == (digest, etag)
        else KnownFile(digest, etag)
        for file, digest, etag in session.execute(select(*columns).where(LocationFile.location_id == location_id))
    }


def doubt_files(session: Session, location_id: str, files: Collection[str]) -> None:
    """Have files judged whole at the next read, unless this one gets to its end and remembers them.

    Of a read in several transactions the first ones stay when its process dies: without this, a file that is then
    given back its former content would pass for unchanged.
    """
    for some in chunks(files):
        statement = update(LocationFile).where(LocationFile.location_id == location_id, LocationFile.file.in_(some))
        session.execute(statement.values(content_hash="", http_etag=None, nested=[]))


def remember_files(
    session: Session, location_id: str, reading: Reading, doubtful: Collection[str], known: Mapping[str, KnownFile]
) -> None:
    """Remember the files without a fault, so that the next read need not judge them again.

    A file that this read took as unchanged, or parts of it, and that somebody had forgotten in the meantime (by
    deleting an entity of it), stays forgotten: it was not judged.
    """
    wanted = {
        file.place.target: file
        for file in reading.files
        if file.place.target not in doubtful and (not file.rests_on_known or file.place.target in known)
    }
    stale = [file for file in known if file not in wanted or _remembered(wanted[file]) != known[file]]
    for some in chunks(stale):
        session.execute(
            delete(LocationFile).where(LocationFile.location_id == location_id, LocationFile.file.in_(some))
        )
    insert_rows(
        session,
        LocationFile,
        [
            {
                "location_id": location_id,
                "file": file,
                "content_hash": one.digest,
                "http_etag": one.http_etag,
                "nested": one.remembered(),
            }
            for file, one in wanted.items()
            if known.get(file) != _remembered(one)
        ],
    )


def _remembered(file: FileReading) -> KnownFile:
    return KnownFile(file.digest, file.http_etag, file.nested, file.used, file.basis, file.recall)


def _finding(fault: FoundFault, shown_at: str | None, supplied_by: str | None) -> Finding:
    path, message = fault.path[:MAX_PATH], fault.message[:MAX_MESSAGE]
    return Finding(fault.file, fault.document, fault.ref, path, message, shown_at, supplied_by)
