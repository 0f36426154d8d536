"""JSON shapes of the catalog API."""

from marshmallow import RAISE, Schema, fields

from portal_backend.core.http import Moment, PageQuery


class CatalogLocationSchema(Schema):
    """A registered location."""

    id = fields.String(required=True, metadata={"description": "A UUID."})
    type = fields.String(required=True, metadata={"description": "`file` or `url`."})
    target = fields.String(required=True, metadata={"description": "Where it is read from."})
    entity_ref = fields.String(
        required=True,
        data_key="entityRef",
        metadata={"description": "The Location entity that stands for it in the catalog."},
    )


class CatalogLocationItemSchema(Schema):
    """A location in a list."""

    data = fields.Nested(CatalogLocationSchema, required=True, metadata={"description": "The location."})


class FaultsQuery(PageQuery):
    """Which faults."""

    class Meta:
        unknown = RAISE

    location = fields.String(load_default=None, metadata={"description": "Only those of the location with this id."})
    ref = fields.String(load_default=None, metadata={"description": "Only those of the entity with this reference."})


class CatalogFaultSchema(Schema):
    """Something wrong in what a location holds."""

    location_id = fields.String(required=True, metadata={"description": "The location's id."})
    location = fields.String(required=True, metadata={"description": "The registered target."})
    file = fields.String(required=True, metadata={"description": "The file or URL that holds the document."})
    document = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Position in the file from 0; null where the fault is the file's."},
    )
    ref = fields.String(required=True, metadata={"description": "The entity; empty where it cannot be told."})
    path = fields.String(
        required=True,
        metadata={"description": "The field, `spec.dependsOn[2]`; empty where the whole document is at fault."},
    )
    message = fields.String(required=True, metadata={"description": "What is wrong, and how to mend it."})
    seen_at = Moment(required=True, metadata={"description": "When a read first found it."})


class CatalogFaultPageSchema(Schema):
    """A page of faults."""

    items = fields.List(fields.Nested(CatalogFaultSchema), required=True, metadata={"description": "The faults."})
    next_cursor = fields.String(
        required=True, allow_none=True, metadata={"description": "Cursor of the next page; null on the last."}
    )
