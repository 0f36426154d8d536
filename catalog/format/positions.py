"""Where the fields of a document stand in its file, for people who have to mend them. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import yaml

from catalog.format.yaml_scalars import key_text, resolve

MAX_POSITIONS = 100_000


class Position(NamedTuple):
    """A place in a file, both counted from 1."""

    line: int
    column: int


class _Level:
    """A collection that is being passed."""

    __slots__ = ("index", "is_list", "key", "path")

    def __init__(self, path: str | None, *, is_list: bool) -> None:
        self.path = path
        """None below a key that is no scalar: nothing there has a path."""
        self.is_list = is_list
        self.index = 0
        self.key: str | None = None


def nearest(positions: dict[str, Position], path: str) -> Position | None:
    """Return where a path stands, or else what should hold it: `spec` for a `spec.owner` that is missing."""
    while path and path not in positions:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return positions.get(path)


def field_positions(events: Iterable[yaml.Event], first_line: int) -> dict[str, Position]:
    """Return the position of each field of a document by its path: of its key, or of an item of a list.

    `first_line` is the document's first line in the file, from 0. Stops quietly where the text is no YAML.
    """
    found: dict[str, Position] = {}
    levels: list[_Level] = []
    for event in _until_broken(events):
        if isinstance(event, yaml.CollectionEndEvent):
            levels.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        path, is_key = _step(levels, event)
        mark = event.start_mark
        if path is not None and mark is not None and len(found) < MAX_POSITIONS:
            found.setdefault(path, Position(first_line + mark.line + 1, mark.column + 1))
        if isinstance(event, yaml.CollectionStartEvent):
            is_list = isinstance(event, yaml.SequenceStartEvent)
            levels.append(_Level(None if is_key else path, is_list=is_list))
    return found


def _until_broken(events: Iterable[yaml.Event]) -> Iterator[Any]:
    try:
        yield from events
    except yaml.YAMLError:
        return


def _step(levels: list[_Level], event: Any) -> tuple[str | None, bool]:
    """Return the path of the node that begins, and whether it is a mapping's key."""
    if not levels:
        return "", False
    level = levels[-1]
    if level.is_list:
        level.index += 1
        return None if level.path is None else f"{level.path}[{level.index - 1}]", False
    if level.key is not None:
        path, level.key = _below(level.path, level.key), None
        return path, False
    level.key = _key(event)
    return _below(level.path, level.key), True


def _key(event: Any) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        return ""
    return key_text(resolve(event.value, event.tag, plain=event.implicit[0]))


def _below(path: str | None, key: str) -> str | None:
    if path is None or not key:
        return None
    return f"{path}.{key}" if path else key
