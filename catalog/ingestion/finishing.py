"""From a good document to the final entity: what the server adds, and the etag over all of it. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from catalog.format.refs import location_ref
from catalog.ingestion.place import URL, Place
from catalog.places.scm import Integration, scm_annotations

MANAGED_BY = "backstage.io/managed-by-location"
MANAGED_BY_ORIGIN = "backstage.io/managed-by-origin-location"
VIEW_URL = "backstage.io/view-url"
ORPHAN = "backstage.io/orphan"
ORPHAN_REASON = "sre.portal/orphan-reason"

StatusItem = dict[str, Any]


def with_annotations(
    entity: Mapping[str, Any], place: Place, origin: str, integrations: tuple[Integration, ...]
) -> dict[str, Any]:
    """Add what the server knows of a document's place. The locations are overwritten, the addresses may be the file's.

    `place` is the file that holds it, `origin` the registered location that led there, `file:/srv/catalog`.
    """
    metadata = entity["metadata"]
    addresses = {VIEW_URL: place.target, **scm_annotations(place.target, integrations)} if place.type == URL else {}
    annotations = {
        **addresses,
        **metadata.get("annotations", {}),
        MANAGED_BY: location_ref(place.type, place.target),
        MANAGED_BY_ORIGIN: origin,
    }
    for name in (ORPHAN, ORPHAN_REASON):
        annotations.pop(name, None)
    return {**entity, "metadata": {**metadata, "annotations": annotations}}


def with_uid(entity: Mapping[str, Any], uid: str) -> dict[str, Any]:
    """Add the identity that an entity keeps as long as it exists."""
    return {**entity, "metadata": {**entity["metadata"], "uid": uid}}


def as_orphan(entity: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Mark an entity that no file holds any more, with the reason."""
    metadata = entity["metadata"]
    annotations = {**metadata.get("annotations", {}), ORPHAN: "true", ORPHAN_REASON: reason}
    return {**entity, "metadata": {**metadata, "annotations": annotations}}


def finish(
    base: Mapping[str, Any], relations: Sequence[Mapping[str, str]], items: Sequence[StatusItem]
) -> dict[str, Any]:
    """Return the final entity: its relations, its status where there is any, and an etag over everything else."""
    metadata = {key: value for key, value in base["metadata"].items() if key != "etag"}
    entity = {**base, "metadata": metadata, "relations": relations}
    entity.pop("status", None)
    if items:
        entity["status"] = {"items": items}
    metadata["etag"] = hashlib.sha256(orjson.dumps(entity)).hexdigest()[:40]
    return entity


def items_of(entity: Mapping[str, Any]) -> list[StatusItem]:
    """Return the status items that a final entity shows."""
    items: list[StatusItem] = entity.get("status", {}).get("items", [])
    return items
