"""HTTP: registering locations, where entities come from, and judging descriptors, in Backstage's catalog API."""

from typing import Any

import orjson
from flask import Response
from marshmallow import EXCLUDE

from catalog import settings
from catalog.format.custom_kinds import known_kinds
from catalog.format.documents import Fill
from catalog.format.refs import location_ref, make_ref
from catalog.ingestion.place import URL, Place
from catalog.ingestion.placeholders import Filling
from catalog.locations import check_target, find_location, generated_ref
from catalog.models import Location
from catalog.registering import registrations
from catalog.registering.analysis import suggest_component
from catalog.registering.ancestry import ancestry, body_by_uid
from catalog.registering.dry_run import MAX_SECONDS, preview
from catalog.registering.existing import read_existing, with_registration
from catalog.registering.location_queries import query_locations
from catalog.registering.removal import remove_entity, remove_location
from catalog.registering.schemas import (
    AnalysisSchema,
    AnalyzeBody,
    LocationBody,
    LocationsPageSchema,
    LocationsQueryBody,
    RefreshBody,
    RegisterBody,
    RegisteredSchema,
    RegisterQuery,
    ValidateBody,
)
from catalog.registering.validation import faults_of
from catalog.registering.waking import request_refresh
from catalog.schemas import CatalogLocationSchema
from catalog.views import blueprint
from portal_backend.core import clock
from portal_backend.core.auth import current_principal, reads
from portal_backend.core.db import reading, transaction
from portal_backend.core.errors import Fault, InvalidInput, backstage_document
from portal_backend.core.http import json_bytes, plain_json

LOCATION = "/locations/<string:location_id>"
ENTITY = "/entities/by-uid/<string:uid>"
WRITE = "catalog:write"
"""The scope that lets a caller register locations."""


