"""HTTP: scorecards as CSV."""

import hashlib
from collections.abc import Iterator
from typing import Any

from flask import Response, request

from catalog.format.refs import make_ref
from portal_backend.core import clock
from portal_backend.core.db import reading
from portal_backend.core.errors import NotFound
from portal_backend.core.streams import streamed
from scorecards import judging, scorecard
from scorecards.blueprints import blueprint
from scorecards.exports.tables import (
    RESULT_COLUMNS,
    SERVICE_COLUMNS,
    csv_text,
    result_rows,
    service_pages,
    state_of_all,
)
from scorecards.schemas import NoQuery

SERVICE = "/services/<string:kind>/<string:namespace>/<string:name>"


def _answers_csv(description: str) -> Any:
    content = {"text/csv": {"schema": {"type": "string"}}}
    return blueprint.doc(responses={"200": {"description": description, "content": content}})


@blueprint.get("/scorecards.csv")
@blueprint.arguments(NoQuery, location="query")
@_answers_csv(f"A row for each service, below the columns {', '.join(SERVICE_COLUMNS[:7])}, those of each axis, …")
def export_scorecards(_query: dict[str, Any]) -> Response:
    """Export where every service stands, sent as it is read."""
    with reading() as session:
        etag = state_of_all(session)
    if request.if_none_match.contains(etag):
        return _told(Response(status=304), etag)
    return _csv(streamed(_all_services()), "scorecards.csv", etag)


def _all_services() -> Iterator[bytes]:
    with reading() as session:
        pages = service_pages(session)
        yield csv_text([SERVICE_COLUMNS, *next(pages, [])]).encode()
        for page in pages:
            yield csv_text(page).encode()


@blueprint.get(f"{SERVICE}/scorecard.csv")
@blueprint.arguments(NoQuery, location="query")
@_answers_csv("A row for each verdict.")
def export_scorecard(_query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Export every verdict on one service; 404 when the catalog has no such service."""
    ref = make_ref(kind, namespace, name)
    if "\0" in ref:  # no database takes that as a text
        raise NotFound(f"The catalog has no service {ref!r}.")
    with reading() as session:
        card = scorecard.read(session, judging.current(), ref, clock.now())
    body = csv_text([RESULT_COLUMNS, *result_rows(card)]).encode()
    etag = hashlib.sha256(body).hexdigest()[:32]
    if request.if_none_match.contains(etag):
        return _told(Response(status=304), etag)
    return _csv(iter([body]), "scorecard.csv", etag)


def _csv(body: Iterator[bytes], filename: str, etag: str) -> Response:
    response = Response(body, mimetype="text/csv", direct_passthrough=True)  # not gathered to be tagged
    response.headers["Content-Type"] = "text/csv; charset=utf-8; header=present"
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return _told(response, etag)


def _told(response: Response, etag: str) -> Response:
    response.set_etag(etag)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
