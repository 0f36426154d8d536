"""The catalog's version: what was computed from the entities at one version holds until a write makes the next."""

from typing import NamedTuple

from sqlalchemy.orm import Session

from catalog.models import CatalogVersion
from portal_backend.core.db import upsert
from portal_backend.core.quick_reading import Reader

CURRENT = (
    "SELECT lineage, number, (SELECT COALESCE(max(id), 0) FROM catalog_search_key) FROM catalog_version WHERE id = 1"
)


class Version(NamedTuple):
    """One state of the catalog. Equal versions, of whatever database, mean equal entities."""

    lineage: str
    number: int
    keys: int
    """The last key of the rest-index. Keys are only added, by one writer after the other: the same last one, the same
    keys."""


def next_version(session: Session) -> None:
    """Count a write of entities; call it in the transaction that writes them."""
    version = session.get(CatalogVersion, 1, with_for_update=True)
    number = version.number + 1 if version else 1
    upsert(session, CatalogVersion, [{"id": 1, "number": number}], key=["id"])


def current_version(reader: Reader) -> Version | None:
    """Return the version, or None where no write was counted yet: then nothing may be kept.

    Read it before what is computed from the entities: a write in between then makes the result younger than its
    version, never older.
    """
    rows = reader.rows(CURRENT)
    return Version(*rows[0]) if rows and rows[0][0] else None
