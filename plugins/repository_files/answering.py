"""Answers what the entries of a source ask of the files of a repository. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from math import isfinite
from typing import Any

from plugins.contract import FactType, FactValue
from plugins.moments import moment, rfc3339
from plugins.repository_files.entries import Entry
from plugins.repository_files.seen import File, Seen, fitting, is_wild, listed, path_in
from plugins.repository_files.structured import MAX_FOUND, Unreadable, documents, format_of, found, texts, written

LONGEST_TEXT = 1000
LARGEST_SET = 500
ABSENT: Mapping[FactType, FactValue] = {FactType.STRING: "", FactType.BOOLEAN: False, FactType.SET: []}
"""What is told where the file, or the place in it, is not there; of numbers and times nothing is."""


@dataclass
class Answers:
    """The facts of one service, and what could not be told."""

    values: dict[str, FactValue] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    """Reasons by the fact's key."""


def answers(entries: Sequence[Entry], folder: str, seen: Seen) -> Answers:
    """Return the facts of a service that lives in a folder of a repository."""
    told = Answers()
    read: dict[tuple[str, str], list[Any]] = {}
    for entry in entries:
        try:
            value = _Asked(entry, folder, seen, read).value()
        except Unreadable as reason:
            told.unknown[entry.fact] = str(reason)
        else:
            if value is not None:
                told.values[entry.fact] = value
    return told


@dataclass
class _Asked:
    """One entry, asked of the files of one service."""

    entry: Entry
    folder: str
    seen: Seen
    read: dict[tuple[str, str], list[Any]]
    """Files that were parsed already, by path and format."""

    def value(self) -> FactValue | None:
        """Return the fact's value; None where there is nothing to tell. Raises Unreadable where it is not known."""
        if self.entry.value is None and self.entry.capture is None:
            return self._names() if self.entry.type is FactType.SET else self._holds()
        if self.entry.type is FactType.SET:
            return self._every()
        for file in self._files():
            values = self._values(file)
            if values:
                return _converted(values[0], self.entry.type, file.path)
            break  # the first that is there decides
        return ABSENT.get(self.entry.type)

    def _files(self) -> Iterator[File]:
        """Yield the files that are there, in their order. Raises Unreadable at the end where these are not all."""
        cut = ""
        for path in (path_in(one, self.folder) for one in self.entry.paths):
            names, whole = fitting(path, self.seen)
            for name in names if is_wild(path) else [path]:
                file = self.seen.files.get(name)
                if file is None and is_wild(path) and not self.entry.needs_text:
                    file = File(name)  # it was listed, which is all that is asked
                if file:
                    yield file
            cut = cut or ("" if whole else path)
        if cut:
            raise Unreadable(f"{cut}: more files fit than are looked at; name them closer")

    def _holds(self) -> bool:
        """Say whether one of the files is as it is asked to be; one that cannot be read leaves it open."""
        unread = None
        files = self._files()
        while True:
            try:
                file = next(files, None)
                if file is None:
                    break
                if self._is_so(file):
                    return True
            except Unreadable as reason:
                unread = unread or reason
        if unread:
            raise unread
        return False

    def _names(self) -> list[str]:
        """Return the paths of the files that are there, from where the entry's paths begin."""
        found: set[str] = set()
        for path in self.entry.paths:
            full = path_in(path, self.folder)
            names, whole = (
                listed(full, self.seen) if is_wild(full) else ([full] * bool(self.seen.files.get(full)), True)
            )
            if not whole or len(found) + len(names) > LARGEST_SET:
                raise Unreadable(f"{path}: more files fit than are looked at; name them closer")
            before = len(full) - len(path.removeprefix("/"))
            found.update(name[before:] for name in names)
        return sorted(found)

    def _is_so(self, file: File) -> bool:
        entry = self.entry
        if not entry.needs_text:
            return True
        if entry.has is not None:
            return any(True for document in self._documents(file) for _ in found(document, entry.has))
        text = _text(file)
        return entry.matches.search(text) if entry.matches else entry.contains in text

    def _every(self) -> list[str]:
        members: set[str] = set()
        for file in self._files():
            for value in self._values(file):
                members.update(texts(value))
        if len(members) > LARGEST_SET or any(len(one) > LONGEST_TEXT for one in members):
            raise Unreadable(
                f"there are more than {LARGEST_SET} values, or one is longer than {LONGEST_TEXT} characters"
            )
        return sorted(members)

    def _values(self, file: File) -> list[Any]:
        if self.entry.capture:
            return list(self.entry.capture.captured(_text(file), MAX_FOUND))
        steps = self.entry.value or ()
        return list(islice((one for document in self._documents(file) for one in found(document, steps)), MAX_FOUND))

    def _documents(self, file: File) -> list[Any]:
        kind = self.entry.format or format_of(file.path)
        if (file.path, kind) not in self.read:
            try:
                self.read[file.path, kind] = documents(_text(file), kind)
            except Unreadable as reason:
                raise Unreadable(f"{file.path}: {reason}" if file.text is not None else str(reason)) from None
        return self.read[file.path, kind]


def _text(file: File) -> str:
    if file.text is None:
        raise Unreadable(f"{file.path}: {file.why or 'it was not read'}")
    return file.text


def _converted(value: Any, kind: FactType, path: str) -> FactValue:
    """Return a value as a fact of a type has it; raises Unreadable for one that is of another."""
    made: FactValue | None = None
    text = written(value)
    if kind is FactType.STRING and text is not None and len(text) <= LONGEST_TEXT:
        made = text
    elif kind is FactType.BOOLEAN and text is not None:
        made = {"true": True, "false": False}.get(text.lower())
    elif kind in {FactType.NUMBER, FactType.INTEGER}:
        made = _number(text, kind is FactType.INTEGER) if not isinstance(value, bool) else None
    elif kind is FactType.DATETIME:
        at = _moment(value)
        made = rfc3339(at) if at else None
    if made is None:
        what = "a list or a mapping" if text is None else f"{text[:60]!r}"
        raise Unreadable(f"{path}: {what} stands there, which is no {kind.value}")
    return made


def _number(text: str | None, whole: bool) -> int | float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    if not isfinite(number) or (whole and not number.is_integer()):
        return None
    return int(number) if whole else number


def _moment(value: Any) -> datetime | None:
    """Read a time; a day begins at midnight, and what names no zone is taken for UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    text = str(value)
    return moment(text) or moment(f"{text}T00:00:00Z") or moment(f"{text}Z")
