"""One read of a location on its way into the database, and what it did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from catalog.format.refs import location_ref
from catalog.ingestion.candidates import Coming, Stored
from catalog.ingestion.documents import ReadDocument
from catalog.ingestion.file_readings import FoundFault, KnownFile, Reading
from catalog.ingestion.planning import Plan
from catalog.ingestion.search_keys import SearchKeys
from catalog.ingestion.shelf import Shelf


@dataclass(frozen=True)
class IngestReport:
    """What one read of a location did."""

    location: str
    """The location, `file:/srv/catalog`."""
    added: int
    changed: int
    """Documents whose entity was stored before, in another form."""
    removed: int
    unchanged: int
    faults: tuple[FoundFault, ...]
    changed_refs: frozenset[str]
    """Entities whose final form changed, new ones and those whose relations changed included."""
    removed_refs: frozenset[str]
    withheld_refs: frozenset[str] = frozenset()
    """Entities that are no longer in the files, whose removal waits for a person or for a complete read."""
    orphaned_refs: frozenset[str] = frozenset()
    """Entities that this read no longer found: marked, and removed after the grace period."""
    error: str | None = None
    """Why the target could not be read."""


@dataclass
class Ingestion:
    """One read of a location on its way into the database."""

    location_id: str
    type: str
    target: str
    known: Mapping[str, KnownFile]
    claimed_until: datetime | None = None
    by_operator: bool = False
    """Registered by whoever runs this server, in portal.yaml or on its command line: it may hold every kind."""
    reading: Reading = field(default_factory=Reading)
    documents: list[ReadDocument] = field(default_factory=list)
    shelf: Shelf = field(default_factory=Shelf)
    plan: Plan | None = None
    own: Mapping[str, Stored] = field(default_factory=dict)
    """What the location supplied when the plan was made."""
    coming: Coming = field(default_factory=Coming)
    """What all candidates of the plan declare."""
    keys: SearchKeys = field(default_factory=SearchKeys)
    version: int | None = None
    """Of the catalog, when the plan was last known to hold."""
    written: int = 0
    """Candidates of the plan that are stored."""
    added: int = 0
    changed: int = 0
    changed_refs: set[str] = field(default_factory=set)
    report: IngestReport | None = None
    """What it did, once it is done."""

    @property
    def name(self) -> str:
        """The location, `file:/srv/catalog`."""
        return location_ref(self.type, self.target)
