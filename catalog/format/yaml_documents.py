"""YAML text to documents: pure, bounded, and one document's fault never reaches its neighbours.

Scalars are those of YAML 1.2's core schema, as the `yaml` library of Backstage reads them: `2020-01-01`, `yes` and
`1_000` are strings, a key that stands twice is an error, `<<` is an ordinary key. The scanner is libyaml's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from catalog.format.yaml_composer import Composer, NodeFault
from portal_backend.core.errors import Fault

MAX_DOCUMENTS = 10_000
"""Documents in one file; what follows is not read, and a fault says so."""

MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\n]|\Z)", re.MULTILINE)
"""A document's start or end. Unindented it is one wherever it stands, also inside a scalar (YAML 1.2, 9.1.2)."""

TAB_LINE = re.compile(r"^ *\t[ \t]*$", re.MULTILINE)
"""A blank line with a tab in it: libyaml refuses it outside scalars, YAML 1.2 does not."""

_FOREIGN = [
    *range(0x01, 0x09),
    0x0B,
    0x0C,
    *range(0x0E, 0x20),
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


def read_documents(content: bytes) -> Iterator[Document]:
    """Yield the documents of a file in order, empty ones left out. Raises nothing: what is wrong is in the document."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield Document(0, fault=Fault("", f"The file is not UTF-8 text (byte {error.start}); save it as UTF-8."))
        return
    if "\0" in text:
        yield Document(0, fault=Fault("", "The file holds NUL characters: it is binary, not YAML."))
        return
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for index, (line, part) in enumerate(split_documents(text)):
        if index == MAX_DOCUMENTS:
            message = f"The file has more than {MAX_DOCUMENTS} documents; split it."
            yield Document(index, fault=Fault("", message))
            return
        document = _read_document(index, line, part)
        if document.fault is not None or document.value is not None:
            yield document


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
    document = _compose(index, line, text)
    if document.fault is not None and TAB_LINE.search(text):
        retried = _compose(index, line, TAB_LINE.sub("", text))
        return retried if retried.fault is None else document
    return document


def _compose(index: int, line: int, text: str) -> Document:
    foreign = _HAS_FOREIGN.search(text) is not None
    composer = Composer(text, line, _ORIGINALS if foreign else None)
    try:
        value = composer.compose(yaml.parse(text.translate(_STAND_INS) if foreign else text, Loader=_LOADER))
    except NodeFault as error:
        return Document(index, fault=error.fault)
    except yaml.MarkedYAMLError as error:
        return Document(index, fault=_syntax_fault(error, line))
    except yaml.YAMLError as error:
        return Document(index, fault=Fault("", f"YAML error: {error}"))
    return Document(index, value=value)


def _syntax_fault(error: yaml.MarkedYAMLError, line: int) -> Fault:
    """Say what the scanner could not read, and where in the file (lines and columns from 1)."""
    mark = error.problem_mark or error.context_mark
    place = f" at line {line + mark.line + 1}, column {mark.column + 1}" if mark else ""
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return Fault("", f"YAML error{place}: {what}.")
