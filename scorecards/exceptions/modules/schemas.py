"""JSON shapes of framework modules."""

import re
from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from portal_backend.core.http import Moment, PageQuery
from scorecards.checks.definitions import Axis
from scorecards.exceptions.modules.registry import CAPABILITIES, KINDS
from scorecards.exceptions.text_fields import MAX_TEXT, PlainText, in_range, sentence, word

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")
KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")
MANY = 200


def _one_of(values: tuple[str, ...]) -> validate.OneOf:
    return validate.OneOf(values, error=f"must be one of {', '.join(values)}")


def _texts(description: str, **given: Any) -> fields.List[Any]:
    text = PlainText(validate=validate.Length(1, 200))
    return fields.List(text, validate=validate.Length(max=MANY), metadata={"description": description}, **given)


class _Body(Schema):
    class Meta:
        unknown = RAISE


class ModuleDefinitionSchema(_Body):
    """What a module is."""

    title = word("As people call it.", required=True)
    description = sentence("What it does for a service.", required=True)
    kind = fields.String(
        required=True,
        validate=validate.Regexp(rf"^{KIND.pattern}\Z", error="must be lower-case letters, digits and _"),
        metadata={"description": f"One of {', '.join(KINDS)}, or one of your own together with its `axis`."},
    )
    axis = fields.String(
        load_default=None,
        validate=_one_of(tuple(Axis)),
        metadata={"description": "The axis that it serves; by default that of the kind."},
    )
    owner = word("Who keeps it, `group:default/platform`.", required=True)
    capabilities = fields.List(
        fields.String(validate=_one_of(CAPABILITIES)),
        load_default=(),
        metadata={"description": f"What it makes uniform: {', '.join(CAPABILITIES)}."},
    )


class ReleaseNoteSchema(_Body):
    """What is said of a release. What is left out stays as it is."""

    released_at = Moment(validate=in_range, metadata={"description": "By default now. Fixed once released."})
    supported_until = Moment(
        allow_none=True,
        validate=in_range,
        metadata={"description": "When support ends, and with it all inheritance; null while no end is announced."},
    )
    satisfies_checks = _texts("The checks that a service on it passes by it; by default those of `follows`.")
    follows = word("The version that it continues and whose fixes it has; by default the latest.")
    fixes = _texts("What it mends, by the names that the fixes go by.")
    notes = PlainText(validate=validate.Length(max=MAX_TEXT))


class ModuleReleaseSchema(Schema):
    """A release of a module."""

    version = fields.String()
    released_at = Moment()
    supported_until = Moment(allow_none=True)
    supported = fields.Boolean(metadata={"description": "At this moment."})
    satisfies_checks = fields.List(fields.String())
    follows = fields.String(allow_none=True)
    fixes = fields.List(fields.String(), metadata={"description": "What it mends itself."})
    notes = fields.String()
    adopters = fields.Integer(metadata={"description": "Services that are built on it."})


class FrameworkModuleSchema(Schema):
    """A piece of the framework that services are built on."""

    name = fields.String()
    title = fields.String()
    description = fields.String()
    kind = fields.String()
    axis = fields.String()
    owner = fields.String()
    capabilities = fields.List(fields.String())
    version = fields.Integer(metadata={"description": "Counts the changes of the module; its ETag."})
    changed_by = fields.String()
    changed_at = Moment()
    adopters = fields.Integer(metadata={"description": "Services that are built on any of its versions."})
    latest_version = fields.String(allow_none=True)


class ModuleDetailSchema(FrameworkModuleSchema):
    """A module with its releases."""

    releases = fields.List(fields.Nested(ModuleReleaseSchema), metadata={"description": "The latest first."})


class ModulePageSchema(Schema):
    """A page of modules."""

    items = fields.List(fields.Nested(FrameworkModuleSchema))
    next_cursor = fields.String(allow_none=True)


class ReleaseConcernedSchema(Schema):
    """A service whose verdicts a release changed."""

    ref = fields.String()
    checks = fields.List(fields.String(), metadata={"description": "Those that changed between passing and not."})
    from_level = fields.String(allow_none=True, metadata={"description": "Null where the level stayed."})
    to_level = fields.String(allow_none=True)


