"""Where documents wait between being judged and being stored: in memory while they are few, then in a file.

What is wanted of all of them at once is small: what they are called, and a digest. What they say is wanted of a portion
at a time.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

import orjson

from catalog.ingestion.judging import DeclaredHere, GoodDocument

IN_MEMORY = 64 * 1024 * 1024
"""Bytes of documents up to which nothing is written to a file; it has no name, and goes with the process."""


class Shelf:
    """Bytes, one after the other."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile()  # noqa: SIM115 (closed when the documents are stored)
        self._size = 0
        self._is_large = False

    def add(self, data: bytes) -> int:
        """Keep some bytes; return their position. All that is added is added before anything is read."""
        self._file.write(data)
        position, self._size = self._size, self._size + len(data)
        if self._size > IN_MEMORY and not self._is_large:
            self._is_large = True
            with contextlib.suppress(FileNotFoundError):  # there is no folder for it: then all of it stays in memory
                self._file.rollover()
        return position

    def read(self, position: int, length: int) -> bytes:
        """Return what was added."""
        self._file.seek(position)
        return self._file.read(length)

    def close(self) -> None:
        """Let go of all."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class ShelvedDocument:
    """A document without a fault that waits on a shelf."""

    ref: str
    index: int
    digest: str
    shelf: Shelf
    position: int
    size: int
    """Of the body, in bytes; the relations follow."""
    edges_size: int

    @property
    def body(self) -> bytes:
        """See `GoodDocument`."""
        return self.shelf.read(self.position, self.size)

    def declared(self) -> Sequence[DeclaredHere]:
        """See `GoodDocument`."""
        found: list[DeclaredHere] = orjson.loads(self.shelf.read(self.position + self.size, self.edges_size))
        return found


def shelved(document: GoodDocument, shelf: Shelf) -> ShelvedDocument:
    """Put a document on a shelf."""
    body, edges = document.body, document.edges
    position = shelf.add(body + edges)
    return ShelvedDocument(document.ref, document.index, document.digest, shelf, position, len(body), len(edges))
