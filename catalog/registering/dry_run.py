"""What a location would bring, read whole and judged at once; nothing is stored."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from catalog.format.refs import location_ref
from catalog.ingestion.file_readings import FileReading, Reading
from catalog.ingestion.finishing import with_annotations
from catalog.ingestion.following import read_location
from catalog.ingestion.reading import Place, Reader, TooMuch
from catalog.locations import generated_ref, location_entity
from catalog.places.scm import Integration
from portal_backend.core.errors import Fault, InvalidInput

MAX_SECONDS = 30.0
"""How long somebody waits for the answer; a larger location is registered and read in its own time."""
MAX_ENTITIES = 5_000
MAX_FAULTS = 20
"""Faults told; the others show once these are mended."""


def preview(reader: Reader, type_: str, target: str) -> list[dict[str, Any]]:
    """Return the entities that a location would bring, its own Location entity first.

    They have what reading adds, but neither uid nor etag nor relations. Raises InvalidInput when anything in the
    location, or in what it leads to, cannot be read or is wrong.
    """
    reading = read_location(reader, type_, target, {}, _within(MAX_SECONDS))
    faults = list(_faults(reading))
    if faults:
        raise _refusal(faults)
    origin = location_ref(type_, target)
    own = location_entity(generated_ref(origin), type_, target)
    entities = [with_annotations(own, Place(type_, target), origin, reader.integrations)]
    for file in reading.files:
        entities += _entities(file, origin, reader.integrations)
    if len(entities) > MAX_ENTITIES:
        message = f"holds {len(entities)} entities; {MAX_ENTITIES} are previewed at most, so register it at once"
        raise _refusal([Fault("target", message)])
    return entities


def _entities(file: FileReading, origin: str, integrations: tuple[Integration, ...]) -> Iterator[dict[str, Any]]:
    for document in file.documents:
        if document.entity is not None:
            yield with_annotations(document.entity, file.place, origin, integrations)


def _faults(reading: Reading) -> Iterator[Fault]:
    for fault in reading.faults:
        where = fault.file if fault.document is None else f"{fault.file}, document {fault.document}"
        yield Fault(fault.path, f"{fault.message} ({where})")
    holders: dict[str, str] = {}
    for file in reading.files:
        for document in file.documents:
            if document.entity is None or document.ref is None:
                continue
            if document.ref in holders:
                yield Fault("", f"{document.ref} stands in {holders[document.ref]} and again in {file.place.target}")
            holders.setdefault(document.ref, file.place.target)


def _within(seconds: float) -> Callable[[str], None]:
    """Return what stops a read that takes longer."""
    deadline = time.monotonic() + seconds

    def check(_file: str) -> None:
        if time.monotonic() > deadline:
            raise TooMuch(f"Reading all of it takes longer than {seconds:g} seconds; register it without a dry run")

    return check


def _refusal(faults: list[Fault]) -> InvalidInput:
    told = [str(fault) for fault in faults[:MAX_FAULTS]]
    more = f"; and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
    return InvalidInput("; ".join(told) + more, faults[:MAX_FAULTS])