class ConcernedListSchema(Schema):
    """Services that a release concerns."""

    count = fields.Integer()
    items = fields.List(fields.Nested(ReleaseConcernedSchema), metadata={"description": "The first 200."})


class ReleaseEffectSchema(Schema):
    """A release, and what it did to the services built on the module."""

    release = fields.Nested(ModuleReleaseSchema)
    adopters = fields.Integer(metadata={"description": "Services that were judged again."})
    moved = fields.Integer(metadata={"description": "Those of them that the platform brought to this release."})
    gained = fields.Nested(ConcernedListSchema)
    lost = fields.Nested(ConcernedListSchema)


class AdoptionBodySchema(_Body):
    """How a service is built on a module."""

    version = word("The version of the module.", required=True)
    local_overrides = fields.Dict(
        keys=word("A check."),
        values=sentence("Why."),
        load_default=dict,
        validate=validate.Length(max=MANY),
        metadata={"description": "Checks that the service meets in its own way, each with the reason."},
    )
    follows_releases = fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={"description": "The platform rolls new versions out to it by itself."},
    )


class AdopterSchema(Schema):
    """A service that is built on a module."""

    ref = fields.String(attribute="entity_ref")
    module = fields.String()
    version = fields.String()
    local_overrides = fields.Dict(keys=fields.String(), values=fields.String())
    follows_releases = fields.Boolean()
    revision = fields.Integer(metadata={"description": "Counts the changes; its ETag."})
    adopted_at = Moment()
    changed_by = fields.String()
    changed_at = Moment()


class AdopterPageSchema(Schema):
    """A page of services on a module."""

    items = fields.List(fields.Nested(AdopterSchema))
    next_cursor = fields.String(allow_none=True)


class ModuleFixSchema(Schema):
    """How far a fix has spread."""

    fix = fields.String()
    first_in = fields.String(metadata={"description": "The first release that mends it."})
    released_at = Moment()
    adopters = fields.Integer()
    with_fix = fields.Integer(metadata={"description": "Adopters whose version has it."})
    percent = fields.Float(allow_none=True, metadata={"description": "0 to 100; null without adopters."})


class FixListSchema(Schema):
    """The fixes of a module, the latest first."""

    items = fields.List(fields.Nested(ModuleFixSchema))


class BuiltOnSchema(AdopterSchema):
    """A module that a service is built on."""

    class Meta:
        exclude = ("ref",)

    title = fields.String()
    kind = fields.String()
    axis = fields.String()
    supported = fields.Boolean(metadata={"description": "The version is, at this moment."})
    supported_until = Moment(allow_none=True)


class InheritedCheckSchema(Schema):
    """A check that a module answers for the service."""

    check = fields.String()
    title = fields.String()
    module = fields.String()
    version = fields.String()
    supported_until = Moment(allow_none=True)
    status = fields.String(
        allow_none=True,
        metadata={"description": "The verdict: `inherited`, or what was measured, which weighs more."},
    )


class ModuleOfferSchema(Schema):
    """A release that would answer checks that are open."""

    module = fields.String()
    version = fields.String()
    checks = fields.List(fields.String())


class ServiceModulesSchema(Schema):
    """What a service is built on, and what it inherits."""

    items = fields.List(fields.Nested(BuiltOnSchema))
    inherited = fields.List(fields.Nested(InheritedCheckSchema))
    inherited_count = fields.Integer(metadata={"description": "Checks that it passes by inheritance alone: n …"})
    applicable_count = fields.Integer(metadata={"description": "… of m that count for it."})
    could_inherit = fields.List(fields.Nested(ModuleOfferSchema))
    capabilities = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What makes each of the platform's four capabilities uniform here; empty: nothing."},
    )
    uniform = fields.Boolean(metadata={"description": "All four are."})


class ModuleQuery(PageQuery):
    """Which modules."""

    class Meta:
        unknown = RAISE

    kind = word("Of this kind.", load_default=None)
    axis = fields.String(load_default=None, validate=_one_of(tuple(Axis)))


class AdopterQuery(PageQuery):
    """Which adopters."""

    class Meta:
        unknown = RAISE

    version = word("On this version.", load_default=None)
    without_fix = word("Whose version lacks this fix.", load_default=None)
