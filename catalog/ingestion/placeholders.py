"""`$text`, `$json` and `$yaml`: what another file holds, put in the place of the value that names it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from catalog.format.placeholders import is_placeholder
from catalog.format.yaml_composer import MAX_COST, MAX_DEPTH, NODE_COST
from catalog.format.yaml_documents import read_documents
from catalog.ingestion.reading import FILE, URL, Known, Place, Reader, Unreadable
from portal_backend.core.errors import Fault

MAX_PLACEHOLDERS = 100
"""In one file."""
MAX_TOTAL_BYTES = 32 * 1024 * 1024
"""Of all that the placeholders of one file bring."""
MAX_VALUES = MAX_COST // NODE_COST


class Used(NamedTuple):
    """A file that a placeholder brought in, and what it was like."""

    type: str
    target: str
    digest: str
    http_etag: str | None

    def is_unchanged(self, reader: Reader) -> bool:
        """Say whether it still is like that."""
        try:
            return reader.read(Place(self.type, self.target), Known(self.digest, self.http_etag)).data is None
        except Unreadable:
            return False


class Filling:
    """Fills the placeholders of one file, and remembers what it used."""

    def __init__(self, reader: Reader, base: Place) -> None:
        self.used: dict[Place, Used] = {}
        self._reader = reader
        self._base = base
        self._contents: dict[Place, bytes] = {}
        self._count = 0

    def fill(self, document: Any) -> tuple[Any, list[Fault]]:
        """Return a document with its placeholders filled in; one that cannot be filled stays, and is a fault."""
        faults: list[Fault] = []
        return self._filled(document, "", faults), faults

    def _filled(self, value: Any, path: str, faults: list[Fault]) -> Any:
        if isinstance(value, list):
            items = [self._filled(item, f"{path}[{index}]", faults) for index, item in enumerate(value)]
            return items if _differ(items, value) else value
        if not isinstance(value, dict):
            return value
        if not any(key.startswith("$") for key in value):
            entries = {key: self._filled(inner, f"{path}.{key}" if path else str(key), faults)
                       for key, inner in value.items()}  # fmt: skip
            return entries if _differ(entries.values(), value.values()) else value
        if not is_placeholder(value):
            return value  # such as `$ref` of a JSON Schema
        ((key, target),) = value.items()
        try:
            return self._value(key, target)
        except Unreadable as error:
            faults.append(Fault(path, f"{key} cannot be filled in: {error}"))
            return value

    def _value(self, key: str, target: Any) -> Any:
        if not isinstance(target, str) or not target or "\0" in target:
            raise Unreadable("it must name a file, as an absolute URL or a relative path")
        self._count += 1
        if self._count > MAX_PLACEHOLDERS:
            raise Unreadable(f"there are more than {MAX_PLACEHOLDERS} placeholders in this file")
        data = self._read(self._place(target))
        if key == "$text":
            return _text(data)
        value = _json(data) if key == "$json" else _yaml(data)
        _require_bounded(value)
        return value

    def _place(self, target: str) -> Place:
        if self._base.type == URL or target.lower().startswith(("http://", "https://")):
            return Place(URL, self._reader.resolve(self._base, target) if self._base.type == URL else target)
        return Place(FILE, os.path.normpath(Path(self._base.target).parent / target))

    def _read(self, place: Place) -> bytes:
        if place not in self._contents:
            content = self._reader.read(place)
            data = content.data or b""
            if sum(map(len, self._contents.values())) + len(data) > MAX_TOTAL_BYTES:
                raise Unreadable(f"all placeholders of this file bring more than {MAX_TOTAL_BYTES // 1024 // 1024} MiB")
            self._contents[place] = data
            self.used[place] = Used(place.type, place.target, content.digest, content.http_etag)
        return self._contents[place]


def _differ(new: Any, old: Any) -> bool:
    return any(one is not other for one, other in zip(new, old, strict=True))


def _text(data: bytes) -> str:
    text = data.decode("utf-8", errors="replace")
    if "\0" in text:
        raise Unreadable("it holds a NUL character, which cannot be stored")
    return text


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"it is no JSON: {error}") from error


def _yaml(data: bytes) -> Any:
    documents = list(read_documents(data))
    if len(documents) != 1:
        raise Unreadable(f"it must hold one YAML document, but holds {len(documents)}")
    fault = documents[0].fault
    if fault is not None:
        raise Unreadable(f"it is no YAML that can be read: {fault}")
    return documents[0].value


def _require_bounded(value: Any) -> None:
    """Raise Unreadable for a value that is too deep or too large to be stored, or holds what cannot be."""
    level, count = [value], 0
    for _ in range(MAX_DEPTH):
        count += len(level)
        if count > MAX_VALUES:
            raise Unreadable(f"it holds more than {MAX_VALUES} values")
        if any(isinstance(text, str) and "\0" in text for each in level for text in _texts(each)):
            raise Unreadable("it holds a NUL character, which cannot be stored")
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    raise Unreadable(f"it is nested more than {MAX_DEPTH} levels deep")


def _texts(value: Any) -> Iterable[Any]:
    return value if isinstance(value, dict) else (value,)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
