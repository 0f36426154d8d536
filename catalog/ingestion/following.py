"""From a registered target to all documents behind it: nested Location entities are followed. No database."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

from catalog.format.documents import JudgedDocument, judge_documents
from catalog.ingestion.reading import FILE, GLOB, MAX_TARGET_CHARACTERS, URL, Known, Place, Reader, TooMuch, Unreadable

MAX_NESTING = 10
"""Location entities that lead to Location entities; deeper ones are a fault."""
MAX_FILES = 50_000
MAX_TOTAL_BYTES = 512 * 1024 * 1024
"""Of one registered location, with all that it leads to."""


class FoundFault(NamedTuple):
    """Something wrong, and where."""

    file: str
    document: int | None
    ref: str
    path: str
    message: str


class Nested(NamedTuple):
    """Where a Location entity leads."""

    type: str
    target: str
    optional: bool


@dataclass(frozen=True)
class KnownFile(Known):
    """A file that the last read found without a fault."""

    nested: tuple[Nested, ...] = ()


@dataclass(frozen=True)
class FileReading:
    """What one file holds."""

    place: Place
    digest: str
    http_etag: str | None
    unchanged: bool
    """The content is what the last read found, without a fault: the documents are not judged again."""
    documents: tuple[JudgedDocument, ...] = ()
    nested: tuple[Nested, ...] = ()


@dataclass
class Reading:
    """What a registered location holds."""

    files: list[FileReading] = field(default_factory=list)
    faults: list[FoundFault] = field(default_factory=list)
    error: str | None = None
    """Why the registered target itself cannot be read."""
    complete: bool = True
    """Everything that the location leads to could be read, whatever is wrong inside."""


class _Step(NamedTuple):
    nested: Nested
    depth: int
    container: str


def read_location(
    reader: Reader,
    type_: str,
    target: str,
    known: Mapping[str, KnownFile],
    on_file: Callable[[str], None] = lambda _: None,
) -> Reading:
    """Read a target and all that its Location entities lead to, each file once; raises nothing.

    `known` holds what the last read found, by file; `on_file` is called with each file before it is read.
    """
    walk = _Walk(reader, known, on_file)
    walk.waiting.append(_Step(Nested(type_, target, optional=False), 0, ""))
    while walk.waiting:
        step = walk.waiting.popleft()
        try:
            for place in reader.places(step.nested.type, step.nested.target):
                walk.visit(step, place)
        except TooMuch as error:
            walk.note_unreadable(step, step.nested.target, str(error))
            break
        except Unreadable as error:
            walk.note_unreadable(step, step.nested.target, str(error))
    return walk.reading


class _Walk:
    """The state of one read: what was seen, what waits, what was found."""

    def __init__(self, reader: Reader, known: Mapping[str, KnownFile], on_file: Callable[[str], None]) -> None:
        self.reading = Reading()
        self.waiting: deque[_Step] = deque()
        self._reader = reader
        self._known = known
        self._on_file = on_file
        self._seen: set[Place] = set()
        self._size = 0

    def visit(self, step: _Step, place: Place) -> None:
        """Read one file; one that cannot be read does not keep its neighbours from it. Raises TooMuch."""
        if place in self._seen:
            return
        self._seen.add(place)
        if len(self._seen) > MAX_FILES:
            raise TooMuch(f"There are more than {MAX_FILES} files; register parts of them as locations of their own")
        if self._size > MAX_TOTAL_BYTES:
            limit = MAX_TOTAL_BYTES // 1024 // 1024
            raise TooMuch(f"There are more than {limit} MiB; register parts of it as locations of their own")
        self._on_file(place.target)
        try:
            if len(place.target) > MAX_TARGET_CHARACTERS:
                raise Unreadable(f"{place.target[:100]}… is longer than {MAX_TARGET_CHARACTERS} characters")
            file, size = _read_file(self._reader, place, self._known.get(place.target), self.reading)
        except Unreadable as error:
            self.note_unreadable(step, place.target, str(error))
            return
        self._size += size
        self.reading.files.append(file)
        self.waiting.extend(_deeper(step, file, self.reading))

    def note_unreadable(self, step: _Step, target: str, message: str) -> None:
        """Keep the fault where a person looks for it: at the file that leads there, or at the file itself."""
        if step.nested.optional:
            return
        self.reading.complete = False
        if step.depth == 0 and target == step.nested.target:
            self.reading.error = message
        file = step.container or target
        self.reading.faults.append(FoundFault(file[:MAX_TARGET_CHARACTERS], None, "", "", message))


def _read_file(reader: Reader, place: Place, known: KnownFile | None, reading: Reading) -> tuple[FileReading, int]:
    content = reader.read(place, known)
    if content.data is None and known is not None:
        return FileReading(place, content.digest, content.http_etag, unchanged=True, nested=known.nested), 0
    data = content.data or b""
    documents = tuple(judge_documents(data))
    nested: list[Nested] = []
    for document in documents:
        reading.faults.extend(
            FoundFault(place.target, document.index, document.ref or "", fault.path, fault.message)
            for fault in document.faults
        )
        if document.entity is not None and document.entity["kind"] == "Location":
            nested.extend(_targets(place, document, document.entity.get("spec") or {}, reading))
    file = FileReading(place, content.digest, content.http_etag, False, documents, tuple(nested))
    return file, len(data)


def _deeper(step: _Step, file: FileReading, reading: Reading) -> Iterator[_Step]:
    if not file.nested:
        return
    if step.depth >= MAX_NESTING:
        message = f"Location entities lead to one another more than {MAX_NESTING} times; this one is not followed"
        reading.faults.append(FoundFault(file.place.target, None, "", "", message))
        reading.complete = False
        return
    for nested in file.nested:
        yield _Step(nested, step.depth + 1, file.place.target)


def _targets(place: Place, document: JudgedDocument, spec: Mapping[str, Any], reading: Reading) -> Iterator[Nested]:
    """Yield where a Location entity leads; what cannot be followed becomes a fault of its document."""
    optional = spec.get("presence") == "optional"
    named = [("spec.target", spec["target"])] if "target" in spec else []
    named += [(f"spec.targets[{index}]", target) for index, target in enumerate(spec.get("targets", ()))]
    for path, target in named:
        try:
            yield Nested(*_resolve(place, spec.get("type"), target), optional)
        except Unreadable as error:
            fault = FoundFault(place.target, document.index, document.ref or "", path, str(error))
            reading.faults.append(fault)


def _resolve(place: Place, type_: str | None, target: str) -> tuple[str, str]:
    """Return type and absolute target; both are relative to the file that names them. Raises Unreadable."""
    if type_ not in {None, FILE, URL}:
        raise Unreadable(f"leads to a location of type {type_!r}; only file and url can be followed")
    is_url = target.lower().startswith(("http://", "https://"))
    if place.type == URL:
        if type_ == FILE:
            raise Unreadable("leads to a file, but stands in a location of type url, which may only lead to URLs")
        if GLOB.search(target) and not is_url:
            raise Unreadable(f"{target!r} is a pattern; patterns are followed in files only, so name each target")
        return URL, urljoin(place.target, target)
    if is_url:
        if type_ != URL:
            raise Unreadable("is a URL in a location of type file; set spec.type to url to have it followed")
        return URL, target
    if "\0" in target:
        raise Unreadable("holds a NUL character")
    return FILE, os.path.normpath(Path(place.target).parent / target)
