"""YAML text to documents: pure, bounded, and one document's fault never reaches its neighbours.

Scalars are those of YAML 1.2's core schema, as the `yaml` library of Backstage reads them: `2020-01-01`, `yes` and
`1_000` are strings, a key that stands twice is an error, `<<` is an ordinary key. The scanner is libyaml's.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any

import yaml

from catalog.format.positions import Position, field_positions
from catalog.format.yaml_composer import Composer, NodeFault
from catalog.format.yaml_lines import compose_plainest
from catalog.format.yaml_mending import AMENDMENTS, TAB, Stop, mended
from catalog.format.yaml_quick import Unusual, compose_ordinary
from portal_backend.core.faults import Fault

NOTHING_KNOWN: Mapping[int, str] = MappingProxyType({})
DIGEST_CHARACTERS = 32
"""Of a SHA-256: enough that nobody finds two texts with the same."""

MAX_DOCUMENTS = 10_000
"""Documents in one file; what follows is not read, and a fault says so."""

MAX_MENDED = 20
"""Places that are mended in one document; each costs another reading of it."""

MARKER = re.compile(r"^(?:---(?=[ \t\r\n]|\Z)|\.\.\.(?=[ \t]*$|[ \t]+#))", re.MULTILINE)
"""A document's start or end. Unindented it is one wherever it stands, also inside a scalar (YAML 1.2, 9.1.2)."""

BYTE_ORDER = "\ufeff"
BETWEEN_DOCUMENTS = re.compile(
    rf"(?:\A(?!{BYTE_ORDER})|^\.\.\.[ \t]*\n)(?:{BYTE_ORDER}?(?:%.*|[ \t]*(?:#.*)?)\n)*{BYTE_ORDER}?", re.MULTILINE
)
"""The lines before a document, at whose starts a byte order mark says nothing: files with one may be put together."""

_FOREIGN = [
    *range(0x09),
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
_ORIGINALS = {ord(TAB): ord("\t"), **{stand_in: code for code, stand_in in _STAND_INS.items()}}
_HAS_FOREIGN = re.compile("[" + "".join(re.escape(chr(code)) for code in _FOREIGN) + "]")

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """One document of a file: its value, or the fault that kept it from being read."""

    index: int
    """Position in the file from 0; empty documents count, though they are left out."""
    value: Any = None
    fault: Fault | None = None
    stop: Stop | None = None
    """Where the scanner gave up."""
    open_quote: str = ""
    """The quotation mark that the document opens and never closes."""
    text: str = ""
    """As it was read in the end."""
    first_line: int = 0
    """Of the text in the file, from 0."""

    digest: str = ""
    """Of its text: a file's documents of equal texts have equal values."""
    is_known: bool = False
    """It has the text that the caller knows at this position, and was not read."""

    def positions(self) -> dict[str, Position]:
        """Return where each of its fields stands in the file, by path; `""` is where the scanner gave up, if it did."""
        found = field_positions(yaml.parse(_without_foreign(self.text), Loader=_LOADER), self.first_line)
        if self.stop is not None:
            before = self.text[: self.stop.at]
            line = self.first_line + before.count("\n") + 1
            found[""] = Position(line, len(before) - before.rfind("\n"))
        return found


def read_documents(content: bytes, known: Mapping[int, str] = NOTHING_KNOWN) -> Iterator[Document]:
    """Yield the documents of a file in order, empty ones left out. Raises nothing: what is wrong is in the document.

    `known` holds the digests of documents, by their positions, whose values the caller knows.
    """
    text = content.decode("utf-8-sig", errors="replace")
    text = text.replace("\r\n", "\n")
    if BYTE_ORDER in text:
        text = BETWEEN_DOCUMENTS.sub(lambda lines: lines.group().replace(BYTE_ORDER, ""), text)
    if not text.endswith("\n"):
        text += "\n"  # a block of text at the end has a line break there, written or not
    parts = list(islice(split_documents(text), MAX_DOCUMENTS + 1))
    for index, (line, part) in enumerate(parts):
        if index == MAX_DOCUMENTS:
            message = f"The file has more than {MAX_DOCUMENTS} documents; split it."
            yield Document(index, fault=Fault("", message))
            return
        digest = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]
        if known.get(index) == digest:
            yield Document(index, digest=digest, is_known=True)
            continue
        document = _read_document(index, line, part, digest)
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
    return all(
        line.startswith("%") or line.lstrip(" \t").startswith("#") for line in text.split("\n") if line.strip(" \t\r")
    )


def _read_document(index: int, line: int, text: str, digest: str) -> Document:
    document = _ordinary_document(index, line, text, digest)
    return replace(_carefully_read(index, line, text), digest=digest) if document is None else document


def _ordinary_document(index: int, line: int, text: str, digest: str) -> Document | None:
    """Return an ordinary document; None where the careful composer must say."""
    if TAB in text or _HAS_FOREIGN.search(text):
        return None
    for compose in (compose_plainest, partial(compose_ordinary, loader=_LOADER)):
        with contextlib.suppress(Unusual, yaml.YAMLError):
            return Document(index, compose(text), text=text, first_line=line, digest=digest)
    return None


def _carefully_read(index: int, line: int, text: str) -> Document:
    document, text = _compose_mended(index, line, text)
    if document.fault is None:
        return document
    for pattern, replacement in AMENDMENTS:
        if pattern.search(text):
            text = pattern.sub(replacement, text)
            retried, text = _compose_mended(index, line, text)
            if retried.fault is None:
                return retried
    return document


def _compose_mended(index: int, line: int, text: str) -> tuple[Document, str]:
    """Return the document and the text it was read from, in which what libyaml alone refuses is written otherwise."""
    first = document = _compose(index, line, text)
    for _ in range(MAX_MENDED):
        rewritten = mended(document.stop, text) if document.stop else None
        if rewritten is None:
            break
        text = rewritten
        document = _compose(index, line, text)
    return (document if document.fault is None else first), text


def _compose(index: int, line: int, text: str) -> Document:
    readable = _without_foreign(text)
    has_stand_ins = readable is not text or TAB in text
    composer = Composer(text, line, _ORIGINALS if has_stand_ins else None)
    try:
        value = composer.compose(yaml.parse(readable, Loader=_LOADER))
    except NodeFault as error:
        return Document(index, fault=error.fault, text=text, first_line=line)
    except yaml.MarkedYAMLError as error:
        return Document(
            index, None, _syntax_fault(error, line), _stop(error), _open_quote(error, text), text=text, first_line=line
        )
    except yaml.YAMLError as error:
        return Document(index, fault=Fault("", f"YAML error: {error}"))
    return Document(index, value=value, text=text, first_line=line)


def _without_foreign(text: str) -> str:
    return text.translate(_STAND_INS) if _HAS_FOREIGN.search(text) else text


def _stop(error: yaml.MarkedYAMLError) -> Stop | None:
    mark = error.problem_mark
    if mark is None:
        return None
    start = error.context_mark or mark
    return Stop(mark.index, start.index, error.context, error.problem)


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
