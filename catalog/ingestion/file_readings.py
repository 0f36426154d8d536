"""What a read of a location finds in its files, and what is remembered of it. No database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from catalog.format.documents import JudgedDocument
from catalog.ingestion.judging import GoodDocument
from catalog.ingestion.placeholders import Used
from catalog.ingestion.reading import Known, Place


class FoundFault(NamedTuple):
    """Something wrong, and where."""

    file: str
    document: int | None
    ref: str
    path: str
    message: str
    of_file: bool = False
    """It keeps the whole file out, and is shown where the file's faults are."""


class Nested(NamedTuple):
    """Where a Location entity leads."""

    type: str
    target: str
    optional: bool
    ref: str = ""
    """The Location entity that says so."""


USED, BASIS, DOCUMENTS = "$used", "$basis", "$documents"
"""What entries of `remembered` begin with that lead nowhere."""


@dataclass(frozen=True)
class KnownFile(Known):
    """A file that the last read found without a fault."""

    nested: tuple[Nested, ...] = ()
    used: tuple[Used, ...] = ()
    basis: str = ""
    documents: str = ""
    """See `judging.recalled`."""

    @classmethod
    def recalled(cls, digest: str, http_etag: str | None, remembered: Sequence[Sequence[Any]]) -> "KnownFile":
        """Return what was remembered of a file, from what `FileReading.remembered` made of it."""
        return cls(
            digest,
            http_etag,
            tuple(Nested(*one) for one in remembered if one[0] not in {USED, BASIS, DOCUMENTS}),
            tuple(Used(*one[1:]) for one in remembered if one[0] == USED),
            next((one[1] for one in remembered if one[0] == BASIS), ""),
            next((one[1] for one in remembered if one[0] == DOCUMENTS), ""),
        )


@dataclass(frozen=True)
class FileReading:
    """What one file holds."""

    place: Place
    digest: str
    http_etag: str | None
    unchanged: bool
    """The content is what the last read found, without a fault: the documents are not judged again."""
    documents: tuple[JudgedDocument, ...] = ()
    """With their entities only where nobody said what is to be kept of files (`read_location`)."""
    good: tuple[GoodDocument, ...] = ()
    """Those of the documents that can be stored."""
    known_documents: frozenset[int] = frozenset()
    """Positions of the documents that stand as the last read found them, and were not judged again."""
    recall: str = ""
    """What saves judging documents again."""
    is_empty: bool = False
    """There is no document in it."""
    nested: tuple[Nested, ...] = ()
    used: tuple[Used, ...] = ()
    """What its placeholders brought in."""
    basis: str = ""
    """What the verdict rests on beside the content."""
    parent_ref: str | None = None
    """The Location entity that led here; None for what the registered target itself means."""

    @property
    def rests_on_known(self) -> bool:
        """Whether some of it was not judged, because the last read found it as it is."""
        return self.unchanged or bool(self.known_documents)

    def remembered(self) -> list[list[Any]]:
        """Return what saves judging the file again, as JSON."""
        found: list[list[Any]] = [*map(list, self.nested), *([USED, *one] for one in self.used), [BASIS, self.basis]]
        if self.recall:
            found.append([DOCUMENTS, self.recall])
        return found


@dataclass
class Reading:
    """What a registered location holds."""

    files: list[FileReading] = field(default_factory=list)
    faults: list[FoundFault] = field(default_factory=list)
    error: str | None = None
    """Why the registered target itself cannot be read."""
    complete: bool = True
    """Everything that the location leads to could be read, whatever is wrong inside."""
