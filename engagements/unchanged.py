"""ETags of answers that hold the moment of asking: that moment alone is no news."""

from collections.abc import Collection
from typing import Any

from portal_backend.core.entity_tags import with_content_tag


def tag_without(value: Any, moments: Collection[str]) -> dict[str, str]:
    """Return the header ETag of an answer, the same for as long as nothing but the fields in `moments` differs.

    `value` is the answer in its JSON form; the fields are left out wherever they stand in it. Leave out only what the
    caller can tell from the rest and its own clock.
    """
    headers: dict[str, str] = with_content_tag({"answer": _without(value, frozenset(moments))}, 0)[2]
    return headers


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, names) for name, inner in value.items() if name not in names}
    if isinstance(value, list | tuple):
        return [_without(inner, names) for inner in value]
    return value
