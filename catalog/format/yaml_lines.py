"""The plainest YAML document, read line by line. Pure.

Most catalog files are written alike: a key and what it holds on one line, blocks of text, short lists. Such lines say
what they mean without a scanner, in some 60 % of its time. At anything else, and at whatever could be a fault, this
gives up, and who reads every YAML judges.
"""

import re
from typing import Any

from catalog.format.yaml_quick import MAX_CHARACTERS, Unusual
from catalog.format.yaml_scalars import SPECIAL_STARTS, resolve_plain

DEPTH = 30
"""Collections inside one another; deeper ones are somebody else's."""

_KEY = r"[A-Za-z_][\w./-]{0,200}"
_LINE = re.compile(
    r"(\ *)(-\ )?"  # where it stands, and whether it is an item of a list
    rf"(?:({_KEY}):(?:\ +|$))?"
    r"(?:"
    r"([\w./(][^:\#]*(?:(?::(?!\ |$)|(?<!\ )\#)[^:\#]*)*(?<!\ ))"  # unquoted
    r"|'([^']*)'"
    r'|"([^"\\\n]*)"'
    r"|([|>])(-?)"  # a block of text follows
    r"|\[(.*)\]|\{(.*)\}"
    r")?",
    re.ASCII | re.VERBOSE,
)
INDENT, DASH, KEY, PLAIN, SINGLE, DOUBLE, STYLE, CHOMPING, ITEMS, PAIRS = range(1, 11)
"""What a line may hold; the last of them says what it is."""

_FLOW_TEXT = (
    r"""(?:'([^']*)'|"([^"\\]*)"|([\w./][^:#,'"\[\]{}]*(?:(?::(?![ ,:?\[\]{}]|$)|(?<! )#)[^:#,'"\[\]{}]*)*(?<! )))"""
)
_ITEM = re.compile(rf" *{_FLOW_TEXT} *(?:,|$)", re.ASCII)
_PAIR = re.compile(rf" *({_KEY}): +{_FLOW_TEXT} *(?:,|$)", re.ASCII)


def compose_plainest(text: str) -> Any:
    """Return the value of a document, which is a mapping; raises Unusual."""
    if len(text) > MAX_CHARACTERS or "\t" in text or text[-1:] != "\n":
        raise Unusual
    lines = text.split("\n")
    lines.pop()
    return _Lines(lines).document()


class _Lines:
    """One document under construction, and the line that comes next."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._end = len(lines)
        self._at = 1 if lines[0] == "---" else 0
        self._indent = 0
        """Of the line that comes next; -1 after the last one."""
        self._is_item = False
        """Whether it is the first line of an item of a list, and what it holds is still to be read."""
        self._next: re.Match[str] | None = None

    def document(self) -> dict[str, Any]:
        """Return the value."""
        self._advance()
        found = self._mapping(0, DEPTH)
        if self._indent != -1 or not found:
            raise Unusual
        return found

    def _advance(self) -> None:
        """Go to the next line that is neither empty nor a comment."""
        lines, at, end = self._lines, self._at, self._end
        while at < end:
            found = _LINE.fullmatch(lines[at])
            at += 1
            if found is not None:
                if found.lastindex != INDENT:
                    self._next, self._indent, self._at = found, found.end(INDENT), at
                    self._is_item = found.end(DASH) >= 0
                    return
            elif not lines[at - 1].lstrip(" ").startswith("#"):
                raise Unusual
        self._indent, self._at, self._is_item = -1, at, False

    def _mapping(self, indent: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._indent == indent and not self._is_item and (line := self._next):
            key, kind = line[KEY], line.lastindex
            if key is None or key in found or (key[0] in SPECIAL_STARTS and type(resolve_plain(key)) is not str):
                raise Unusual
            if kind == PLAIN:
                text = line[PLAIN]
                found[key] = text if text[0] not in SPECIAL_STARTS else resolve_plain(text)
                self._advance()
            elif kind == KEY:
                found[key] = self._below(indent, depth)
            elif kind == CHOMPING:
                found[key] = self._block(line, indent)
            else:
                found[key] = _on_one_line(line)
                self._advance()
        return found

    def _below(self, indent: int, depth: int) -> Any:
        """Read what stands below a key that stands at `indent` and holds nothing on its line."""
        self._advance()
        inner = self._indent
        if inner < indent or (inner == indent and not self._is_item):
            return None
        if not depth:
            raise Unusual
        return self._list(inner, depth - 1) if self._is_item else self._mapping(inner, depth - 1)

    def _list(self, indent: int, depth: int) -> list[Any]:
        found: list[Any] = []
        while self._indent == indent and self._is_item and (line := self._next):
            if line[KEY] is None:
                found.append(_on_one_line(line))
                self._advance()
            elif depth:
                self._indent, self._is_item = indent + len("- "), False
                found.append(self._mapping(self._indent, depth - 1))
            else:
                raise Unusual
        return found

    def _block(self, head: re.Match[str], indent: int) -> str:
        """Read the block of text below a key that stands at `indent`."""
        lines, start = self._lines, self._at
        first = lines[start] if start < len(lines) else ""
        inner = len(first) - len(first.lstrip(" "))
        if inner <= indent or inner == len(first):
            raise Unusual
        margin = first[:inner]
        at = start + 1
        while at < len(lines) and (lines[at].startswith(margin) or not lines[at]):
            at += 1
        if at < len(lines) and lines[at].startswith(margin[: indent + 1]):
            raise Unusual  # less than the first line, and still inside
        self._at = at
        text = "\n".join([line[inner:] for line in lines[start:at]]).rstrip("\n")
        if head[STYLE] == ">":
            text = _folded(text)
        self._advance()
        return text if head[CHOMPING] else f"{text}\n"


def _folded(text: str) -> str:
    """Return a block's lines as one; raises Unusual where a line is empty, or stands further right than the first."""
    if "\n\n" in text or "\n " in text or " \n" in text:
        raise Unusual
    return text.replace("\n", " ")


def _on_one_line(line: re.Match[str]) -> Any:
    """Return what a line holds; raises Unusual where that does not end there."""
    kind = line.lastindex
    if kind == PLAIN:
        return resolve_plain(line[PLAIN])
    if kind in (SINGLE, DOUBLE):
        return line[kind]
    if kind == ITEMS:
        return [_flow_text(*found) for found in _flow(_ITEM, line[ITEMS])]
    if kind != PAIRS:
        raise Unusual
    pairs = _flow(_PAIR, line[PAIRS])
    found = {key: _flow_text(*text) for key, *text in pairs}
    if len(found) < len(pairs) or any(type(resolve_plain(key)) is not str for key in found):
        raise Unusual
    return found


def _flow(pattern: re.Pattern[str], text: str) -> list[tuple[str, ...]]:
    """Return the members between brackets; raises Unusual where one of them is not plain."""
    found = []
    at, end = 0, len(text)
    while at < end:
        match = pattern.match(text, at)
        if match is None:
            raise Unusual
        found.append(match.groups())
        at = match.end()
    if text[-1:] == ",":
        raise Unusual
    return found


def _flow_text(single: str | None, double: str | None, plain: str | None) -> Any:
    if plain is not None:
        return resolve_plain(plain)
    return single if double is None else double
