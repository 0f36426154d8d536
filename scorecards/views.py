"""HTTP: scorecards of services, and the checks behind them."""

from datetime import timedelta
from typing import Any

from flask import Response

from catalog.format.refs import make_ref
from portal_backend.core import clock
from portal_backend.core.db import reading
from portal_backend.core.errors import Fault, InvalidInput, NotFound
from portal_backend.core.http import plain_json
from portal_backend.core.pagination import Page
from portal_backend.core.quick_reading import quick_reading
from scorecards import fleet, judging, scorecard, timeline
from scorecards.blueprints import blueprint
from scorecards.checks.definitions import level_name
from scorecards.documents import Document, check_form
from scorecards.pictures.views import full_five_minutes
from scorecards.schemas import (
    CheckListSchema,
    CheckSchema,
    NoQuery,
    ScorecardSchema,
)
from scorecards.timeline_schemas import (
    GROUPS,
    ChangePageSchema,
    ChangeQuery,
    DiffQuery,
    DiffSchema,
    FleetQuery,
    FleetSchema,
    LevelMovePageSchema,
    LevelMoveQuery,
    PastScorecardSchema,
    ScorecardQuery,
    SpanQuery,
    TrendSchema,
)

SERVICE = "/services/<string:kind>/<string:namespace>/<string:name>"


@blueprint.get(f"{SERVICE}/scorecard")
@blueprint.arguments(ScorecardQuery, location="query")
@blueprint.response(200, {"oneOf": [ScorecardSchema, PastScorecardSchema]})
def get_scorecard(query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Read a service's scorecard, today's or that of a moment; 404 when the catalog has no such service.

    With `at` the answer is a `PastScorecard`: what the kept changes tell of that moment, and what they do not.
    """
    ref, at = make_ref(kind, namespace, name), query["at"]
    if at is not None and at > clock.now():
        message = "lies in the future: nobody knows how it will stand"
        raise InvalidInput(f"at {message}.", [Fault("at", message)])
    with reading() as session:
        if at is not None:
            return plain_json(timeline.scorecard_at(session, judging.current(), ref, at))
        with quick_reading() as reader:
            return plain_json(scorecard.read_one(session, reader, judging.current(), ref, clock.now()))


@blueprint.get(f"{SERVICE}/scorecard/trend")
@blueprint.arguments(SpanQuery, location="query")
@blueprint.response(200, TrendSchema)
def get_trend(query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Read how a service's levels and percentages went; 404 when it has never been judged."""
    until = query["until"] or full_five_minutes(clock.now())
    since = query["since"] or until - timedelta(days=90)
    with reading() as session:
        return plain_json(timeline.trend(session, make_ref(kind, namespace, name), since, until))


@blueprint.get(f"{SERVICE}/scorecard/diff")
@blueprint.arguments(DiffQuery, location="query")
@blueprint.response(200, DiffSchema)
def get_diff(query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Read what is different between two moments, parted into what the service, the rules and the evidence did."""
    until = query["until"] or full_five_minutes(clock.now())
    with reading() as session:
        ref = make_ref(kind, namespace, name)
        return plain_json(timeline.diff(session, judging.current(), ref, query["since"], until))


@blueprint.get(f"{SERVICE}/scorecard/levels")
@blueprint.arguments(LevelMoveQuery, location="query")
@blueprint.response(200, LevelMovePageSchema)
def list_level_moves(query: dict[str, Any], kind: str, namespace: str, name: str) -> Page[Any]:
    """List how a service's levels moved, overall and on each axis, the latest first, each with its cause."""
    with reading() as session:
        ref = make_ref(kind, namespace, name)
        return timeline.level_changes(session, ref, query["cursor"], query["limit"])


@blueprint.get(f"{SERVICE}/scorecard/changes")
@blueprint.arguments(ChangeQuery, location="query")
@blueprint.response(200, ChangePageSchema)
def list_changes(query: dict[str, Any], kind: str, namespace: str, name: str) -> Page[Any]:
    """List the changes of a service's verdicts, the latest first, each with its cause; 404 without such a service."""
    with reading() as session:
        ref = make_ref(kind, namespace, name)
        return timeline.list_changes(session, judging.current(), ref, query["cursor"], query["limit"])


@blueprint.get("/scorecards/fleet")
@blueprint.arguments(FleetQuery, location="query")
@blueprint.response(200, FleetSchema)
def get_fleet(query: dict[str, Any]) -> Response:
    """Read the scorecards of all services put together, or of some, and of each group of them."""
    only = {name: query[name] for name in GROUPS if query[name] is not None}
    with reading() as session:
        return plain_json(fleet.roll_up(session, judging.current(), query["group_by"], only))


@blueprint.get("/scorecards/checks")
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, CheckListSchema)
def list_checks(_query: dict[str, Any]) -> Document:
    """List every check, with its rule and what a person is told."""
    catalogue = judging.current().catalogue
    return {
        "version": catalogue.version,
        "highest_level": level_name(catalogue.highest_level),
        "levels_by_points": catalogue.ladder.told(),
        "groups": [vars(group) for group in catalogue.groups.values()],
        "disabled": dict(catalogue.disabled),
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
