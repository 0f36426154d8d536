"""JSON shapes of scorecards over time, and over many services."""

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from portal_backend.core.http import Moment, PageQuery
from scorecards.schemas import LEVEL, TIERS


def _text(description: str, **given: Any) -> fields.String:
    return fields.String(metadata={"description": description}, **given)


CAUSES = (
    "`service_changed`, `rule_changed`, `waiver_changed`, `attestation_changed`, `inheritance_changed`, "
    "`evidence_lost` (nothing is known to be worse), `evidence_gained` or `first_judged`."
)


SHADOW_THEN = "The check was in shadow: the verdict counted for nothing. Null where that was not kept."


class ChangeSchema(Schema):
    """A verdict that changed, or whose check was edited while it stayed."""

    check = fields.String(attribute="check_id")
    from_status = _text("Null when the check was judged for the first time.", allow_none=True)
    to_status = _text("Null when the catalogue no longer has the check.", allow_none=True)
    cause = _text(CAUSES)
    check_version = fields.Integer()
    shadow = fields.Boolean(allow_none=True, metadata={"description": SHADOW_THEN})
    sentence = _text("Made from the values below by the check as it is today, while that decides by the same rule.")
    values = fields.Dict(metadata={"description": "Of the facts that the verdict rested on."})
    at = Moment()


class ChangePageSchema(Schema):
    """A page of changes."""

    items = fields.List(fields.Nested(ChangeSchema))
    next_cursor = fields.String(allow_none=True)


class ChangeQuery(PageQuery):
    """Which page of changes."""

    class Meta:
        unknown = RAISE


class MeanStandingSchema(Schema):
    """Percent and coverage of several together."""

    percent = fields.Float(allow_none=True)
    coverage = fields.Float(allow_none=True)


class ShortStandingSchema(MeanStandingSchema):
    """Level, percent and coverage."""

    level = _text(f"{LEVEL}; null while no check applied.", allow_none=True)


class AxisThenSchema(ShortStandingSchema):
    """An axis as it stood."""

    axis = fields.String()
    title = fields.String()


class PastResultSchema(Schema):
    """A verdict as it stood."""

    check = fields.String()
    title = _text("Null when the catalogue no longer has the check.", allow_none=True)
    axis = fields.String(allow_none=True)
    status = fields.String()
    shadow = fields.Boolean(allow_none=True, metadata={"description": SHADOW_THEN})
    version = fields.Integer(metadata={"description": "The version of the check that was judged by."})
    since = Moment(metadata={"description": "When the verdict had last changed."})
    cause = _text(f"Why it had: {CAUSES}")
    sentence = fields.String()
    values = fields.Dict(metadata={"description": "Of the facts that it rested on when it had last changed."})


class PastScorecardSchema(ShortStandingSchema):
    """A scorecard as it stood on a date."""

    ref = fields.String()
    at = Moment()
    judged_at = Moment(metadata={"description": "When a judgement had last changed anything."})
    axes = fields.List(fields.Nested(AxisThenSchema))
    frozen_until = Moment(allow_none=True, metadata={"description": "Until when an outage held a level."})
    results = fields.List(fields.Nested(PastResultSchema))
    shadow_results = fields.List(
        fields.Nested(PastResultSchema),
        metadata={"description": "Checks that were not enforced then; they counted for nothing."},
    )
    catalogue_version = fields.String()
    not_known = fields.List(fields.String(), metadata={"description": "What of that day is not kept."})


class TrendPointSchema(ShortStandingSchema):
    """How a service stood at the end of a day on which something changed."""

    at = Moment()
    axes = fields.Dict(fields.String(), fields.Nested(ShortStandingSchema))


class TrendSchema(Schema):
    """Levels and percentages over time: one point for each day on which any of them changed."""

    ref = fields.String()
    from_moment = Moment(data_key="from", attribute="from")
    to = Moment()
    points = fields.List(fields.Nested(TrendPointSchema))


class DifferenceSchema(Schema):
    """A verdict that is another one at the second moment."""

    check = fields.String()
    from_status = fields.String(allow_none=True)
    to_status = fields.String(allow_none=True)
    cause = _text(CAUSES)
    from_shadow = fields.Boolean(allow_none=True, metadata={"description": SHADOW_THEN})
    to_shadow = fields.Boolean(allow_none=True, metadata={"description": SHADOW_THEN})
    since = Moment(allow_none=True)
    sentence = fields.String()


class StandingDifferenceSchema(Schema):
    """A level or percentage that is another one."""

    axis = _text("Null: over all axes.", allow_none=True)
    before = fields.Nested(ShortStandingSchema, data_key="from", attribute="from")
    to = fields.Nested(ShortStandingSchema)


class DiffSchema(Schema):
    """What is different between two moments."""

    ref = fields.String()
    from_moment = Moment(data_key="from", attribute="from")
    to = Moment()
    service_changed = fields.List(fields.Nested(DifferenceSchema))
    rule_changed = fields.List(fields.Nested(DifferenceSchema))
    other = fields.List(
        fields.Nested(DifferenceSchema),
        metadata={"description": "Evidence lost or gained, waivers, attestations and what is inherited."},
    )
    standings = fields.List(fields.Nested(StandingDifferenceSchema))
    rules_changed = fields.Boolean(metadata={"description": "The catalogue of checks was another one."})


