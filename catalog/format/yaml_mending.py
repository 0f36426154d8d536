"""What libyaml refuses and YAML 1.2, as Backstage reads it, does not, written so that libyaml takes it. Pure."""

import re
from collections.abc import Callable
from typing import NamedTuple


class Stop(NamedTuple):
    """Where libyaml gave up on a document, by the position in its text, and what it says of it."""

    at: int
    context_at: int
    context: str | None
    problem: str | None


TAB = chr(0x10FFF0)
"""Stands in for a tab that begins a block of text: libyaml takes it for indentation."""

BLOCK = "while scanning a block scalar"
TAB_IN_BLOCK = "found a tab character where an indentation space is expected"
BLOCK_BEGINS = re.compile(r"[|>].*\n[ \n]*\t")
"""The mark of a block of text and the tab that its first line begins with; behind that line a tab ends no block."""
NO_KEY = frozenset({"did not find expected key", "did not find expected node content"})
NO_VALUE = "mapping values are not allowed in this context"
NOTHING_AS_KEY = re.compile(r":(?=[ \t\n])")
"""An entry whose key is empty; libyaml takes it at the start of a mapping only."""
ANCHOR_CONTEXTS = frozenset({"while scanning an anchor", "while scanning an alias"})

TAB_LINE = re.compile(r" *\t[ \t]*(?:#.*)?")
"""A line with a tab and nothing else but a comment: libyaml refuses it outside scalars, YAML 1.2 does not."""

TAB_AFTER_DASH = re.compile(r""" *(?:- +)*- *\t[ \t]*(?:['"\[{].*|(?![-?][ \t]|[&!]|.*:(?:[ \t]|$)).*)""")
"""A list's scalar item behind a tab: libyaml refuses the tab, YAML 1.2 does not."""

ANCHOR = re.compile(r"(?![A-Za-z0-9_-]+(?:[\s,\[\]{}]|\Z))[^\s,\[\]{}]+")
"""The name of an anchor that libyaml refuses: it takes letters, digits, `-` and `_` of ASCII only."""

COLON_AFTER_FLOW = re.compile(r"""( *(?:- +)*)([^\s'"\[{#][^:\n]*: +(?:[&!]\S+ +)*[\[{].*[\]}])[ \t]*(?=:[ \t\n])""")
"""A list or a mapping in brackets with a colon behind it: what follows is the value of an entry whose key is empty."""

DIRECTIVE = re.compile(r"^%(?!TAG[ \t]|YAML[ \t]+1\.[12](?:[ \t]|$)).*$", re.MULTILINE)
"""A directive that libyaml refuses, while YAML 1.2 has it passed over."""

PREFIX = re.compile(r"\A(?:(?:%.*|[ \t]*#.*|[ \t]*)\n)+(?=---)")
"""What stands before a document that its `---` begins."""

CARRIAGE_RETURN = re.compile(r":\r")
"""A carriage return of its own counts as a space behind a colon, and as a character of the value at once."""

SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
"""A character beyond U+FFFF as JSON escapes it, in two halves: libyaml takes neither half by itself."""


def mended(stop: Stop, text: str) -> str | None:
    """Return the text with the place at which the scanner gave up written as it takes it; None where that is wrong."""
    if stop.problem == TAB_IN_BLOCK and BLOCK_BEGINS.fullmatch(text, stop.context_at, stop.at + 1):
        return text[: stop.at] + TAB + text[stop.at + 1 :]
    if stop.problem in NO_KEY and NOTHING_AS_KEY.match(text, stop.at):
        return f"{text[: stop.at]}~{text[stop.at :]}"
    if stop.problem == NO_VALUE and (colon := _colon_after_flow(text, stop.at)):
        return colon
    if stop.context in ANCHOR_CONTEXTS and (name := ANCHOR.match(text, stop.context_at + 1)):
        return f"{text[: name.start()]}u{name.group().encode().hex()}{text[name.end() :]}"
    return None if stop.context == BLOCK else _without_tab(text, stop.at)


def _colon_after_flow(text: str, index: int) -> str | None:
    """Return the text with the entry of the colon at this place on a line of its own; None where that is wrong."""
    entry = COLON_AFTER_FLOW.match(text, text.rfind("\n", 0, index) + 1)
    if entry is None or entry.end() != index:
        return None
    return f"{text[: entry.end(2)]}\n{' ' * len(entry.group(1))}~{text[index:]}"


def _without_tab(text: str, index: int) -> str | None:
    """Return the text without the tab that the scanner stopped at; None where the tab is wrong, or there is none."""
    start = text.rfind("\n", 0, index) + 1
    end = text.find("\n", index)
    end = end if end != -1 else len(text)
    if TAB_LINE.fullmatch(text, start, end):
        return text[:start] + text[end:]
    if text[index : index + 1] == "\t" and TAB_AFTER_DASH.fullmatch(text, start, end):
        return f"{text[:index]} {text[index + 1 :]}"
    return None


def _joined(halves: re.Match[str]) -> str:
    before, high, low = halves.groups()
    return f"{before}\\U{0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00:08x}"


def _without_directives(match: re.Match[str]) -> str:
    return DIRECTIVE.sub("#", match.group())


AMENDMENTS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (PREFIX, _without_directives),
    (SURROGATES, _joined),
    (CARRIAGE_RETURN, ": \r"),
)
"""What is tried, one after the other, on a document that libyaml refuses."""
