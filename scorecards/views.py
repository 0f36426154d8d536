"""HTTP: scorecards of services, and the checks behind them."""

from typing import Any

from catalog.format.refs import make_ref
from portal_backend.core import clock
from portal_backend.core.db import reading
from portal_backend.core.errors import NotFound
from portal_backend.core.pagination import Page
from scorecards import judging, scorecard
from scorecards.blueprints import blueprint
from scorecards.checks.definitions import level_name
from scorecards.documents import Document, check_form
from scorecards.schemas import (
    ChangePageSchema,
    ChangeQuery,
    CheckListSchema,
    CheckSchema,
    NoQuery,
    ScorecardSchema,
)

SERVICE = "/services/<string:kind>/<string:namespace>/<string:name>"


@blueprint.get(f"{SERVICE}/scorecard")
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, ScorecardSchema)
def get_scorecard(_query: dict[str, Any], kind: str, namespace: str, name: str) -> Document:
    """Read a service's scorecard; 404 when the catalog has no such service."""
    with reading() as session:
        return scorecard.read(session, judging.current(), make_ref(kind, namespace, name), clock.now())


@blueprint.get(f"{SERVICE}/scorecard/changes")
@blueprint.arguments(ChangeQuery, location="query")
@blueprint.response(200, ChangePageSchema)
def list_changes(query: dict[str, Any], kind: str, namespace: str, name: str) -> Page[Any]:
    """List the changes of a service's verdicts, the latest first, each with its cause; 404 without such a service."""
    with reading() as session:
        ref = make_ref(kind, namespace, name)
        return scorecard.changes(session, ref, query["cursor"], query["limit"])


@blueprint.get("/scorecards/checks")
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, CheckListSchema)
def list_checks(_query: dict[str, Any]) -> Document:
    """List every check, with its rule and what a person is told."""
    catalogue = judging.current().catalogue
    return {
        "version": catalogue.version,
        "highest_level": level_name(catalogue.highest_level),
        "items": [check_form(check) for check in catalogue.checks.values()],
    }


@blueprint.get("/scorecards/checks/<string:check_id>")
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, CheckSchema)
def get_check(_query: dict[str, Any], check_id: str) -> Document:
    """Read one check; 404 when the catalogue has none of this id."""
    check = judging.current().catalogue.checks.get(check_id)
    if check is None:
        raise NotFound(f"There is no check {check_id}; /api/scorecards/checks lists them all.")
    return check_form(check)
