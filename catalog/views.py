"""HTTP: entities, locations and faults, in the shapes of Backstage's catalog API."""

from typing import Any
from urllib.parse import urlencode

from flask import Response

from catalog.entities import decode_after, encode_after, get_body, list_bodies, list_faults
from catalog.locations import list_locations as all_locations
from catalog.schemas import MAX_LIMIT, CatalogFaultPageSchema, CatalogLocationItemSchema, EntitiesQuery, FaultsQuery
from portal_backend.core.db import reading
from portal_backend.core.http import json_bytes, make_blueprint
from portal_backend.core.pagination import Page

blueprint = make_blueprint("catalog", __name__, "/api/catalog", "What exists: entities, in Backstage's catalog API.")


@blueprint.get("/entities/by-name/<string:kind>/<string:namespace>/<string:name>")
@blueprint.doc(responses={"200": {"description": "The final entity, with its relations."}})
def get_entity(kind: str, namespace: str, name: str) -> Response:
    """Read an entity by kind, namespace and name, in any case; 404 when there is none."""
    with reading() as session:
        return json_bytes(get_body(session, kind, namespace, name))


@blueprint.get("/entities")
@blueprint.arguments(EntitiesQuery, location="query")
@blueprint.doc(responses={"200": {"description": "A list of entities; a Link header leads to the next page."}})
def list_entities(query: dict[str, Any]) -> Response:
    """List entities by reference."""
    limit, offset = query["limit"], query["offset"]
    if query["after"] is not None:
        limit, offset = decode_after(query["after"], MAX_LIMIT)
    with reading() as session:
        bodies, more = list_bodies(session, limit, offset)
    response = json_bytes(b"[" + b",".join(bodies) + b"]")
    if more:
        after = urlencode({"limit": limit, "after": encode_after(limit, offset + limit)})
        response.headers["Link"] = f'</entities?{after}>; rel="next"'
    return response


@blueprint.get("/locations")
@blueprint.response(200, CatalogLocationItemSchema(many=True))
def list_locations() -> list[dict[str, Any]]:
    """List the registered locations."""
    with reading() as session:
        return [{"data": location} for location in all_locations(session)]


@blueprint.get("/faults")
@blueprint.arguments(FaultsQuery, location="query")
@blueprint.response(200, CatalogFaultPageSchema)
def get_faults(query: dict[str, Any]) -> Page[Any]:
    """List what the last reads of the locations found wrong, by file, document and field."""
    with reading() as session:
        return list_faults(session, query["limit"], query["cursor"], query["location"], query["ref"])
