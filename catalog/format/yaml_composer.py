"""YAML events to plain values, with the bounds that keep a hostile document from costing more than it weighs."""

import re
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import yaml

from catalog.format.yaml_scalars import key_text, resolve
from catalog.format.yaml_tags import BadTag, tagged_collection, tagged_scalar
from portal_backend.core.faults import Fault

MAX_DEPTH = 100
"""Collections inside one another; more than any entity needs, and less than JSON writers refuse."""

MAX_COST = 32 * 1024 * 1024
"""Of a document, with every alias written out: its characters, and NODE_COST for each value."""

NODE_COST = 320
"""What a value costs beyond its characters, being a row of the search index; bounds a document to 100,000 of them."""

MAX_ALIASES = 100
"""Uses of one anchor times the nesting of aliases below it, counted as Backstage's `yaml` library counts."""

GLUED_COMMENT = re.compile(r"(?:[!&][^\s]*[ \t]+)*[|>][-+0-9]*#")
"""A comment right behind the mark that opens a block of text."""

GLUED_TO_COMMA = re.compile(r"(?:[ \t\n]|#.*\n)*,#")
"""A comment right behind the comma after a member of a collection in brackets."""

COMMENT_RULE = "is followed by a comment without a space before the #"

_UNSET = object()


class NodeFault(Exception):
    """The document breaks a rule that the scanner does not know; nothing of it is used."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class _Anchor:
    """What an anchor names, what it weighs, and how often it was used."""

    __slots__ = ("cost", "nesting", "uses", "value")

    def __init__(self, value: Any, cost: int, nesting: int) -> None:
        self.value = value
        self.cost = cost
        self.nesting = nesting
        self.uses = 1


class _Frame:
    """A collection under construction."""

    __slots__ = ("anchor", "column", "container", "cost", "flow", "key", "line", "nesting", "seen", "tag")

    def __init__(self, container: Any, event: Any) -> None:
        self.container = container
        self.anchor = event.anchor
        self.tag = event.tag
        self.flow = bool(event.flow_style)
        self.line: int = event.start_mark.line
        self.column: int = event.start_mark.column
        self.key: Any = _UNSET
        self.seen: set[Hashable] = set()
        self.cost = NODE_COST
        self.nesting = 0


class Composer:
    """Builds the value of one document."""

    def __init__(self, text: str, first_line: int, originals: dict[int, int] | None) -> None:
        """Take the document's text, its first line in the file (from 0), and characters to put back into scalars."""
        self._text = text
        self._first_line = first_line
        self._originals = originals
        self._lines: list[str] | None = None
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchor | None] = {}
        self._cost = 0
        self._root: Any = None
        self._last: Any = None
        """The scalar that was read last, if no bracket and no alias came after it."""

    def compose(self, events: Iterable[yaml.Event]) -> Any:
        """Return the value; raises NodeFault, and whatever the scanner raises."""
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._start(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._end(event)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
        return self._root

    def _scalar(self, event: Any) -> None:
        text = event.value
        if self._originals:
            text = text.translate(self._originals)
        if "\0" in text:
            raise self._fault(event, "holds a NUL character, which cannot be stored")
        if event.style in {'"', "'"}:
            self._check_comment(event)
            if event.end_mark.line > event.start_mark.line:
                self._check_indent(event, event.start_mark.line, closing=False)
        elif event.style in {"|", ">"}:
            self._check_block(event)
        in_list = self._stack and isinstance(self._stack[-1].container, list)
        self._last = None if in_list and event.style else event
        value, cost = self._resolved(event, text)
        if event.anchor:
            self._anchors[event.anchor] = _Anchor(value, cost, 1)
        self._attach(event, value, cost, 1)

    def _resolved(self, event: Any, text: str) -> tuple[Any, int]:
        """Return the value of a scalar, and what it weighs: of bytes each is a value."""
        value = resolve(text, event.tag, plain=event.implicit[0])
        cost = NODE_COST + len(text)
        if event.tag is None or not isinstance(value, str):
            return value, cost
        value = self._tagged(event, tagged_scalar, event.tag, value)
        return value, cost if isinstance(value, str) else cost + NODE_COST * len(text)

    def _start(self, event: Any) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise self._fault(event, f"is nested more than {MAX_DEPTH} levels deep")
        if event.flow_style:
            self._check_comment(event)
            if self._stack:
                self._check_key(event, self._stack[-1])
                self._last = None
        if event.anchor:
            self._anchors[event.anchor] = None
        container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._stack.append(_Frame(container, event))

    def _end(self, event: Any) -> None:
        frame = self._stack.pop()
        if frame.flow:
            self._last = None
            self._check_comment(event)
            if event.end_mark.line > frame.line:
                self._check_indent(event, frame.line, closing=True)
        container = frame.container
        if frame.tag is not None:
            container = self._tagged(event, tagged_collection, frame.tag, container)
        if frame.anchor:
            self._anchors[frame.anchor] = _Anchor(container, frame.cost, frame.nesting)
        self._attach(event, container, frame.cost, frame.nesting)

    def _tagged(self, event: Any, read: Callable[[str, Any], Any], tag: str, value: Any) -> Any:
        try:
            return read(tag, value)
        except BadTag as error:
            raise self._fault(event, str(error)) from error

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise self._fault(event, f"uses *{event.anchor}, but no &{event.anchor} stands before it")
        anchor = self._anchors[event.anchor]
        if anchor is None:
            raise self._fault(event, f"uses *{event.anchor} inside &{event.anchor} itself")
        self._last = None
        anchor.uses += 1
        if anchor.uses * anchor.nesting > MAX_ALIASES:
            raise self._fault(event, f"repeats &{event.anchor} too often; more than {MAX_ALIASES} copies are refused")
        self._attach(event, anchor.value, anchor.cost, anchor.uses * anchor.nesting)

    def _attach(self, event: Any, value: Any, cost: int, nesting: int) -> None:
        """Put a finished node where it belongs, and count what it weighs."""
        if not self._stack:
            self._root = value
            return
        frame = self._stack[-1]
        if frame.flow and GLUED_TO_COMMA.match(self._text, event.end_mark.index):
            raise self._fault(event, COMMENT_RULE)
        frame.cost += cost
        frame.nesting = max(frame.nesting, nesting)
        if frame.cost > MAX_COST:
            limit = f"{MAX_COST // NODE_COST} values or {MAX_COST // 1024 // 1024} MiB"
            raise self._fault(event, f"is too large: with its aliases written out it has more than {limit}")
        if isinstance(frame.container, list):
            frame.container.append(value)
        elif frame.key is _UNSET:
            self._take_key(event, frame, value)
        else:
            frame.container[frame.key] = value
            frame.key = _UNSET

    def _take_key(self, event: Any, frame: _Frame, key: Any) -> None:
        frame.key = key_text(key)
        if isinstance(key, dict | list):
            return
        identity: Hashable = key if isinstance(key, str) else (isinstance(key, bool), key)
        if identity in frame.seen:
            message = f"stands twice in this mapping (again at {self._place(event)}); keys must be unique"
            raise NodeFault(Fault(self._path(), message))
        frame.seen.add(identity)

    def _check_key(self, event: Any, frame: _Frame) -> None:
        """Refuse `{{ a }}: b` below another entry of a block mapping: YAML 1.2 has it, Backstage's library has not.

        It takes it where nothing stands behind the last `:` or `-` before, or right below an entry's block of text.
        """
        if frame.flow or frame.key is not _UNSET or not frame.container or isinstance(frame.container, list):
            return
        start = event.start_mark.index
        if self._last is not None and self._is_open_end(self._last, start):
            return
        if not self._text[self._text.rfind("\n", 0, start) + 1 : start].strip(" "):
            raise self._fault(event, "has a key in braces or brackets; put the key in quotes")

    def _is_open_end(self, last: Any, start: int) -> bool:
        if not last.style:
            return not last.value
        before = self._text[:start].rstrip(" ")
        return last.style in {"|", ">"} and "#" not in before[last.end_mark.index :] and not before.endswith("\n\n")

    def _check_block(self, event: Any) -> None:
        """Refuse a block of text whose mark libyaml lets pass, and YAML 1.2 does not: too far left, or glued."""
        if GLUED_COMMENT.match(self._text, event.start_mark.index):
            raise self._fault(event, COMMENT_RULE)
        if self._stack and not self._stack[-1].flow and event.start_mark.column <= self._stack[-1].column:
            raise self._fault(event, "must begin behind its key, or be indented further than it")

    def _check_comment(self, event: Any) -> None:
        """Refuse a comment without a space before it: libyaml lets it pass, YAML 1.2 does not."""
        end = event.end_mark.index
        if self._text[end : end + 1] == "#":
            raise self._fault(event, COMMENT_RULE)

    def _check_indent(self, event: Any, first: int, *, closing: bool) -> None:
        """Refuse continuation lines left of the block they belong to: libyaml lets them pass, YAML 1.2 does not."""
        block = next((frame for frame in reversed(self._stack) if not frame.flow), None)
        if block is None or (self._stack and self._stack[-1].flow):
            return
        if self._lines is None:
            self._lines = self._text.split("\n")
        last = event.end_mark.line
        for number in range(first + 1, last + 1):
            line = self._lines[number]
            rest = line.lstrip(" ")
            indent = len(line) - len(rest)
            if indent > block.column or not rest or (closing and rest[0] == "#"):
                continue
            if closing and number == last and indent == block.column and rest[0] in "]}":
                continue
            place = f"line {self._first_line + number + 1}"
            raise NodeFault(Fault(self._path(), f"{place} must be indented further than the block it is part of"))

    def _fault(self, event: Any, message: str) -> NodeFault:
        return NodeFault(Fault(self._path(), f"{message} ({self._place(event)})"))

    def _place(self, event: Any) -> str:
        mark = event.start_mark
        return f"line {self._first_line + mark.line + 1}, column {mark.column + 1}"

    def _path(self) -> str:
        path = ""
        for frame in self._stack:
            if isinstance(frame.container, list):
                path += f"[{len(frame.container)}]"
            elif frame.key is not _UNSET:
                path = f"{path}.{frame.key}" if path else str(frame.key)
        return path
