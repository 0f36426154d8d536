"""Rows as PostgreSQL's COPY takes them, made where there is time for it. Pure."""

from collections.abc import Iterable

PlainValue = int | str | None
PlainRow = tuple[PlainValue, ...]

ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def copy_text(rows: Iterable[PlainRow]) -> bytes:
    """Return rows of numbers, texts and truth values in COPY's text format."""
    return "".join(["\t".join(map(_field, row)) + "\n" for row in rows]).encode()


def _field(value: PlainValue) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return value if value.isprintable() and "\\" not in value else value.translate(ESCAPES)
    return str(value)
