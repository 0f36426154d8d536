"""HTTP: locations and faults. Reading entities is in `catalog.querying.views`."""

from typing import Any

from catalog.entities import list_faults
from catalog.locations import list_locations as all_locations
from catalog.schemas import CatalogFaultPageSchema, CatalogLocationItemSchema, FaultsQuery
from portal_backend.core.db import reading
from portal_backend.core.http import make_blueprint
from portal_backend.core.pagination import Page

blueprint = make_blueprint("catalog", __name__, "/api/catalog", "What exists: entities, in Backstage's catalog API.")


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
