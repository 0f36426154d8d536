"""What a filter sees of an entity and what a condition means, told once more in plain Python: the SQL must agree.

Written after Backstage's description of its search index, not after ours.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from catalog.querying.conditions import Condition, Equals, Every, Exists, HasPrefix, Not, Some

Pairs = set[tuple[str, str | None]]
"""Key and value, both lower case; the value is None where the key exists, and no more."""


def flatten(entity: Mapping[str, Any]) -> Pairs:
    found = set(_walk("", entity))
    for relation in entity.get("relations", []):
        found.add((f"relations.{relation['type']}", relation["targetRef"]))
    pairs = {(key.lower(), None if value is None else value.lower()) for key, value in found}
    return {(key, value if value is None or len(value) <= 200 else None) for key, value in pairs if len(key) <= 200}


def _walk(path: str, value: Any) -> Iterator[tuple[str, str | None]]:
    if path in {"metadata.etag", "relations", "status", "attachments"}:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(f"{path}.{key}" if path else key, inner)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(path, item)
            if isinstance(item, str) and len(item) <= 200:
                yield f"{path}.{item}", "true"
    else:
        yield path, _text(value)


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def holds(condition: Condition, pairs: Pairs) -> bool:
    if isinstance(condition, Every):
        return all(holds(inner, pairs) for inner in condition.conditions)
    if isinstance(condition, Some):
        return any(holds(inner, pairs) for inner in condition.conditions)
    if isinstance(condition, Not):
        return not holds(condition.condition, pairs)
    if isinstance(condition, Exists):
        return any(key == condition.key for key, _ in pairs)
    values = [value for key, value in pairs if key == condition.key and value is not None]
    if isinstance(condition, HasPrefix):
        return any(value.startswith(condition.prefix) for value in values)
    assert isinstance(condition, Equals)
    return any(value in condition.values for value in values)


def values_of(key: str, pairs: Pairs) -> list[str]:
    return sorted(value for name, value in pairs if name == key.lower() and value is not None)
