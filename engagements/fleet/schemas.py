"""JSON shapes of questions about the fleet."""

from marshmallow import RAISE, Schema, fields

from engagements.text_fields import in_range
from engagements.triage_schemas import said
from portal_backend.core.http import Moment


class FleetQuery(Schema):
    """Which period to look at."""

    class Meta:
        unknown = RAISE

    since = Moment(load_default=None, validate=in_range, metadata=said("A year before the end by default."))
    until = Moment(load_default=None, validate=in_range, metadata=said("Now by default, and at the latest."))


class PeriodSchema(Schema):
    """From a moment up to, and not with, another."""

    since = Moment()
    until = Moment()


class FleetAnswerSchema(Schema):
    """The answer to a question."""

    question = fields.String()
    period = fields.Nested(PeriodSchema)
    n = fields.Integer(metadata=said("How many observations it rests on."))
    method = fields.String(metadata=said("How it was found."))
    unknown_because = fields.String(allow_none=True, metadata=said("Why it cannot be said, wholly or in part."))
    items = fields.List(fields.Dict())


class QuestionSchema(Schema):
    """A question that can be asked."""

    question = fields.String()
    asks = fields.String()
    path = fields.String()


class QuestionListSchema(Schema):
    """All questions."""

    items = fields.List(fields.Nested(QuestionSchema))
