"""A catalog with one of everything that filters can meet, stored as ingestion stores it."""

import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from catalog.format.refs import make_ref
from catalog.ingestion.flatten import columns, search_values
from catalog.models import Entity, EntityBody, Location, SearchKey, SearchRow
from catalog.versions import next_version
from portal_backend.core.db import Model

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LOCATION = "00000000-0000-4000-8000-000000000000"
LONG = "x" * 201


def entity(kind: str, name: str, *, spec: Any = None, relations: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"namespace": "default", "name": name, **metadata},
        "spec": spec or {},
        "relations": [{"type": type_, "targetRef": target} for type_, target in relations or []],
    }


def owned(name: str) -> list[tuple[str, str]]:
    return [("ownedBy", f"group:default/{name}")]


ENTITIES = [
    entity("Component", "Pay-API", spec={"type": "service", "lifecycle": "production", "owner": "sre"},
           relations=owned("sre"), title="The Payments", tags=["java", "go"], labels={"example.com/tier": "Gold"}),
    entity("Component", "basket", spec={"type": "Service", "lifecycle": "experimental", "owner": "SRE", "port": 8080},
           relations=[*owned("sre"), ("partOf", "system:default/shop")], tags=["java"],
           annotations={"backstage.io/orphan": "true", "backstage.io/edit-url": "https://example.com/e"}),
    entity("Component", "cart", spec={"type": "website", "lifecycle": "production", "owner": "web", "live": True},
           relations=owned("web"), links=[{"url": "https://example.com/cart", "title": "Cart"}], tags=["a.b"]),
    entity("Component", "deep", spec={"type": ["a", "B"], "owner": None, "lifecycle": LONG, "x": {"y": [1, "1"]}},
           annotations={"k" * 201: "v"}),
    entity("API", "pay", spec={"type": "openapi", "owner": "sre", "definition": "x" * 500}, relations=owned("sre")),
    entity("User", "ann", spec={"profile": {"displayName": "Ann Payne", "email": "a@example.com"}, "memberOf": ["sre"]},
           relations=[("memberOf", "group:default/sre")]),
    entity("User", "bob", spec={"profile": {"displayName": "Bob"}, "memberOf": []}),
    entity("Group", "sre", spec={"type": "team", "children": []},
           relations=[("hasMember", "user:default/ann"), ("ownerOf", "component:default/basket"),
                      ("ownerOf", "component:default/pay-api")]),
    entity("Resource", "db", spec={"type": "database", "owner": "web", "system": "shop"}, relations=owned("web"),
           namespace="prod", labels={"true": "true"}, tags=["true"]),
]  # fmt: skip


def store(session: Session, entities: list[dict[str, Any]]) -> None:
    """Store final entities as ingestion does, without files."""
    session.add(
        Location(id=LOCATION, type="file", target="/all.yaml", entity_ref="location:default/all", created_at=NOW)
    )
    session.flush()
    keys: dict[tuple[str, str], int] = {}
    rows: dict[type[Model], list[dict[str, Any]]] = {Entity: [], EntityBody: [], SearchKey: [], SearchRow: []}
    for number, one in enumerate(entities, 1):
        one["metadata"].update(uid=str(uuid.UUID(int=number)), etag=f"{number:040x}")
        kind, metadata = one["kind"], one["metadata"]
        rows[Entity].append(
            {"id": number, "uid": metadata["uid"], "ref": make_ref(kind, metadata["namespace"], metadata["name"]),
             **columns(one), "etag": metadata["etag"], "location_id": LOCATION, "file": "/all.yaml",
             "document": number, "document_hash": "", "updated_at": NOW}
        )  # fmt: skip
        rows[EntityBody].append({"id": number, "body": orjson.dumps(one)})
        for position, (key, value, original, is_item) in enumerate(search_values(one)):
            key_id = keys.setdefault((kind.lower(), key), len(keys) + 1)
            rows[SearchRow].append(
                {"entity_id": number, "position": position, "key_id": key_id, "value": value,
                 "original": original, "is_item": is_item}
            )  # fmt: skip
    rows[SearchKey] = [{"id": id_, "kind": kind, "name": name} for (kind, name), id_ in keys.items()]
    for model, some in rows.items():
        session.execute(insert(model), some)
    next_version(session)
    session.commit()


@pytest.fixture
def company(session: Session) -> list[dict[str, Any]]:
    """The entities of the catalog, in the order of their ids."""
    store(session, ENTITIES)
    return ENTITIES
