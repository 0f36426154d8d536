"""From a registered target to all documents behind it: nested Location entities are followed. No database."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from catalog.format.custom_kinds import known_kinds
from catalog.ingestion import judging
from catalog.ingestion.file_readings import FileReading, FoundFault, KnownFile, Nested, Reading
from catalog.ingestion.judging import JudgedFile, KnownDocument, judge_file, judge_files, recalled
from catalog.ingestion.leading import targets
from catalog.ingestion.placeholders import Filling, Used
from catalog.ingestion.reading import MAX_TARGET_CHARACTERS, Content, Place, Reader
from catalog.places.faults import TooMuch, Unreadable
from portal_backend.core.processes import Run

MAX_NESTING = 10
"""Location entities that lead to Location entities; deeper ones are a fault."""
MAX_FILES = 50_000
MAX_TOTAL_BYTES = 512 * 1024 * 1024
"""Of one registered location, with all that it leads to."""


class _Step(NamedTuple):
    nested: Nested
    depth: int
    container: str


class _Visit(NamedTuple):
    """One file on its way: what stands in it, or why it cannot be read."""

    step: _Step
    target: str
    place: Place | None = None
    content: Content | None = None
    known: KnownFile | None = None
    message: str = ""


def read_location(
    reader: Reader,
    type_: str,
    target: str,
    known: Mapping[str, KnownFile],
    on_file: Callable[[str], None] = lambda _: None,
    keep: Callable[[FileReading], FileReading] | None = None,
    run: Run = map,
) -> Reading:
    """Read a target and all that its Location entities lead to, each file once; raises nothing.

    `known` holds what the last read found, by file; `on_file` is called with each file before it is read, `keep` with
    what it held, and returns what is to be kept of it; `run` judges (`core.processes`).
    """
    walk = _Walk(reader.within(type_, target), (type_, target), known, on_file, keep)
    steps = [_Step(Nested(type_, target, optional=False), 0, "")]
    while steps:
        steps = walk.follow(steps, run)
    return walk.reading


BATCH_BYTES = 256 * 1024
"""Of content that is judged together: some tenths of a second of work."""
MOSTLY_KNOWN = 10
"""So many times less work is a file whose documents are known: few of them have changed, as a rule."""


class _Walk:
    """The state of one read: what was seen, what was found."""

    def __init__(
        self,
        reader: Reader,
        registered: tuple[str, str],
        known: Mapping[str, KnownFile],
        on_file: Callable[[str], None],
        keep: Callable[[FileReading], FileReading] | None,
    ) -> None:
        self.reader = reader
        self.reading = Reading()
        self._registered = registered
        self._known = known
        self._basis = reader.basis()
        self._on_file = on_file
        self._keep = keep
        self._seen: set[Place] = set()
        self._size = 0
        self._is_full = False

    def follow(self, steps: Sequence[_Step], run: Run) -> list[_Step]:
        """Read what the steps lead to; return the steps after them."""
        deeper: list[_Step] = []
        batches: deque[list[_Visit]] = deque()
        judge = partial(judge_files, self.reader.kinds, self._keep is None)
        for judged in run(judge, self._contents(steps, batches)):
            found = iter(judged)
            for visit in batches.popleft():
                deeper += self._take(visit, next(found) if visit.content and visit.content.data is not None else None)
        for visit in batches.popleft() if batches else ():
            deeper += self._take(visit, None)
        return [] if self._is_full else deeper

    def _contents(self, steps: Iterable[_Step], batches: deque[list[_Visit]]) -> Iterator[list[judging.Content]]:
        """Yield what is to be judged, some files at a time; the files themselves are added to `batches`.

        After the last contents there may be one more batch of files, in which there is nothing to judge.
        """
        visits: list[_Visit] = []
        contents: list[judging.Content] = []
        for visit in self._visits(steps):
            visits.append(visit)
            if visit.content is not None and visit.content.data is not None:
                contents.append(self._to_judge(visit, visit.content.data))
            if sum(map(_weight, contents)) >= BATCH_BYTES:
                batches.append(visits)
                yield contents
                visits, contents = [], []
        batches.append(visits)
        if contents:
            yield contents

    def _to_judge(self, visit: _Visit, data: bytes) -> judging.Content:
        place, rules = visit.place, self.reader.rules
        allowed = rules.allowed(self._registered, (place.type, place.target)) if rules and place else None
        known = _documents(visit.known)
        return judging.Content(data, allowed, known)

    def _visits(self, steps: Iterable[_Step]) -> Iterator[_Visit]:
        """Yield the files that steps lead to, each once; one that cannot be read keeps no other from it."""
        for step in steps:
            target = step.nested.target
            try:
                for place in self.reader.places(step.nested.type, target):
                    if place not in self._seen:
                        yield self._visit(step, place)
            except TooMuch as error:
                self._is_full = True
                yield _Visit(step, target, message=str(error))
                return
            except Unreadable as error:
                yield _Visit(step, target, message=str(error))

    def _visit(self, step: _Step, place: Place) -> _Visit:
        """Read one file. Raises TooMuch."""
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
            known = self._known.get(place.target)
            if known is not None and known.basis != self._basis:
                known = None
            content = self._read(place, known)
        except Unreadable as error:
            return _Visit(step, place.target, message=str(error))
        self._size += len(content.data or b"")
        return _Visit(step, place.target, place, content, known)

    def _read(self, place: Place, known: KnownFile | None) -> Content:
        content = self.reader.read(place, known)
        if content.data is None and known is not None and not all(one.is_unchanged(self.reader) for one in known.used):
            return self.reader.read(place)
        return content

    def _take(self, visit: _Visit, judged: JudgedFile | None) -> Iterator[_Step]:
        """Keep what a file holds, and yield where it leads."""
        if visit.place is None or visit.content is None:
            self._note_unreadable(visit.step, visit.target, visit.message)
            return
        file = self._file(visit.place, visit.content, visit.known, judged)
        file = replace(file, parent_ref=visit.step.nested.ref or None)
        self.reading.files.append(self._keep(file) if self._keep else file)
        yield from _deeper(visit.step, file, self.reading)

    def _note_unreadable(self, step: _Step, target: str, message: str) -> None:
        """Keep the fault where a person looks for it: at the file that leads there, or at the file itself."""
        if step.nested.optional:
            return
        self.reading.complete = False
        if step.depth == 0 and target == step.nested.target:
            self.reading.error = message
        file = step.container or target
        self.reading.faults.append(FoundFault(file[:MAX_TARGET_CHARACTERS], None, step.nested.ref, "", message))

    def _file(self, place: Place, content: Content, known: KnownFile | None, judged: JudgedFile | None) -> FileReading:
        """Return what a file holds; its faults are noted, and so is where its Location entities lead."""
        if content.data is None and known is not None:
            unchanged = FileReading(place, content.digest, content.http_etag, True, nested=known.nested)
            return replace(unchanged, used=known.used, basis=self._basis, recall=known.documents)
        used: tuple[Used, ...] = ()
        if judged is None:
            judged, used = self._judge_here(place, content.data or b"")
        if judged.forbidden:
            self.reading.complete = False
        self.reading.faults.extend(_faults(place, judged))
        refs = {one.index: one.ref for one in judged.good}
        known_documents = _documents(known) if judged.known else ()
        still = {one.ref for one in known_documents if one.position in judged.known}
        nested = [one for one in known.nested if one.ref in still] if known else []
        for index, spec in judged.locations:
            nested.extend(targets(self.reader, place, index, refs[index], spec, self.reading))
        return FileReading(
            place,
            content.digest,
            content.http_etag,
            unchanged=False,
            documents=judged.documents,
            good=judged.good,
            known_documents=judged.known,
            recall=judged.remembered(known_documents),
            is_empty=not judged.documents,
            nested=tuple(nested),
            used=used,
            basis=self._basis,
        )

    def _judge_here(self, place: Place, data: bytes) -> tuple[JudgedFile, tuple[Used, ...]]:
        """Judge a file whose placeholders must be filled; return what that brought in too."""
        filling = Filling(self.reader, place)
        rules = self.reader.rules
        allowed = rules.allowed(self._registered, (place.type, place.target)) if rules else None
        content = judging.Content(data, allowed)
        kinds = known_kinds(self.reader.kinds)
        judged = judge_file(content, kinds, filling.fill, with_entities=self._keep is None)
        return judged, tuple(filling.used.values())


def _faults(place: Place, judged: JudgedFile) -> Iterator[FoundFault]:
    for document in judged.documents:
        ref, of_file = document.ref or document.written_ref, document.index in judged.forbidden
        for fault in document.faults:
            yield FoundFault(place.target, document.index, ref, fault.path, fault.message, of_file)


def _weight(content: judging.Content) -> int:
    return len(content.data) // MOSTLY_KNOWN if content.known else len(content.data)


def _documents(known: KnownFile | None) -> tuple[KnownDocument, ...]:
    """Return the documents of a file whose texts alone say what they mean."""
    return recalled(known.documents) if known and not known.used else ()


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
