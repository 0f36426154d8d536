"""JSON shapes of simulations and of kept catalogue versions."""

from marshmallow import Schema, fields, validate

from portal_backend.core.http import Moment, PageQuery
from scorecards.checks.definitions import Axis, Status
from scorecards.simulation.effect import Change
from scorecards.simulation.history import MAX_WEEKS

MAX_FILES = 50
MAX_REFS = 500


def _about(text: str) -> dict[str, str]:
    return {"description": text}


class CatalogueFileSchema(Schema):
    """A catalogue file as it would be."""

    name = fields.String(
        required=True,
        validate=validate.Length(1, 200),
        metadata=_about("A file of today's catalogue of this name is exchanged, any other is added."),
    )
    content = fields.String(required=True, metadata=_about("YAML, as in the file."))


class SimulationSchema(Schema):
    """What would be changed."""

    files = fields.List(fields.Nested(CatalogueFileSchema), load_default=list, validate=validate.Length(max=MAX_FILES))
    without = fields.List(
        fields.String(), load_default=list, metadata=_about("Names of today's files that would be left out.")
    )
    checks = fields.List(fields.Raw(), metadata=_about("Checks to add, each as in a file."))
    overrides = fields.List(
        fields.Raw(), metadata=_about("Changes of single checks: `{check, change: {thresholds, level, ...}}`.")
    )
    disabled = fields.List(fields.Raw(), metadata=_about("Checks to take out: `{check, reason}`."))
    as_enforced = fields.Boolean(
        load_default=True,
        metadata=_about("Judge the changed catalogue as it is once every check in shadow is enforced."),
    )
    refs = fields.List(
        fields.String(),
        load_default=None,
        validate=validate.Length(1, MAX_REFS),
        metadata=_about("Judge these services only; all of them by default."),
    )


class PastSimulationSchema(SimulationSchema):
    """What would have been changed, and how far to look back; nothing changed: the fleet under today's checks."""

    weeks = fields.Integer(
        load_default=12,
        validate=validate.Range(1, MAX_WEEKS),
        metadata=_about("How many weeks to look back, one point each; the last point is now."),
    )


class PastSideSchema(Schema):
    """The fleet under one catalogue at one moment."""

    levels = fields.Dict(fields.String(), fields.Integer(), metadata=_about("Services by overall level."))
    axes = fields.Dict(
        fields.String(),
        fields.Dict(fields.String(), fields.Integer()),
        metadata=_about("Of each axis: services by its level."),
    )
    percent = fields.Float(allow_none=True, metadata=_about("The mean."))


class PastPointSchema(Schema):
    """One moment of the past."""

    at = Moment()
    before = fields.Nested(PastSideSchema, metadata=_about("By today's catalogue."))
    after = fields.Nested(PastSideSchema, metadata=_about("By the changed one."))
    lower = fields.Integer(metadata=_about("Services that the changed one would have put lower."))
    higher = fields.Integer(metadata=_about("Services that it would have put higher."))


class PastEffectSchema(Schema):
    """What a changed catalogue would have said of services over some weeks. Nothing is written."""

    summary = fields.String()
    judged = fields.Integer()
    version_before = fields.String()
    version_after = fields.String()
    points = fields.List(fields.Nested(PastPointSchema), metadata=_about("The earliest first."))
    not_known = fields.List(fields.String(), metadata=_about("What of those weeks is not kept."))


class EffectQuery(PageQuery):
    """Parameters of an effect: a page of the services that would change."""


class LevelCountsSchema(Schema):
    """Services by overall level."""

    before = fields.Dict(fields.String(), fields.Integer())
    after = fields.Dict(fields.String(), fields.Integer())
    raised = fields.Integer()
    lowered = fields.Integer()


class VerdictMoveSchema(Schema):
    """Services whose verdict on a check would go from one to another."""

    before = fields.Enum(Status, by_value=True, allow_none=True)
    after = fields.Enum(Status, by_value=True, allow_none=True)
    services = fields.Integer()


class CheckEffectSchema(Schema):
    """What becomes of a check."""

    check = fields.String()
    title = fields.String()
    axis = fields.Enum(Axis, by_value=True)
    level = fields.String()
    change = fields.Enum(Change, by_value=True)
    before = fields.Dict(fields.String(), fields.Integer(), metadata=_about("Services by verdict."))
    after = fields.Dict(fields.String(), fields.Integer(), metadata=_about("Services by verdict."))
    moves = fields.List(fields.Nested(VerdictMoveSchema))


class VerdictChangeSchema(Schema):
    """A verdict that would be another, or would count; null where the check is not in the catalogue."""

    check = fields.String()
    before = fields.Enum(Status, by_value=True, allow_none=True)
    after = fields.Enum(Status, by_value=True, allow_none=True)
    shadow_before = fields.Boolean(metadata=_about("The check is in shadow: it counts for nothing."))
    shadow_after = fields.Boolean(metadata=_about("The same by the changed catalogue."))


class AxisChangeSchema(Schema):
    """A level of an axis that would be another."""

    axis = fields.Enum(Axis, by_value=True)
    before = fields.String(allow_none=True)
    after = fields.String(allow_none=True)


class ServiceEffectSchema(Schema):
    """A service that would change."""

    ref = fields.String()
    level_before = fields.String(allow_none=True)
    level_after = fields.String(allow_none=True)
    percent_before = fields.Float(allow_none=True)
    percent_after = fields.Float(allow_none=True)
    axes = fields.List(fields.Nested(AxisChangeSchema))
    verdicts = fields.List(fields.Nested(VerdictChangeSchema))


class EffectSchema(Schema):
    """What a changed catalogue would do. Nothing is written."""

    summary = fields.String()
    judged = fields.Integer(metadata=_about("Services that were judged by both catalogues."))
    changed = fields.Integer(metadata=_about("Services that would change."))
    version_before = fields.String()
    version_after = fields.String()
    levels = fields.Nested(LevelCountsSchema)
    checks = fields.List(fields.Nested(CheckEffectSchema))
    items = fields.List(
        fields.Nested(ServiceEffectSchema),
        metadata=_about("What falls farthest first, then what rises, then the rest."),
    )
    next_cursor = fields.String(allow_none=True)


class CatalogueVersionSchema(Schema):
    """A catalogue by which services were judged."""

    version = fields.String()
    first_used_at = Moment()
    checks = fields.Integer(metadata=_about("How many checks it has."))
    disabled = fields.Dict(fields.String(), fields.String(), metadata=_about("Checks taken out, each with the reason."))
    levels_by_points = fields.Dict(
        fields.String(),
        fields.Float(),
        allow_none=True,
        metadata=_about("Percent of the points that each level asks for; null where the checks alone make the levels."),
    )


class CataloguePageSchema(Schema):
    """A page of catalogue versions, the latest first."""

    items = fields.List(fields.Nested(CatalogueVersionSchema))
    next_cursor = fields.String(allow_none=True)


class DefinitionChangeSchema(Schema):
    """A check whose definition differs from that in another version."""

    check = fields.String()
    change = fields.Enum(Change, by_value=True)
    fields_changed = fields.List(fields.String())


class VersionQuery(Schema):
    """What to compare a version with."""

    against = fields.String(
        load_default=None, metadata=_about("Another version; by default the one that was used before it.")
    )


class WholeCatalogueSchema(CatalogueVersionSchema):
    """A catalogue with its checks, and what it changed."""

    definitions = fields.List(fields.Dict(), metadata=_about("Every check as its files had it, overrides applied."))
    against = fields.String(allow_none=True)
    changes = fields.List(fields.Nested(DefinitionChangeSchema))
