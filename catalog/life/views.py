"""HTTP: what happened to entities, and which of them never passed."""

from typing import Any

from catalog.format.refs import make_ref
from catalog.ingestion.changes import list_changes
from catalog.life.schemas import EntityHistorySchema, HistoryQuery, UnprocessedQuery, UnprocessedSchema
from catalog.life.unprocessed import Unprocessed, as_backstage, list_failed, list_pending
from catalog.views import blueprint
from portal_backend.core.db import reading
from portal_backend.core.pagination import Page


@blueprint.get("/entities/by-name/<string:kind>/<string:namespace>/<string:name>/history")
@blueprint.arguments(HistoryQuery, location="query")
@blueprint.response(200, EntityHistorySchema)
def get_history(query: dict[str, Any], kind: str, namespace: str, name: str) -> Page[dict[str, Any]]:
    """Read what happened to an entity, newest first; also of one that was removed."""
    with reading() as session:
        return list_changes(session, make_ref(kind, namespace, name), query["limit"], query["cursor"])


@blueprint.get("/entities/unprocessed/failed")
@blueprint.arguments(UnprocessedQuery, location="query")
@blueprint.response(200, UnprocessedSchema)
def get_failed(query: dict[str, Any]) -> dict[str, Any]:
    """List the entities that never passed, with the cause."""
    with reading() as session:
        return _answer("failed", list_failed(session, query["limit"], query["cursor"]))


@blueprint.get("/entities/unprocessed/pending")
@blueprint.arguments(UnprocessedQuery, location="query")
@blueprint.response(200, UnprocessedSchema)
def get_pending(query: dict[str, Any]) -> dict[str, Any]:
    """List the registered locations that were never read yet."""
    with reading() as session:
        return _answer("pending", list_pending(session, query["limit"], query["cursor"]))


def _answer(type_: str, page: Page[Unprocessed]) -> dict[str, Any]:
    return {"type": type_, "entities": [as_backstage(one) for one in page.items], "next_cursor": page.next_cursor}
