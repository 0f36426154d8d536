"""What filters see of an entity: its hot values as columns, everything else as rows of one index. Pure.

Source: the search index of Backstage's catalog. Unlike it, `path.item=true` is not stored for a list's strings: they
are marked as items instead, which keeps the number of keys small.
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

import orjson

MAX_KEY = 200
MAX_VALUE = 200
"""Characters. A longer key is not indexed; a longer value is indexed as present only."""

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

NOT_INDEXED = frozenset({"metadata.uid", "metadata.etag", "relations", "status", "attachments"})


class SearchValue(NamedTuple):
    """A row of the index; `value` None means that the key exists, and no more."""

    key: str
    value: str | None
    original: str | None
    is_item: bool


def columns(entity: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the hot columns of an entity: each in lower case, and its spelling where that differs."""
    found: dict[str, str | None] = {}
    for path, column in COLUMNS.items():
        text = _text(_look_up(entity, path))
        lowered = None if text is None else text.lower()
        found[column] = lowered
        if column != "namespace":
            found[f"{column}_original"] = text if text != lowered else None
    return found


def search_values(entity: Mapping[str, Any]) -> list[SearchValue]:
    """Return the rows of the rest-index for a final entity, without repetitions."""
    rows = dict.fromkeys(_walk("", entity))
    for relation in entity.get("relations", ()):
        rows[_row(f"relations.{relation['type']}", relation["targetRef"], is_item=False)] = None
    return [row for row in rows if len(row.key) <= MAX_KEY]


def _walk(path: str, value: Any, *, in_list: bool = False) -> Iterator[SearchValue]:
    if isinstance(value, dict):
        for key, inner in value.items():
            inner_path = f"{path}.{key}" if path else key
            if inner_path not in NOT_INDEXED:
                yield from _walk(inner_path, inner)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(path, item, in_list=True)
    elif in_list or path not in COLUMNS or _text(value) is None:
        yield _row(path, value, is_item=in_list and isinstance(value, str))


def _row(path: str, value: Any, *, is_item: bool) -> SearchValue:
    text = _text(value)
    lowered = None if text is None else text.lower()
    return SearchValue(path.lower(), lowered, text if text != lowered else None, is_item)


def _look_up(entity: Mapping[str, Any], path: str) -> Any:
    value: Any = entity
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str | None:
    """Write a scalar as filters compare it; None for what cannot be compared."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        text = str(int(value))  # as JavaScript writes whole numbers
    elif isinstance(value, int | float) and isfinite(value):
        text = orjson.dumps(value).decode()
    else:
        return None
    return text if len(text) <= MAX_VALUE else None
