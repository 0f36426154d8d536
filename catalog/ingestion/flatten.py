"""What filters see of an entity: its hot values as columns, everything else as rows of one index. Pure.

Source: the search index of Backstage's catalog. Unlike it, `path.item=true` is not stored for a list's strings: they
are marked as items instead, which keeps the number of keys small.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from catalog.format.numbers import number_text, utf16_length

INDEXING = 1
"""Raised when the same entity is found by other values than before: stored rows are then brought up to date once."""

MAX_KEY = 200
MAX_VALUE = 200
"""Of UTF-16, in lower case. A longer key is not indexed; a longer value is indexed as present only."""
ALWAYS_FITS = 100
"""Characters: no text of so many is longer than the limits, whatever they are."""

COLUMNS: Mapping[str, str] = {
    "kind": "kind",
    "metadata.name": "name",
    "metadata.namespace": "namespace",
    "metadata.title": "title",
    "spec.type": "type",
    "spec.lifecycle": "lifecycle",
    "spec.owner": "owner",
    "spec.system": "system",
}
"""Paths that the entity table answers, as long as they hold one value that is not too long."""

PLACES = tuple((*path.rpartition(".")[::2], column) for path, column in COLUMNS.items())
"""Each column's mapping in the entity (empty for the entity itself), the key in it, and the column."""

COUNTED_COLUMNS = ("kind", "metadata.namespace", "spec.type", "spec.lifecycle", "spec.owner", "spec.system")
"""Paths whose values, as far as they are columns, are counted with every write."""
COUNTED_ITEMS = ("metadata.tags",)
"""Paths whose values in the index are counted too."""

NOT_INDEXED = frozenset({"metadata.uid", "metadata.etag", "relations", "status", "attachments"})


SearchValue = tuple[str, str | None, str | None, bool]
"""A row of the index: the key, the value (None means that the key exists, and no more), its spelling where that differs
by case, and whether it is an item of a list."""

Found = dict[tuple[str, str | None, bool], SearchValue]
"""By key, value, and whether it is an item."""


def columns(entity: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the hot columns of an entity: each in lower case, and its spelling where that differs."""
    found: dict[str, str | None] = {}
    for parent, key, column in PLACES:
        holder = entity.get(parent) if parent else entity
        text = _text(holder.get(key)) if isinstance(holder, dict) else None
        lowered = None if text is None else text.lower()
        found[column] = lowered
        if column != "namespace":
            found[f"{column}_original"] = text if text != lowered else None
    return found


def search_values(entity: Mapping[str, Any]) -> list[SearchValue]:
    """Return the rows of the rest-index for a final entity; of values that differ only by case the first one."""
    found: Found = {}
    _walk("", entity, found)
    for relation in entity.get("relations", ()):
        _add(found, "relations." + relation["type"], relation["targetRef"], False)
    return list(found.values())


def _walk(path: str, mapping: Mapping[str, Any], found: Found) -> None:
    start = f"{path}." if path else ""
    for key, value in mapping.items():
        inner = start + key
        if inner in NOT_INDEXED:
            continue
        if type(value) is str:
            if inner not in COLUMNS or _text(value) is None:
                _add(found, inner, value, False)
        elif isinstance(value, dict):
            _walk(inner, value, found)
        elif isinstance(value, list):
            _walk_list(inner, value, found)
        elif inner not in COLUMNS or _text(value) is None:
            _add(found, inner, value, False)


def _walk_list(path: str, values: list[Any], found: Found) -> None:
    for value in values:
        if isinstance(value, dict):
            _walk(path, value, found)
        elif isinstance(value, list):
            _walk_list(path, value, found)
        else:
            _add(found, path, value, isinstance(value, str))


def _add(found: Found, path: str, value: Any, is_item: bool) -> None:
    if len(path) > MAX_KEY:
        return
    key = path.lower()
    text = value if type(value) is str and len(value) <= ALWAYS_FITS else _text(value)
    lowered = None if text is None else text.lower()
    one = key, lowered, is_item
    if one not in found:
        found[one] = key, lowered, text if text != lowered else None, is_item


def _text(value: Any) -> str | None:
    """Write a scalar as filters compare it; None for what cannot be compared."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int | float) and isfinite(value):
        text = number_text(value)
    else:
        return None
    return text if len(text) <= ALWAYS_FITS or _fits(text, MAX_VALUE) else None


def _fits(text: str, most: int) -> bool:
    return len(text) <= most and (text.isascii() or utf16_length(text.lower()) <= most)