class RuleChangeSchema(Schema):
    """A check that was another one than before."""

    check = fields.String()
    edit = _text("`new`, `removed`, `edited`, `enforced` (it came out of shadow) or `in_shadow` (it counts no longer).")
    from_version = fields.Integer(allow_none=True, metadata={"description": "Null for a new check."})
    to_version = fields.Integer(allow_none=True, metadata={"description": "Null for one that was removed."})


class LevelMoveSchema(Schema):
    """A level that moved."""

    axis = _text("Null: the overall level.", allow_none=True)
    from_level = fields.String(allow_none=True)
    to_level = fields.String(allow_none=True)
    cause = _text(CAUSES)
    checks = fields.List(
        fields.String(),
        metadata={
            "description": "The checks that moved it: by their verdicts or, with the cause `rule_changed`, by what was "
            "done to them. None where only weights changed, or what levels by points ask for."
        },
    )
    rules = fields.List(
        fields.Nested(RuleChangeSchema),
        metadata={"description": "With the cause `rule_changed`: what was done to them."},
    )
    sentence = fields.String()
    at = Moment()


class LevelMovePageSchema(Schema):
    """A page of level moves."""

    items = fields.List(fields.Nested(LevelMoveSchema))
    next_cursor = fields.String(allow_none=True)


class LevelMoveQuery(PageQuery):
    """Which page; `limit` counts the judgements that changed something, each of which may have moved several levels."""

    class Meta:
        unknown = RAISE


class ScorecardQuery(Schema):
    """Which scorecard: today's, or that of a moment."""

    class Meta:
        unknown = RAISE

    at = Moment(load_default=None, metadata={"description": "As it stood then; leave out for today's."})


class SpanQuery(Schema):
    """A span of time."""

    class Meta:
        unknown = RAISE

    since = Moment(load_default=None, data_key="from", metadata={"description": "Default: 90 days before `to`."})
    until = Moment(load_default=None, data_key="to", metadata={"description": "Default: the next full five minutes."})


class DiffQuery(Schema):
    """Two moments."""

    class Meta:
        unknown = RAISE

    since = Moment(required=True, data_key="from")
    until = Moment(load_default=None, data_key="to", metadata={"description": "Default: the next full five minutes."})


GROUPS = ("owner", "system", "criticality", "lifecycle", "type", "tier")


class FleetQuery(Schema):
    """How to group, and which services."""

    class Meta:
        unknown = RAISE

    group_by = fields.String(
        load_default=None,
        validate=validate.OneOf(GROUPS),
        metadata={"description": "One roll-up for each value of it; leave out for the whole fleet alone."},
    )
    owner = _text("Only services of this owner, `group:default/bards`.", load_default=None)
    system = _text("Only services of this system.", load_default=None)
    criticality = _text("Only services of this criticality.", load_default=None)
    lifecycle = _text("Only services of this lifecycle.", load_default=None)
    type = _text("Only services of this type.", load_default=None)
    tier = _text("Only services of this support tier.", load_default=None, validate=validate.OneOf(TIERS))


class WorstCheckSchema(Schema):
    """A check that many services do not pass."""

    check = fields.String()
    title = fields.String()
    axis = fields.String()
    level = fields.String()
    fail = fields.Integer()
    not_known = fields.Integer(data_key="unknown", attribute="unknown")
    applicable = fields.Integer(metadata={"description": "Services on which it counts."})


class AxisRollUpSchema(MeanStandingSchema):
    """Many services on one axis."""

    levels = fields.Dict(
        fields.String(),
        fields.Integer(),
        metadata={"description": "Services by their level on the axis; `none`: no check of it applies."},
    )


class RollUpSchema(Schema):
    """Many services put together."""

    group = _text("The owner, system, …; null for services that state none, and for the whole fleet.", allow_none=True)
    services = fields.Integer()
    levels = fields.Dict(
        fields.String(), fields.Integer(), metadata={"description": "Services by level; `none`: no check applies."}
    )
    percent = fields.Float(allow_none=True, metadata={"description": "Mean over the services."})
    coverage = fields.Float(allow_none=True, metadata={"description": "Mean over the services."})
    axes = fields.Dict(fields.String(), fields.Nested(AxisRollUpSchema))
    required = fields.Integer(metadata={"description": "Services of which a level is required."})
    meeting_required = fields.Integer(metadata={"description": "Those of them that have it."})
    meeting_required_percent = fields.Float(allow_none=True)
    frozen = fields.Integer(metadata={"description": "Services of which an outage holds a level."})
    worst_checks = fields.List(
        fields.Nested(WorstCheckSchema), metadata={"description": "The five that most services do not pass."}
    )


class FleetSchema(Schema):
    """The whole fleet, and its groups."""

    fleet = fields.Nested(RollUpSchema)
    group_by = fields.String(allow_none=True)
    groups = fields.List(fields.Nested(RollUpSchema), metadata={"description": "The largest first, at most 500."})
    more_groups = fields.Integer(metadata={"description": "Groups beyond that."})
