"""JSON shapes of entities' histories and of entities that never passed."""

from marshmallow import RAISE, Schema, fields, validate

from portal_backend.core.http import Moment, PageQuery
from portal_backend.core.pagination import MAX_LIMIT


class HistoryQuery(PageQuery):
    """Which part of a history."""

    class Meta:
        unknown = RAISE


class FieldChangeSchema(Schema):
    """A field that differs."""

    path = fields.String(
        required=True, metadata={"description": "The field, `spec.owner`; empty where more differ than are told."}
    )
    before = fields.String(
        required=True, allow_none=True, metadata={"description": "Its value; cut when long; null where there was none."}
    )
    after = fields.String(required=True, allow_none=True, metadata={"description": "The same, afterwards."})


class EntityChangeSchema(Schema):
    """One change of an entity."""

    id = fields.String(required=True, metadata={"description": "Later changes have higher numbers."})
    at = Moment(required=True, metadata={"description": "When it was written."})
    kind = fields.String(
        required=True, metadata={"description": "`added`, `changed`, `orphaned`, `restored` or `removed`."}
    )
    actor = fields.String(
        required=True, metadata={"description": "The registered location, `url:https://…`, or the person who did it."}
    )
    from_etag = fields.String(
        required=True, allow_none=True, data_key="fromEtag", metadata={"description": "Null for a new entity."}
    )
    to_etag = fields.String(
        required=True, allow_none=True, data_key="toEtag", metadata={"description": "Null for a removed entity."}
    )
    fields_ = fields.List(
        fields.Nested(FieldChangeSchema),
        required=True,
        attribute="fields",
        data_key="fields",
        metadata={"description": "What differs, the first 20 fields."},
    )


class EntityHistorySchema(Schema):
    """A page of an entity's history."""

    items = fields.List(fields.Nested(EntityChangeSchema), required=True, metadata={"description": "Newest first."})
    next_cursor = fields.String(
        required=True, allow_none=True, metadata={"description": "Cursor of the next page; null on the last."}
    )


class UnprocessedQuery(HistoryQuery):
    """Which part of what never passed; the page of Backstage's plugin asks once, and shows what it gets."""

    limit = fields.Integer(
        load_default=MAX_LIMIT,
        validate=validate.Range(1, MAX_LIMIT),
        metadata={"description": f"Items on a page, 1 to {MAX_LIMIT}."},
    )


class UnprocessedErrorSchema(Schema):
    """Why an entity did not pass."""

    name = fields.String(required=True, metadata={"description": "`InputError` or `NotFoundError`."})
    message = fields.String(required=True, metadata={"description": "Where it stands and what is wrong."})


class UnprocessedEntitySchema(Schema):
    """An entity that is not in the catalog, in the shape of Backstage's plugin for unprocessed entities."""

    entity_id = fields.String(required=True)
    entity_ref = fields.String(required=True)
    unprocessed_entity = fields.Dict(required=True, metadata={"description": "What is known of it: kind and name."})
    processed_entity = fields.Dict(required=True, allow_none=True, metadata={"description": "Null: it never passed."})
    errors = fields.List(fields.Nested(UnprocessedErrorSchema), required=True)
    next_update_at = Moment(
        required=True, metadata={"description": "When it is read again; a time that has passed: as soon as possible."}
    )
    last_discovery_at = Moment(required=True, metadata={"description": "When it was first found."})
    location_key = fields.String(required=True, metadata={"description": "The registered location that names it."})


class UnprocessedSchema(Schema):
    """Entities that are not in the catalog."""

    type = fields.String(required=True, metadata={"description": "`failed` or `pending`."})
    entities = fields.List(fields.Nested(UnprocessedEntitySchema), required=True)
    next_cursor = fields.String(
        required=True,
        allow_none=True,
        data_key="nextCursor",
        metadata={"description": "Cursor of the next page; null on the last."},
    )
