"""Placeholders `{$text: ./file}`, `$json` and `$yaml`, which stand for what is read from another place. Pure."""

from collections.abc import Iterator
from typing import Any

from portal_backend.core.faults import Fault

PLACEHOLDERS = frozenset({"$text", "$json", "$yaml"})


def is_placeholder(value: Any) -> bool:
    """Say whether a value is a mapping with one key, which is a placeholder's."""
    return isinstance(value, dict) and len(value) == 1 and not PLACEHOLDERS.isdisjoint(value)


def placeholders(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield path, key and target of every placeholder; a mapping with other `$` keys is left as it is, unseen."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from placeholders(item, f"{path}[{index}]")
    elif is_placeholder(value):
        key, target = next(iter(value.items()))
        yield path, key, target
    elif isinstance(value, dict) and not any(key.startswith("$") for key in value):
        for key, inner in value.items():
            yield from placeholders(inner, f"{path}.{key}" if path else key)


def unfilled(document: Any) -> list[Fault]:
    """Return a fault for every placeholder that still stands in a document."""
    return [
        Fault(path, f"is a placeholder, and {key} is not followed here, so put the content itself in")
        for path, key, _ in placeholders(document)
    ]
