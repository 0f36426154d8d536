"""Where Location entities lead."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from catalog.format.kind_rules import FOLDER_RULE, named_targets
from catalog.ingestion.file_readings import FoundFault, Nested, Reading
from catalog.ingestion.reading import FILE, URL, Place, Reader
from catalog.places.faults import Unreadable


def targets(
    reader: Reader, place: Place, index: int, ref: str, spec: Mapping[str, Any], reading: Reading
) -> Iterator[Nested]:
    """Yield where a Location entity leads; what cannot be followed becomes a fault of its document."""
    optional = spec.get("presence") == "optional"
    for path, target in named_targets(spec):
        try:
            yield Nested(*_resolve(reader, place, spec.get("type"), target), optional, ref)
        except Unreadable as error:
            reading.faults.append(FoundFault(place.target, index, ref, path, str(error)))


def _resolve(reader: Reader, place: Place, type_: str | None, target: str) -> tuple[str, str]:
    """Return type and absolute target; both are relative to the file that names them. Raises Unreadable."""
    if type_ not in {None, FILE, URL}:
        raise Unreadable(f"leads to a location of type {type_!r}; only file and url can be followed")
    is_url = target.lower().startswith(("http://", "https://"))
    if place.type == URL:
        if type_ == FILE:
            raise Unreadable("leads to a file, but stands in a location of type url, which may only lead to URLs")
        return URL, reader.resolve(place, target)
    if is_url:
        if type_ != URL:
            raise Unreadable("is a URL in a location of type file; set spec.type to url to have it followed")
        return URL, target
    if target.endswith("/"):
        raise Unreadable(FOLDER_RULE)
    if "\0" in target:
        raise Unreadable("holds a NUL character")
    return FILE, os.path.normpath(Path(place.target).parent / target)
