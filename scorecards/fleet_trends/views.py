"""HTTP: the fleet over time, as JSON and as a picture."""

from datetime import timedelta
from typing import Any

from flask import Response

from portal_backend.core import clock
from portal_backend.core.db import reading
from portal_backend.core.http import plain_json
from scorecards import judging
from scorecards.blueprints import blueprint
from scorecards.checks.definitions import AXIS_TITLES, Axis
from scorecards.documents import Document
from scorecards.fleet_trends.reading import fleet_trend, series_of
from scorecards.fleet_trends.schemas import FleetPictureQuery, FleetTrendQuery, FleetTrendSchema
from scorecards.fleet_trends.totals import middle_level
from scorecards.pictures.drawing import etag_of
from scorecards.pictures.shown import Point, Shown
from scorecards.pictures.trend import trend
from scorecards.pictures.views import answers_a_picture, full_five_minutes, picture
from scorecards.timeline_schemas import GROUPS

USUAL = timedelta(weeks=13)


@blueprint.get("/scorecards/fleet/trend")
@blueprint.arguments(FleetTrendQuery, location="query")
@blueprint.response(200, FleetTrendSchema)
def get_fleet_trend(query: dict[str, Any]) -> Response:
    """Read how the services of today stood over time: by level, and mean percentages, over all and on each axis."""
    return plain_json(_found(query))


@blueprint.get("/scorecards/fleet/trend.svg")
@blueprint.arguments(FleetPictureQuery, location="query")
@answers_a_picture("The mean percent and unknown share of many services over time.")
def get_fleet_picture(query: dict[str, Any]) -> Response:
    """Draw how the services of today stood over time; the level is the highest that half of them had."""
    axis: Axis | None = query["axis"]
    found = _found(query)
    points = [_point(at, standing) for at, standing in series_of(found, axis.value if axis else None)]
    whose = " ".join(f"{name} {query[name]}" for name in GROUPS if query.get(name)) or "all services"
    title = f"Readiness of {whose}" + (f": {AXIS_TITLES[axis]}" if axis else "")
    start, end = found["from"], found["to"]
    return picture(etag_of("fleet", title, start, end, *points), lambda: trend(title, points, start, end))


def _found(query: dict[str, Any]) -> Document:
    until = query["until"] or full_five_minutes(clock.now())
    since = query["since"] or until - USUAL
    only = {name: query[name] for name in GROUPS if query[name] is not None}
    with reading() as session:
        return fleet_trend(session, judging.current(), (since, until), query["step"], query.get("group_by"), only)


def _point(at: Any, standing: Document) -> Point:
    return Point(at, Shown(middle_level(standing["levels"]), standing["percent"], standing["coverage"]))
