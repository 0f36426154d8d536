"""JSON shape of a check of the history."""

from marshmallow import RAISE, Schema, fields, validate

from engagements.chain.verification import FaultKind
from engagements.text_fields import PlainText
from engagements.triage_schemas import said
from portal_backend.core.http import Moment

MAX_EVENTS = 50_000


class VerifyQuery(Schema):
    """What to check."""

    class Meta:
        unknown = RAISE

    service = PlainText(load_default=None, metadata=said("Reference of a service; by default all."))
    limit = fields.Integer(
        load_default=20_000,
        validate=validate.Range(1, MAX_EVENTS),
        metadata=said("At most so many events; go on with `next_cursor`."),
    )
    cursor = fields.String(load_default=None, metadata=said("The `next_cursor` of the part before."))


class HistoryFaultSchema(Schema):
    """A place at which the history is not as it was written."""

    entity_ref = fields.String(metadata=said("Empty where the database as a whole is at fault."))
    sequence = fields.Integer()
    kind = fields.Enum(FaultKind, by_value=True)
    message = fields.String()


class VerifySchema(Schema):
    """What a check found."""

    ok = fields.Boolean(metadata=said("Nothing was found in this part."))
    events = fields.Integer(metadata=said("Events checked in this part."))
    services = fields.Integer()
    faults = fields.List(fields.Nested(HistoryFaultSchema))
    more_faults = fields.Boolean(metadata=said("There are more than are listed."))
    next_cursor = fields.String(allow_none=True, metadata=said("Null: the end was reached."))
    checked_at = Moment()
