"""The catalog files that a repository already has, as `analyze-location` tells them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from catalog.ingestion.reading import URL, Reader, Unreadable
from catalog.locations import find_location
from catalog.places.exchange import Limits
from catalog.places.repositories import catalog_files, find_repository
from catalog.registering.dry_run import preview

FILE_NAME = "catalog-info.yaml"
MAX_FILES = 20
"""That are read for one answer."""


def read_existing(reader: Reader, target: str, file_name: str | None) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the catalog files of a repository by their URLs, with the entities that each brings.

    A host is asked only where it is configured with a token; a repository that it does not show has no files. Raises
    InvalidInput where a file that is there cannot be taken as it is.
    """
    repository = find_repository(target, [one for one in reader.integrations if one.token])
    if repository is None:
        return []
    try:
        found = catalog_files(repository, file_name or FILE_NAME, reader.urls, Limits())
    except Unreadable:
        return []
    return [(url, preview(reader.within(URL, url), URL, url)[1:]) for url in found[:MAX_FILES]]


def with_registration(session: Session, files: Sequence[tuple[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Return each entity of the files with its file's address, and whether that is registered."""
    return [
        {"location": {"type": URL, "target": url}, "isRegistered": registered, "entity": entity}
        for url, entities in files
        for registered in [find_location(session, URL, url) is not None]
        for entity in entities
    ]
