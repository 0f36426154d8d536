"""JSON shapes of registering locations and judging descriptors, in Backstage's names."""

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate

from catalog.registering.location_queries import DEFAULT_LIMIT, MAX_LIMIT
from catalog.registering.registrations import REFRESH, REJECT
from catalog.schemas import CatalogLocationSchema

TRUE = frozenset({"true", "True", "TRUE", "yes", "y", "on", "1"})
FALSE = frozenset({"false", "False", "FALSE", "no", "n", "off", "0"})

TARGET = "Where it is read from: an http(s) URL."
TYPE = "`url`, or `file` where portal.yaml permits it."


class RegisterQuery(Schema):
    """How a location is registered."""

    class Meta:
        unknown = RAISE

    dry_run = fields.Boolean(
        data_key="dryRun",
        load_default=False,
        truthy=TRUE,
        falsy=FALSE,
        metadata={"description": "Read everything at once and answer what it would bring; store nothing."},
    )
    on_conflict = fields.String(
        data_key="onConflict",
        load_default=REJECT,
        validate=validate.OneOf([REFRESH, REJECT]),
        metadata={"description": "What becomes of one that is registered: 409, or 201 and a new read of it."},
    )

    @pre_load
    def require_one_of_each(self, data: Any, **_: Any) -> Any:
        """Refuse a parameter that is given twice: it may say two things, and only one would be done."""
        twice = {name: ["Is given more than once."] for name in data if len(data.getlist(name)) > 1}
        if twice:
            raise ValidationError(twice)
        return data


class LocationBody(Schema):
    """A place to read from."""

    class Meta:
        unknown = RAISE

    type = fields.String(required=True, metadata={"description": TYPE})
    target = fields.String(required=True, validate=validate.Length(1), metadata={"description": TARGET})


class RegisterBody(LocationBody):
    """A place to register."""

    presence = fields.String(
        validate=validate.OneOf(["optional", "required"]),
        metadata={"description": "Taken and ignored, as by Backstage: a registered location may always be absent."},
    )


class RegisteredSchema(Schema):
    """A location that was registered, or would be."""

    location = fields.Nested(CatalogLocationSchema, required=True, metadata={"description": "The location."})
    entities = fields.List(
        fields.Dict(),
        required=True,
        metadata={"description": "Of a dry run: what it would bring, the Location entity first. Else empty."},
    )
    exists = fields.Boolean(metadata={"description": "Of a dry run only: whether the location is registered."})


class LocationsQueryBody(Schema):
    """Which locations. What it does not know is ignored, as by Backstage: a later client may send more."""

    query = fields.Raw(
        metadata={"description": 'A predicate over `id`, `type`, `target` and `entityRef`: `{"type": "url"}`.'},
    )
    limit = fields.Integer(
        strict=True,
        validate=validate.Range(1),
        metadata={"description": f"Locations on a page; {DEFAULT_LIMIT} if not given, at most {MAX_LIMIT}."},
    )
    cursor = fields.String(
        validate=validate.Length(min=1),
        metadata={"description": "`nextCursor` of the previous page; it holds query and limit."},
    )


class PageInfoSchema(Schema):
    """Where the list goes on."""

    next_cursor = fields.String(data_key="nextCursor", metadata={"description": "Absent on the last page."})


class LocationsPageSchema(Schema):
    """A page of locations by id."""

    items = fields.List(fields.Nested(CatalogLocationSchema), required=True, metadata={"description": "Locations."})
    total = fields.Integer(data_key="totalItems", required=True, metadata={"description": "On all pages."})
    page_info = fields.Nested(PageInfoSchema, data_key="pageInfo", required=True, metadata={"description": "The way."})


class RefreshBody(Schema):
    """What is to be read again."""

    class Meta:
        unknown = RAISE

    entity_ref = fields.String(
        data_key="entityRef", required=True, metadata={"description": "`component:default/checkout`, in any case."}
    )
    authorization_token = fields.String(
        data_key="authorizationToken", load_default=None, metadata={"description": "Taken and ignored."}
    )


class AnalyzeBody(Schema):
    """Where a repository is. What it does not know is ignored, as by Backstage."""

    location = fields.Nested(LocationBody, required=True, metadata={"description": "The repository's address."})
    catalog_filename = fields.String(
        data_key="catalogFilename",
        load_default=None,
        metadata={"description": "How catalog files are called; `catalog-info.yaml` where it is left out."},
    )
    catalog_file_name = fields.String(
        data_key="catalogFileName",
        load_default=None,
        metadata={"description": "The same, as older clients write it."},
    )


class ExistingEntitySchema(Schema):
    """An entity that a repository holds already."""

    location = fields.Dict(required=True, metadata={"description": "`{type, target}` of its file."})
    is_registered = fields.Boolean(data_key="isRegistered", attribute="isRegistered", required=True)
    entity = fields.Dict(required=True)


class GeneratedEntitySchema(Schema):
    """A descriptor to begin with."""

    entity = fields.Dict(required=True, metadata={"description": "What the address tells; the owner is yours to name."})
    fields_ = fields.List(
        fields.Dict(), data_key="fields", required=True, metadata={"description": "Always empty here."}
    )


class AnalysisSchema(Schema):
    """What a repository could be described by."""

    existing = fields.List(
        fields.Nested(ExistingEntitySchema),
        data_key="existingEntityFiles",
        required=True,
        metadata={"description": "One for each entity that the repository's catalog files hold already."},
    )
    generated = fields.List(
        fields.Nested(GeneratedEntitySchema),
        data_key="generateEntities",
        required=True,
        metadata={"description": "Suggestions."},
    )


class ValidateBody(Schema):
    """A descriptor in hand. Its fields are judged by the view: what is wrong is the answer, not an error.

    What it does not know beside them is ignored, as by Backstage.
    """

    entity = fields.Raw(load_default=None, metadata={"description": "The descriptor."})
    location = fields.Raw(load_default=None, metadata={"description": "Where it would stand: `url:https://host/path`."})
