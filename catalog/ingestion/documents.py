"""Documents as they wait to be stored, with where they stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from catalog.ingestion.file_readings import FileReading
from catalog.ingestion.judging import GoodDocument, compact
from catalog.ingestion.place import Place
from catalog.ingestion.shelf import Shelf, ShelvedDocument, shelved


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document of a file, judged."""

    ref: str | None
    """The entity's reference, as far as it can be told."""
    index: int
    good: GoodDocument | ShelvedDocument | None
    """None when it has faults."""
    place: Place
    parent_ref: str | None
    """The Location entity that led to the file; None where that is the registered location's."""


def own_document(ref: str, entity: dict[str, Any], place: Place) -> ReadDocument:
    """Return the entity that stands for a registered location, as a document."""
    return ReadDocument(ref, 0, compact(ref, 0, entity), place, None)


def documents_of(file: FileReading, shelf: Shelf) -> Iterator[ReadDocument]:
    """Yield the documents of a file that were judged, in order; what the good ones say goes to the shelf."""
    good = {document.index: document for document in file.good}
    for document in file.documents:
        if not document.is_known:
            found = good.get(document.index)
            waiting = None if found is None else shelved(found, shelf)
            yield ReadDocument(document.ref, document.index, waiting, file.place, file.parent_ref)
