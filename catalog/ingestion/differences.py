"""What differs between two forms of an entity, in few words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

MAX_DIFFERENCES = 20
MAX_VALUE = 300
"""Characters of a value that are kept."""
NOT_TOLD = frozenset({"metadata.etag", "metadata.uid"})


class Difference(NamedTuple):
    """A field before and after; a value that is absent, long or a collection is told as None, cut, or JSON."""

    path: str
    before: str | None
    after: str | None


class ChangeKind(StrEnum):
    """What can happen to an entity."""

    ADDED = "added"
    CHANGED = "changed"
    ORPHANED = "orphaned"
    RESTORED = "restored"
    REMOVED = "removed"


class Change(NamedTuple):
    """One change of an entity's final form."""

    ref: str
    kind: ChangeKind
    from_etag: str | None
    to_etag: str | None
    fields: Sequence[Difference] = ()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return the fields in which two final forms differ, MAX_DIFFERENCES of them and a line that says so."""
    found = list(_compare("", before, after))
    if len(found) <= MAX_DIFFERENCES:
        return found
    more = len(found) - MAX_DIFFERENCES
    return [*found[:MAX_DIFFERENCES], Difference("", None, f"and {more} fields more")]


def _compare(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if path in NOT_TOLD or before == after and type(before) is type(after):
        return
    if path == "relations":
        yield from _compare_relations(before or [], after or [])
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            yield from _compare(f"{path}.{key}" if path else key, before.get(key), after.get(key))
    else:
        yield Difference(path, _told(before), _told(after))


def _compare_relations(before: list[dict[str, str]], after: list[dict[str, str]]) -> Iterator[Difference]:
    old, new = ({(each["type"], each["targetRef"]) for each in some} for some in (before, after))
    for type_, target in sorted(old - new):
        yield Difference(f"relations.{type_}", target, None)
    for type_, target in sorted(new - old):
        yield Difference(f"relations.{type_}", None, target)


def _told(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
