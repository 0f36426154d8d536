"""YAML text to documents: pure, bounded, and one document's fault never reaches its neighbours.

Scalars are those of YAML 1.2's core schema, as the `yaml` library of Backstage reads them: `2020-01-01`, `yes` and
`1_000` are strings, a key that stands twice is an error, `<<` is an ordinary key. The scanner is libyaml's.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import yaml

from catalog.format.yaml_composer import Composer, NodeFault
from portal_backend.core.errors import Fault

MAX_DOCUMENTS = 10_000
"""Documents in one file; what follows is not read, and a fault says so."""

MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\n]|\Z)", re.MULTILINE)
"""A document's start or end. Unindented it is one wherever it stands, also inside a scalar (YAML 1.2, 9.1.2)."""

TAB_LINE = re.compile(r" *\t[ \t]*(?:#.*)?")
"""A line with a tab and nothing else but a comment: libyaml refuses it outside scalars, YAML 1.2 does not."""

MAX_TAB_LINES = 20
"""That are mended in one document; each costs another reading of it."""

DIRECTIVE = re.compile(r"^%(?!TAG[ \t]|YAML[ \t]+1\.[12](?:[ \t]|$)).*$", re.MULTILINE)
"""A directive that libyaml refuses, while YAML 1.2 has it passed over."""

SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
"""A character beyond U+FFFF as JSON escapes it, in two halves: libyaml takes neither half by itself."""

_FOREIGN = [
    *range(0x01, 0x09),
    *range(0x0B, 0x20),
    *range(0x7F, 0xA0),
    0x2028,
    0x2029,
    0xFEFF,
    0xFFFE,
    0xFFFF,
]
"""Characters that libyaml refuses or takes for line breaks, while YAML 1.2 as Backstage reads it does not."""

_STAND_INS = {code: 0x10FF00 + index for index, code in enumerate(_FOREIGN)}
_ORIGINALS = {stand_in: code for code, stand_in in _STAND_INS.items()}
_HAS_FOREIGN = re.compile("[" + "".join(re.escape(chr(code)) for code in _FOREIGN) + "]")

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """One document of a file: its value, or the fault that kept it from being read."""

    index: int
    """Position in the file from 0; empty documents count, though they are left out."""
    value: Any = None
    fault: Fault | None = None
    fault_line: int | None = None
    """The line of the document, from 0, at which the scanner gave up; None inside a block of text."""
    open_quote: str = ""
    """The quotation mark that the document opens and never closes."""


def read_documents(content: bytes) -> Iterator[Document]:
    """Yield the documents of a file in order, empty ones left out. Raises nothing: what is wrong is in the document."""
    text = content.decode("utf-8-sig", errors="replace")
    if "\0" in text:
        yield Document(0, fault=Fault("", "The file holds NUL characters: it is binary, not YAML."))
        return
    text = text.replace("\r\n", "\n")
    if not text.endswith("\n"):
        text += "\n"  # a block of text at the end has a line break there, written or not
    parts = list(islice(split_documents(text), MAX_DOCUMENTS + 1))
    for index, (line, part) in enumerate(parts):
        if index == MAX_DOCUMENTS:
            message = f"The file has more than {MAX_DOCUMENTS} documents; split it."
            yield Document(index, fault=Fault("", message))
            return
        document = _read_document(index, line, part)
        if document.fault is not None or document.value is not None:
            yield document
        if document.open_quote and not any(document.open_quote in later for _, later in parts[index + 1 :]):
            return  # all that follows stands inside the quotation


def split_documents(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line number (from 0) and the text of each document, its start marker and directives included."""
    start = position = 0
    line = 0
    begun = False
    for marker in MARKER.finditer(text):
        begun = begun or not _is_prefix(text[position : marker.start()])
        if begun:
            yield line, text[start : marker.start()]
            line += text.count("\n", start, marker.start())
            start = marker.start()
        begun = marker.group() == "---"
        position = marker.end()
        if not begun:
            position = text.find("\n", marker.start()) + 1 or len(text)
            line += text.count("\n", start, position)
            start = position
    if begun or not _is_prefix(text[position:]):
        yield line, text[start:]


def _is_prefix(text: str) -> bool:
    """Say whether the text before a document's start holds comments and directives only."""
    return all(line.startswith("%") or line.lstrip(" \t").startswith("#") for line in text.split("\n") if line.strip())


def _read_document(index: int, line: int, text: str) -> Document:
    document, text = _compose_without_tabs(index, line, text)
    if document.fault is None:
        return document
    for pattern, replacement in _AMENDMENTS:
        if pattern.search(text):
            text = pattern.sub(replacement, text)
            retried, text = _compose_without_tabs(index, line, text)
            if retried.fault is None:
                return retried
    return document


def _compose_without_tabs(index: int, line: int, text: str) -> tuple[Document, str]:
    """Return the document and the text it was read from: without the lines that hold nothing, but a tab."""
    first = document = _compose(index, line, text)
    for _ in range(MAX_TAB_LINES):
        if document.fault is None or document.fault_line is None:
            break
        lines = text.split("\n")
        if document.fault_line >= len(lines) or not TAB_LINE.fullmatch(lines[document.fault_line]):
            break
        lines[document.fault_line] = ""
        text = "\n".join(lines)
        document = _compose(index, line, text)
    return (document if document.fault is None else first), text


def _joined(halves: re.Match[str]) -> str:
    before, high, low = halves.groups()
    return f"{before}\\U{0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00:08x}"


_AMENDMENTS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (DIRECTIVE, "#"),
    (SURROGATES, _joined),
)
"""What is tried, one after the other, on a document that libyaml refuses."""


def _compose(index: int, line: int, text: str) -> Document:
    foreign = _HAS_FOREIGN.search(text) is not None
    composer = Composer(text, line, _ORIGINALS if foreign else None)
    try:
        value = composer.compose(yaml.parse(text.translate(_STAND_INS) if foreign else text, Loader=_LOADER))
    except NodeFault as error:
        return Document(index, fault=error.fault)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        stopped_at = mark.line if mark and error.context != "while scanning a block scalar" else None
        return Document(index, None, _syntax_fault(error, line), stopped_at, _open_quote(error, text))
    except yaml.YAMLError as error:
        return Document(index, fault=Fault("", f"YAML error: {error}"))
    return Document(index, value=value)


def _open_quote(error: yaml.MarkedYAMLError, text: str) -> str:
    if error.context != "while scanning a quoted scalar" or error.problem != "found unexpected end of stream":
        return ""
    return text[error.context_mark.index] if error.context_mark else ""


def _syntax_fault(error: yaml.MarkedYAMLError, line: int) -> Fault:
    """Say what the scanner could not read, and where in the file (lines and columns from 1)."""
    mark = error.problem_mark or error.context_mark
    place = f" at line {line + mark.line + 1}, column {mark.column + 1}" if mark else ""
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return Fault("", f"YAML error{place}: {what}.")
