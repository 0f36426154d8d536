"""HTTP: the pictures. Each is answered by its ETag alone, undrawn, to whoever has it already."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Response, request
from marshmallow import RAISE, Schema, fields, validate

from catalog.format.refs import make_ref
from portal_backend.core import clock
from portal_backend.core.db import reading
from portal_backend.core.errors import NotFound
from scorecards import judging
from scorecards.blueprints import blueprint
from scorecards.checks.definitions import AXIS_TITLES, Axis
from scorecards.pictures.badge import badge, missing_badge
from scorecards.pictures.drawing import etag_of
from scorecards.pictures.radar import radar
from scorecards.pictures.standings import read_axes, read_history, read_name, read_overall
from scorecards.pictures.trend import trend
from scorecards.schemas import NoQuery

SERVICE = "/services/<string:kind>/<string:namespace>/<string:name>"
FRESH_SECONDS = 300
"""How long a copy may be shown without asking again: GitHub's image proxy keeps to it."""
MAX_DAYS = 1100


class BadgeQuery(Schema):
    """What the badge shows."""

    class Meta:
        unknown = RAISE

    axis = fields.Enum(
        Axis, by_value=True, load_default=None, metadata={"description": "One of the six; left out: all of them."}
    )
    label = fields.String(
        load_default=None,
        validate=validate.Length(1, 40),
        metadata={"description": "The left half; left out: the axis, or `readiness`."},
    )


class TrendQuery(Schema):
    """What the trend shows."""

    class Meta:
        unknown = RAISE

    axis = fields.Enum(
        Axis, by_value=True, load_default=None, metadata={"description": "One of the six; left out: all of them."}
    )
    days = fields.Integer(
        load_default=90, validate=validate.Range(1, MAX_DAYS), metadata={"description": f"1 to {MAX_DAYS}, up to now."}
    )


def answers_a_picture(description: str, status: str = "200") -> Any:
    """Tell the API's description that a route answers a picture."""
    content = {"image/svg+xml": {"schema": {"type": "string"}}}
    return blueprint.doc(responses={status: {"description": description, "content": content}})


@blueprint.get(f"{SERVICE}/badge.svg")
@blueprint.arguments(BadgeQuery, location="query")
@answers_a_picture("A badge.")
@answers_a_picture("A badge that says that there is no such service.", "404")
def get_badge(query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Draw a service's level and percent, over all or on one axis, as a badge."""
    axis: Axis | None = query["axis"]
    label = query["label"] or (axis.value if axis else "readiness")
    try:
        with reading() as session:
            ref = make_ref(kind, namespace, name)
            catalogue = judging.current().catalogue
            shown = read_axes(session, ref, catalogue)[axis] if axis else read_overall(session, ref, catalogue)
    except NotFound:
        return _missing(missing_badge(label))
    return picture(etag_of("badge", label, shown), lambda: badge(label, shown))


@blueprint.get(f"{SERVICE}/radar.svg")
@blueprint.arguments(NoQuery, location="query")
@answers_a_picture("A radar of the six axes.")
def get_radar(_query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Draw where a service stands on each axis, and what is not known of it."""
    with reading() as session:
        ref = make_ref(kind, namespace, name)
        axes = read_axes(session, ref, judging.current().catalogue)
        called = read_name(session, ref)
    return picture(etag_of("radar", called, *axes.values()), lambda: radar(called, axes))


@blueprint.get(f"{SERVICE}/trend.svg")
@blueprint.arguments(TrendQuery, location="query")
@answers_a_picture("Level, percent and unknown share over time.")
def get_trend(query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """Draw where a service stood over the last days, over all or on one axis."""
    axis: Axis | None = query["axis"]
    end = full_five_minutes(clock.now())
    start = end - timedelta(days=query["days"])
    with reading() as session:
        ref = make_ref(kind, namespace, name)
        read_overall(session, ref, judging.current().catalogue)
        called = read_name(session, ref)
        points = [point for point in read_history(session, ref, axis, start) if point.at <= end]
    title = f"Readiness of {called}" + (f": {AXIS_TITLES[axis]}" if axis else "")
    return picture(etag_of("trend", title, start, end, *points), lambda: trend(title, points, start, end))


def full_five_minutes(moment: datetime) -> datetime:
    """Return the next full five minutes: what is told up to then, twice within them, is the same."""
    step = timedelta(seconds=FRESH_SECONDS)
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return start + -((start - moment) // step) * step


def picture(etag: str, draw: Callable[[], str]) -> Response:
    """Answer with a picture, or, without drawing it, that whoever asks has it already."""
    if request.if_none_match.contains(etag):
        response = Response(status=304)
    else:
        response = Response(draw(), mimetype="image/svg+xml")
    response.set_etag(etag)
    return _guarded(response, f"max-age={FRESH_SECONDS}")


def _missing(picture: str) -> Response:
    return _guarded(Response(picture, status=404, mimetype="image/svg+xml"), "no-cache")


def _guarded(response: Response, caching: str) -> Response:
    """Let the picture run nothing, should somebody open it by itself."""
    response.headers["Cache-Control"] = caching
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response
