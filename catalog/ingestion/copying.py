"""Rows as PostgreSQL's COPY takes them, made where there is time for it. Pure."""

import struct
from collections.abc import Sequence

PlainValue = int | str | None
PlainRow = tuple[PlainValue, ...]

NULL = r"\N"
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
BINARY_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
BINARY_END = b"\xff\xff"
TWO_FIELDS = struct.Struct(">hiii")
"""The number of fields, the length of the first, a 4-byte number, the length of the second."""


def copy_text(rows: Sequence[tuple[int | str, ...]]) -> bytes:
    """Return rows of numbers and texts, all of them present, in COPY's text format."""
    if not rows:
        return b""
    template = "\t".join(["%s"] * len(rows[0])) + "\n"
    text = "".join([template % row for row in rows])
    tabs = len(rows) * (len(rows[0]) - 1)
    if "\\" in text or "\r" in text or text.count("\n") != len(rows) or text.count("\t") != tabs:
        text = "".join([template % tuple(escaped(str(value)) for value in row) for row in rows])
    return text.encode()


def copy_blobs(rows: Sequence[tuple[int, bytes]]) -> bytes:
    """Return rows of an `integer` and a `bytea` in COPY's binary format: as text, bytes would be twice as long."""
    parts = [BINARY_START]
    for number, blob in rows:
        parts += TWO_FIELDS.pack(2, 4, number, len(blob)), blob
    return b"".join([*parts, BINARY_END])


def escaped(text: str) -> str:
    """Return a text as it stands in a row of COPY's text format."""
    return text if text.isprintable() and "\\" not in text else text.translate(ESCAPES)
