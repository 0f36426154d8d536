"""The `fields` of an answer: dotted paths to the values and subtrees that are kept. Pure.

Source: Backstage's catalog, `parseEntityTransformParams`.
"""

from collections.abc import Iterable
from typing import Any

import orjson

from portal_backend.core.errors import Fault, InvalidInput

MAX_FIELDS = 200
MISSING = object()

Paths = tuple[str, ...]


def parse_fields(fields: Iterable[str]) -> Paths:
    """Return the distinct paths, without blank ones; raises InvalidInput for one that points into a list."""
    paths = tuple(dict.fromkeys(path for field in fields if (path := field.strip())))
    if any("[" in path for path in paths):
        raise _fault("cannot point into a list; name the list as a whole, for example metadata.links")
    if len(paths) > MAX_FIELDS:
        raise _fault(f"names {len(paths)} paths; {MAX_FIELDS} are the most: leave fields out to get whole entities")
    return paths


def project(body: bytes, paths: Paths) -> bytes:
    """Return the entity with the paths only; whole when no path is named."""
    if not paths:
        return body
    entity = orjson.loads(body)
    kept: dict[str, Any] = {}
    for path in paths:
        keys, value = _find(entity, path)
        if value is not MISSING:
            _put(kept, keys, value)
    return orjson.dumps(kept)


def _find(value: Any, path: str) -> tuple[list[str], Any]:
    """Follow the path; where a part leads nowhere, it is joined with the next one, since keys may hold dots."""
    end = path.find(".")
    while isinstance(value, dict) and end != -1:
        if (key := path[:end]) in value:
            keys, found = _find(value[key], path[end + 1 :])
            if found is not MISSING:
                return [key, *keys], found
        end = path.find(".", end + 1)
    return ([path], value[path]) if isinstance(value, dict) and path in value else ([], MISSING)


def _put(kept: dict[str, Any], keys: list[str], value: Any) -> None:
    inner = kept
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
    inner[keys[-1]] = value


def _fault(message: str) -> InvalidInput:
    return InvalidInput(f"fields {message}.", [Fault("fields", message)])
