"""JSON shapes of the fleet over time."""

from marshmallow import RAISE, Schema, fields, validate

from portal_backend.core.http import Moment
from scorecards.checks.definitions import Axis
from scorecards.fleet_trends.reading import MOST_POINTS, Step
from scorecards.schemas import TIERS
from scorecards.timeline_schemas import GROUPS


def _only(description: str) -> fields.String:
    return fields.String(load_default=None, metadata={"description": description})


class FleetSpanQuery(Schema):
    """Which services, and which time."""

    class Meta:
        unknown = RAISE

    since = Moment(load_default=None, data_key="from", metadata={"description": "Default: 13 weeks before `to`."})
    until = Moment(load_default=None, data_key="to", metadata={"description": "Default: the next full five minutes."})
    step = fields.Enum(
        Step,
        by_value=True,
        load_default=Step.WEEK,
        metadata={"description": f"`day` or `week`; at most {MOST_POINTS} points."},
    )
    owner = _only("Only services of this owner, `group:default/bards`.")
    system = _only("Only services of this system.")
    criticality = _only("Only services of this criticality.")
    lifecycle = _only("Only services of this lifecycle.")
    type = _only("Only services of this type.")
    tier = fields.String(
        load_default=None,
        validate=validate.OneOf(TIERS),
        metadata={"description": "Only services of this support tier."},
    )


class FleetTrendQuery(FleetSpanQuery):
    """Which services, and how they are grouped."""

    group_by = fields.String(
        load_default=None,
        validate=validate.OneOf(GROUPS),
        metadata={"description": "A series for each value of it; leave out for one series."},
    )


class FleetPictureQuery(FleetSpanQuery):
    """What the picture shows."""

    axis = fields.Enum(
        Axis, by_value=True, load_default=None, metadata={"description": "One of the six; left out: all of them."}
    )


class FleetStandingSchema(Schema):
    """How many services stood where."""

    levels = fields.Dict(fields.String(), fields.Integer(), metadata={"description": "Services by level."})
    percent = fields.Float(allow_none=True, metadata={"description": "Mean over the services."})
    coverage = fields.Float(allow_none=True, metadata={"description": "Mean over the services."})


class FleetPointSchema(FleetStandingSchema):
    """How the services stood at a moment."""

    at = Moment(metadata={"description": "The beginning of the span, then the end of each day or week."})
    services = fields.Integer(metadata={"description": "Those that had been judged by then."})
    axes = fields.Dict(fields.String(), fields.Nested(FleetStandingSchema))


class FleetSeriesSchema(Schema):
    """A group over time."""

    group = fields.String(allow_none=True, metadata={"description": "Null: services that state none."})
    points = fields.List(fields.Nested(FleetPointSchema))


class FleetTrendSchema(Schema):
    """The fleet over time."""

    from_moment = Moment(data_key="from", attribute="from")
    to = Moment()
    step = fields.String()
    services = fields.Integer(metadata={"description": "The services of today that are asked for."})
    points = fields.List(fields.Nested(FleetPointSchema))
    group_by = fields.String(allow_none=True)
    groups = fields.List(fields.Nested(FleetSeriesSchema), metadata={"description": "The 20 largest groups, by name."})
    more_groups = fields.Integer(metadata={"description": "Groups beyond that."})
