"""The `filter` parameters: sets of `key` and `key=value`, any of which is to hold. Pure.

Source: Backstage's catalog, `parseEntityFilterParams`.
"""

from collections.abc import Iterable

from catalog.querying.conditions import ALWAYS, Condition, Equals, Exists, TooComplex, every, require_bounded, some
from portal_backend.core.errors import Fault, InvalidInput


def parse_filters(filters: Iterable[str]) -> Condition:
    """Return the condition that one of the sets holds; raises InvalidInput. Blank sets are no filter."""
    sets = [found for text in filters if (found := _parse_set(text)) is not None]
    condition = some(sets) if sets else ALWAYS
    try:
        require_bounded(condition)
    except TooComplex as error:
        raise _fault(str(error)) from error
    return condition


def _parse_set(text: str) -> Condition | None:
    """Return the condition of one parameter: the same key several times means any of its values."""
    values: dict[str, list[str]] = {}
    for statement in text.split(","):
        key, equals, value = (part.strip().lower() for part in statement.partition("="))
        if not key and not equals:
            continue
        if not key:
            raise _fault(f"has no key in {statement.strip()[:100]!r}; write key=value, for example kind=component")
        found = values.setdefault(key, [])
        if equals:
            found.append(value)
    if not values:
        return None
    return every(Equals(key, tuple(dict.fromkeys(some))) if some else Exists(key) for key, some in values.items())


def _fault(message: str) -> InvalidInput:
    return InvalidInput(f"filter {message}.", [Fault("filter", message)])
