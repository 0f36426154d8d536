"""HTTP: the sources, their runs, and what connectors can supply."""

from typing import Any

from marshmallow import RAISE

from plugins import reports, sources
from plugins.health import SourceHealth, get_health, health
from plugins.schemas import (
    ConnectorListSchema,
    FactSpecListSchema,
    SourceListSchema,
    SourceRunPageSchema,
    SourceSchema,
)
from portal_backend.core import clock
from portal_backend.core.db import reading, transaction
from portal_backend.core.http import NoBody, PageQuery, make_blueprint
from portal_backend.core.pagination import Page

blueprint = make_blueprint("plugins", __name__, "/api/plugins", "Where observations come from, and how that is going.")


@blueprint.get("/sources")
@blueprint.response(200, SourceListSchema)
def list_sources() -> dict[str, Any]:
    """List the configured sources and how each is doing."""
    with reading() as session:
        return {"items": list(health(session, clock.now()).values())}


@blueprint.get("/sources/<string:name>")
@blueprint.response(200, SourceSchema)
def get_source(name: str) -> SourceHealth:
    """Read how one source is doing; 404 when none is configured under this name."""
    with reading() as session:
        return get_health(session, name, clock.now())


@blueprint.get("/sources/<string:name>/runs")
@blueprint.arguments(PageQuery, location="query", unknown=RAISE)
@blueprint.response(200, SourceRunPageSchema)
def list_runs(query: dict[str, Any], name: str) -> Page[Any]:
    """List the runs of a source, newest first."""
    with reading() as session:
        return reports.list_runs(session, name, query["limit"], query["cursor"])


@blueprint.post("/sources/<string:name>/collect")
@blueprint.arguments(NoBody, required=False)
@blueprint.response(202, SourceSchema)
def collect(_body: dict[str, Any], name: str) -> SourceHealth:
    """Make a source due now: the worker pulls it at its next look (or goes on with the run that is under way)."""
    now = clock.now()
    with transaction() as session:
        sources.request_collection(session, name, now)
        return get_health(session, name, now)


@blueprint.get("/fact-specs")
@blueprint.response(200, FactSpecListSchema)
def list_fact_specs() -> dict[str, Any]:
    """List every fact that the installed connectors can supply."""
    return {"items": reports.fact_specs()}


@blueprint.get("/connectors")
@blueprint.response(200, ConnectorListSchema)
def list_connectors() -> dict[str, Any]:
    """List the installed connectors, those that cannot be loaded with the reason."""
    return {"items": reports.list_connectors()}
