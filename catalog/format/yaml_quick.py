"""The ordinary YAML document, composed in one go. Pure.

Nearly all documents hold nothing but mappings with names for keys, lists and scalars. These are composed here, in less
time; at anything else, and at whatever could be a fault, this gives up, and the careful composer judges.
"""

from typing import Any

import yaml

from catalog.format.yaml_composer import GLUED_COMMENT, MAX_COST, MAX_DEPTH, NODE_COST
from catalog.format.yaml_scalars import SPECIAL_STARTS, resolve_plain

MAX_CHARACTERS = MAX_COST // (NODE_COST + 1)
"""However it is written, a text of this length without aliases stays within the bounds of a document."""


class Unusual(Exception):
    """The document needs the careful composer."""


def compose_ordinary(text: str, loader: Any) -> Any:
    """Return the value of a document; raises Unusual, and whatever the scanner raises.

    `loader` is the class of loader whose events are taken.
    """
    if len(text) > MAX_CHARACTERS:
        raise Unusual
    parser = loader(text)
    try:
        return _Ordinary(text, parser.get_event).document()
    finally:
        parser.dispose()


class _Ordinary:
    """One document under construction."""

    def __init__(self, text: str, take: Any) -> None:
        self._text = text
        self._take = take

    def document(self) -> Any:
        """Return the value of the one document that the text holds; None where it holds none."""
        take = self._take
        take()  # the start of the stream
        event = take()
        if type(event) is yaml.StreamEndEvent:
            return None
        value = self._value(take(), MAX_DEPTH)
        take()  # the document's end
        if type(take()) is not yaml.StreamEndEvent:
            raise Unusual
        return value

    def _value(self, event: Any, depth: int, parent: Any = None) -> Any:
        kind = type(event)
        if event.anchor is not None:
            raise Unusual  # an alias, or what one may name
        if kind is yaml.ScalarEvent:
            return self._scalar(event, parent)
        if event.tag is not None or not depth:
            raise Unusual
        return self._mapping(event, depth - 1) if kind is yaml.MappingStartEvent else self._list(event, depth - 1)

    def _mapping(self, start: Any, depth: int) -> dict[str, Any]:
        take, value_of, found = self._take, self._value, {}
        while type(event := take()) is yaml.ScalarEvent:
            key = value_of(event, depth, start) if event.style else _plain(event)
            if type(key) is not str or key in found:
                raise Unusual
            event = take()
            if type(event) is yaml.ScalarEvent and not event.style:
                found[key] = _plain(event)
            else:
                found[key] = value_of(event, depth, start)
        if type(event) is not yaml.MappingEndEvent:
            raise Unusual
        if start.flow_style:
            self._end_flow(start, event)
        return found

    def _list(self, start: Any, depth: int) -> list[Any]:
        take, value_of, found = self._take, self._value, []
        while type(event := take()) is not yaml.SequenceEndEvent:
            found.append(value_of(event, depth, start))
        if start.flow_style:
            self._end_flow(start, event)
        return found

    def _end_flow(self, start: Any, end: Any) -> None:
        mark = end.end_mark
        if mark.line != start.start_mark.line or self._text[mark.index : mark.index + 1] == "#":
            raise Unusual

    def _scalar(self, event: Any, parent: Any) -> Any:
        style, text = event.style, event.value
        if not style:
            return _plain(event)
        if event.tag is not None:
            raise Unusual
        if style in "|>":
            mark = event.start_mark
            if parent is None or mark.column <= parent.start_mark.column or GLUED_COMMENT.match(self._text, mark.index):
                raise Unusual
        else:
            mark = event.end_mark
            if mark.line != event.start_mark.line or "\0" in text or self._text[mark.index : mark.index + 1] == "#":
                raise Unusual
        return text


def _plain(event: Any) -> Any:
    """Return the value of an unquoted scalar."""
    if event.tag is not None or event.anchor is not None:
        raise Unusual
    text = event.value
    return text if text and text[0] not in SPECIAL_STARTS else resolve_plain(text)
