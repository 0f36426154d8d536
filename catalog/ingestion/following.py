"""From a registered target to all documents behind it: nested Location entities are followed. No database."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from catalog.format.custom_kinds import known_kinds
from catalog.format.documents import JudgedDocument, judge_documents
from catalog.ingestion.placeholders import Filling, Used
from catalog.ingestion.reading import FILE, MAX_TARGET_CHARACTERS, URL, Content, Known, Place, Reader
from catalog.places.faults import TooMuch, Unreadable
from catalog.places.rules import AllowedKind
from portal_backend.core.errors import Fault

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
    ref: str = ""
    """The Location entity that says so."""


USED, BASIS = "$used", "$basis"
"""What entries of `remembered` begin with that lead nowhere."""


@dataclass(frozen=True)
class KnownFile(Known):
    """A file that the last read found without a fault."""

    nested: tuple[Nested, ...] = ()
    used: tuple[Used, ...] = ()
    basis: str = ""

    @classmethod
    def recalled(cls, digest: str, http_etag: str | None, remembered: Sequence[Sequence[Any]]) -> "KnownFile":
        """Return what was remembered of a file, from what `FileReading.remembered` made of it."""
        return cls(
            digest,
            http_etag,
            tuple(Nested(*one) for one in remembered if one[0] not in {USED, BASIS}),
            tuple(Used(*one[1:]) for one in remembered if one[0] == USED),
            next((one[1] for one in remembered if one[0] == BASIS), ""),
        )


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
    used: tuple[Used, ...] = ()
    """What its placeholders brought in."""
    basis: str = ""
    """What the verdict rests on beside the content."""
    parent_ref: str | None = None
    """The Location entity that led here; None for what the registered target itself means."""

    def remembered(self) -> list[list[Any]]:
        """Return what saves judging the file again, as JSON."""
        return [*map(list, self.nested), *([USED, *one] for one in self.used), [BASIS, self.basis]]


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
    keep: Callable[[FileReading], FileReading] = lambda file: file,
) -> Reading:
    """Read a target and all that its Location entities lead to, each file once; raises nothing.

    `known` holds what the last read found, by file; `on_file` is called with each file before it is read, `keep` with
    what it held, and returns what is to be kept of it.
    """
    walk = _Walk(reader.within(type_, target), (type_, target), known, on_file, keep)
    walk.waiting.append(_Step(Nested(type_, target, optional=False), 0, ""))
    while walk.waiting:
        step = walk.waiting.popleft()
        try:
            for place in walk.reader.places(step.nested.type, step.nested.target):
                walk.visit(step, place)
        except TooMuch as error:
            walk.note_unreadable(step, step.nested.target, str(error))
            break
        except Unreadable as error:
            walk.note_unreadable(step, step.nested.target, str(error))
    return walk.reading


class _Walk:
    """The state of one read: what was seen, what waits, what was found."""

    def __init__(
        self,
        reader: Reader,
        registered: tuple[str, str],
        known: Mapping[str, KnownFile],
        on_file: Callable[[str], None],
        keep: Callable[[FileReading], FileReading],
    ) -> None:
        self.reader = reader
        self.reading = Reading()
        self.waiting: deque[_Step] = deque()
        self._registered = registered
        self._known = known
        self._basis = reader.basis()
        self._kinds = known_kinds(reader.kinds)
        self._on_file = on_file
        self._keep = keep
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
            file, size = self._read(place)
        except Unreadable as error:
            self.note_unreadable(step, place.target, str(error))
            return
        self._size += size
        file = replace(file, parent_ref=step.nested.ref or None)
        self.reading.files.append(self._keep(file))
        self.waiting.extend(_deeper(step, file, self.reading))

    def note_unreadable(self, step: _Step, target: str, message: str) -> None:
        """Keep the fault where a person looks for it: at the file that leads there, or at the file itself."""
        if step.nested.optional:
            return
        self.reading.complete = False
        if step.depth == 0 and target == step.nested.target:
            self.reading.error = message
        file = step.container or target
        self.reading.faults.append(FoundFault(file[:MAX_TARGET_CHARACTERS], None, step.nested.ref, "", message))

    def _read(self, place: Place) -> tuple[FileReading, int]:
        known = self._known.get(place.target)
        if known is not None and known.basis != self._basis:
            known = None
        content = self.reader.read(place, known)
        if content.data is None and known is not None:
            if all(one.is_unchanged(self.reader) for one in known.used):
                unchanged = FileReading(place, content.digest, content.http_etag, True, (), known.nested, known.used)
                return replace(unchanged, basis=self._basis), 0
            content = self.reader.read(place)
        return self._judged(place, content), len(content.data or b"")

    def _judged(self, place: Place, content: Content) -> FileReading:
        """Judge what a file holds; its faults are noted, and so is where its Location entities lead."""
        data, filling = content.data or b"", Filling(self.reader, place)
        documents = self._admitted(place, tuple(judge_documents(data, fill=filling.fill, kinds=self._kinds)))
        nested: list[Nested] = []
        for document in documents:
            self.reading.faults.extend(
                FoundFault(place.target, document.index, document.ref or "", fault.path, fault.message)
                for fault in document.faults
            )
            if document.entity is not None and document.entity["kind"] == "Location":
                nested.extend(_targets(self.reader, place, document, document.entity.get("spec") or {}, self.reading))
        used = tuple(filling.used.values())
        return FileReading(place, content.digest, content.http_etag, False, documents, tuple(nested), used, self._basis)

    def _admitted(self, place: Place, documents: tuple[JudgedDocument, ...]) -> tuple[JudgedDocument, ...]:
        """Take none of a file's entities where one is of a kind that may not come from there."""
        rules = self.reader.rules
        allowed = rules.allowed(self._registered, (place.type, place.target)) if rules else None
        if allowed is None:
            return documents
        judged = [_forbidden(document, allowed) for document in documents]
        if all(one.entity is not None for one, before in zip(judged, documents, strict=True) if before.entity):
            return documents
        self.reading.complete = False
        return tuple(replace(one, entity=None) for one in judged)


def _forbidden(document: JudgedDocument, allowed: Sequence[AllowedKind]) -> JudgedDocument:
    entity = document.entity
    if entity is None or any(kind.admits(entity) for kind in allowed):
        return document
    names = ", ".join(dict.fromkeys(one.kind for one in allowed)) or "no kind at all"
    message = (
        f"{entity['kind']} may not come from this location, which may hold {names}; no entity of this file is taken. "
        "catalog.rules in portal.yaml says which kinds may come from where"
    )
    return replace(document, entity=None, faults=(Fault("kind", message),))


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


def _targets(
    reader: Reader, place: Place, document: JudgedDocument, spec: Mapping[str, Any], reading: Reading
) -> Iterator[Nested]:
    """Yield where a Location entity leads; what cannot be followed becomes a fault of its document."""
    optional = spec.get("presence") == "optional"
    named = [("spec.target", spec["target"])] if "target" in spec else []
    named += [(f"spec.targets[{index}]", target) for index, target in enumerate(spec.get("targets", ()))]
    for path, target in named:
        try:
            yield Nested(*_resolve(reader, place, spec.get("type"), target), optional, document.ref or "")
        except Unreadable as error:
            fault = FoundFault(place.target, document.index, document.ref or "", path, str(error))
            reading.faults.append(fault)


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
    if "\0" in target:
        raise Unreadable("holds a NUL character")
    return FILE, os.path.normpath(Path(place.target).parent / target)
