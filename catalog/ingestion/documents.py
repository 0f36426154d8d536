"""Documents as they wait to be stored: as JSON, since many of them wait at once. Pure."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from catalog.format.kinds import Kind
from catalog.ingestion.following import FileReading
from catalog.ingestion.reading import Place


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document of a file, judged."""

    ref: str | None
    """The entity's reference, as far as it can be told."""
    index: int
    body: bytes | None
    """The good entity as JSON; None when it has faults."""
    digest: str
    """SHA-256 of the body."""
    place: Place
    parent_ref: str | None
    """The Location entity that led to the file; None where that is the registered location's."""
    kind: Kind | None = None
    """What it was judged as; None for one of ours, whose kind is Backstage's own of that name."""


def compact(
    ref: str, index: int, entity: dict[str, Any], place: Place, parent_ref: str | None, kind: Kind | None = None
) -> ReadDocument:
    """Return a good entity as it waits."""
    body = orjson.dumps(entity)
    return ReadDocument(ref, index, body, hashlib.sha256(body).hexdigest(), place, parent_ref, kind)


def documents_of(file: FileReading) -> Iterator[ReadDocument]:
    """Yield the documents of a file, in order."""
    for document in file.documents:
        if document.entity is None or document.ref is None:
            yield ReadDocument(document.ref, document.index, None, "", file.place, file.parent_ref)
        else:
            yield compact(document.ref, document.index, document.entity, file.place, file.parent_ref, document.kind)