@blueprint.post("/locations")
@blueprint.arguments(RegisterQuery, location="query")
@blueprint.arguments(RegisterBody)
@blueprint.response(201, RegisteredSchema)
def register_location(query: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Register a location; it is read as soon as possible. With `dryRun`, read it now and store nothing."""
    type_, target = body["type"], body["target"]
    _require_permitted(type_, target)
    if query["dry_run"]:
        return _preview(type_, target)
    actor = current_principal().name
    with transaction() as session:
        now = clock.now()
        location = registrations.register(session, type_, target, actor, now, on_conflict=query["on_conflict"])
        return {"location": _form(location), "entities": []}


@blueprint.post("/locations/by-query")
@reads
@blueprint.arguments(LocationsQueryBody, required=False, unknown=EXCLUDE)
@blueprint.response(200, LocationsPageSchema)
def get_locations_by_query(body: dict[str, Any]) -> dict[str, Any]:
    """Read a page of the locations that a predicate selects."""
    with reading() as session:
        page = query_locations(session, body.get("query"), body.get("limit"), body.get("cursor"))
        info = {} if page.next_cursor is None else {"next_cursor": page.next_cursor}
        return {"items": [_form(location) for location in page.items], "total": page.total, "page_info": info}


@blueprint.get(LOCATION)
@blueprint.response(200, CatalogLocationSchema)
def get_location(location_id: str) -> dict[str, str]:
    """Read a location; 404 when none has this id."""
    with reading() as session:
        return _form(registrations.get_location(session, location_id))


@blueprint.put(LOCATION)
@blueprint.arguments(LocationBody)
@blueprint.response(200, CatalogLocationSchema)
def put_location(body: dict[str, Any], location_id: str) -> dict[str, str]:
    """Give a location another target; it keeps its id and its entity reference."""
    _refuse("type", settings.type_refusal(body["type"], settings.current()))
    with reading() as session:
        registrations.get_location(session, location_id)
    _require_permitted(body["type"], body["target"])
    with transaction() as session:
        actor, now = current_principal().name, clock.now()
        return _form(registrations.move(session, location_id, body["type"], body["target"], actor, now))


@blueprint.delete(LOCATION)
@blueprint.response(204)
def delete_location(location_id: str) -> None:
    """Take a location away, with everything that only it supplied."""
    with transaction() as session:
        remove_location(session, location_id, current_principal().name, clock.now())


@blueprint.get("/locations/by-entity/<string:kind>/<string:namespace>/<string:name>")
@blueprint.response(200, CatalogLocationSchema)
def get_location_by_entity(kind: str, namespace: str, name: str) -> dict[str, str]:
    """Read the registered location that led to an entity; 404 when there is no such entity."""
    with reading() as session:
        return _form(registrations.location_of(session, make_ref(kind, namespace, name)))


@blueprint.get(ENTITY)
@blueprint.doc(responses={"200": {"description": "The final entity, with its relations."}})
def get_entity_by_uid(uid: str) -> Response:
    """Read an entity by its uid; 404 when none has it."""
    with reading() as session:
        return json_bytes(body_by_uid(session, uid))


@blueprint.delete(ENTITY)
@blueprint.response(204)
def delete_entity(uid: str) -> None:
    """Take an entity away; if its location still holds it, it comes back with a new uid. 204 for an unknown uid too."""
    with transaction() as session:
        remove_entity(session, uid, current_principal().name, clock.now())


@blueprint.get("/entities/by-name/<string:kind>/<string:namespace>/<string:name>/ancestry")
@blueprint.doc(responses={"200": {"description": "`{rootEntityRef, items: [{entity, parentEntityRefs}]}`"}})
def get_ancestry(kind: str, namespace: str, name: str) -> Response:
    """Read an entity and the Location entities that led to it, the nearest first."""
    ref = make_ref(kind, namespace, name)
    with reading() as session:
        items = [
            b'{"entity":%b,"parentEntityRefs":%b}' % (item.body, orjson.dumps(item.parent_refs))
            for item in ancestry(session, ref)
        ]
    return json_bytes(b'{"rootEntityRef":%b,"items":[%b]}' % (orjson.dumps(ref), b",".join(items)))


@blueprint.post("/refresh")
@reads
@blueprint.arguments(RefreshBody)
@blueprint.doc(responses={"200": {"description": "It will be read as soon as possible. No body."}})
def refresh_entity(body: dict[str, Any]) -> Response:
    """Have an entity read again, with all Location entities that led to it; nothing else changes."""
    with transaction() as session:
        request_refresh(session, body["entity_ref"], clock.now())
    return Response(status=200)


@blueprint.post("/analyze-location")
@reads
@blueprint.arguments(AnalyzeBody, unknown=EXCLUDE)
@blueprint.response(200, AnalysisSchema)
def analyze_location(body: dict[str, Any]) -> dict[str, Any]:
    """Tell the catalog files that a repository has; where it has none that we may see, suggest a descriptor.

    A repository is looked at where its host is configured with a token.
    """
    target, reader = body["location"]["target"], settings.current().reader()
    entity = suggest_component(target, reader.integrations)
    files = read_existing(reader, target, body["catalog_filename"] or body["catalog_file_name"])
    if not files:
        return {"existing": [], "generated": [{"entity": entity, "fields_": []}]}
    with reading() as session:
        return {"existing": with_registration(session, files), "generated": []}


@blueprint.post("/validate-entity")
@reads
@blueprint.arguments(ValidateBody, unknown=EXCLUDE)
@blueprint.doc(
    responses={"200": {"description": "Valid. No body."}, "400": {"description": "`{errors: [{name, message}]}`"}}
)
def validate_entity(body: dict[str, Any]) -> Response:
    """Judge a descriptor as if a location held it; nothing is stored.

    What placeholders name is read for whoever may register locations: it may be what only our tokens may read.
    """
    entity, location = body["entity"], body["location"]
    fill = _filling(location) if current_principal().may(WRITE) else None
    faults = faults_of(entity, location, known_kinds(settings.current().kinds), fill)
    if not faults:
        return Response(status=200)
    told = [str(fault) for fault in faults]
    document: dict[str, Any] = {"errors": [{"name": "InputError", "message": message} for message in told]}
    if not (isinstance(entity, dict) and isinstance(location, str)):
        document |= backstage_document(InvalidInput.status, "; ".join(told))
    response = plain_json(document)
    response.status_code = InvalidInput.status
    return response


def _preview(type_: str, target: str) -> dict[str, Any]:
    check_target(type_, target)
    entities = preview(settings.current().reader(), type_, target)
    with reading() as session:
        exists = find_location(session, type_, target) is not None
    ref = location_ref(type_, target)
    location = {"id": ref, "type": type_, "target": target, "entity_ref": generated_ref(ref)}
    return {"location": location, "entities": entities, "exists": exists}


def _filling(location: Any) -> Fill:
    """Return what fills the placeholders of a descriptor that would stand at a location, a reference `url:…`."""

    def fill(entity: Any) -> tuple[Any, list[Fault]]:
        target = location.partition(":")[2].strip()
        reader = settings.current().reader().within(URL, target, MAX_SECONDS)
        return Filling(reader, Place(URL, target)).fill(entity)

    return fill


def _require_permitted(type_: str, target: str) -> None:
    _refuse("target", settings.registration_refusal(type_, target, settings.current()))


def _refuse(field: str, reason: str | None) -> None:
    """Raise InvalidInput where there is a reason against what a field says."""
    if reason:
        raise InvalidInput(f"{reason}.", [Fault(field, reason)])


def _form(location: Location) -> dict[str, str]:
    """Return what is told of a location, read while its session is open."""
    return {
        "id": location.id,
        "type": location.type,
        "target": location.target,
        "entity_ref": location.entity_ref,
    }
