"""JSON shapes of what changed on the lists, of dismissals, of where a service stands, and of the queue."""

from marshmallow import RAISE, Schema, fields, validate

from engagements.text_fields import PlainText, in_range
from engagements.triage.directions import Direction
from engagements.triage_schemas import MAX_REASON_LENGTH, DismissalTold, said
from portal_backend.core.http import Moment, PageQuery


class ChangesQuery(Schema):
    """Since when."""

    class Meta:
        unknown = RAISE

    since = fields.Date(load_default=None, metadata=said("A day in UTC; a week ago by default."))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 500))


class TriageChangeSchema(Schema):
    """What became of a service's place."""

    ref = fields.String()
    change = fields.String(metadata=said("`entered`, `left` or `moved`."))
    direction = fields.String(metadata=said("The list: `onboard` or `hand_back`."))
    rank_before = fields.Integer(allow_none=True)
    rank = fields.Integer(allow_none=True)
    value_before = fields.Float(allow_none=True)
    value = fields.Float(allow_none=True)
    cause = fields.String(
        allow_none=True, metadata=said("The term or the rule that changed most; null: other services changed.")
    )
    sentence = fields.String()


class TriageChangesSchema(Schema):
    """What changed on the lists, entries and departures first."""

    since = fields.Date(metadata=said("The day whose end today is compared with."))
    asked = fields.Date()
    complete = fields.Boolean(metadata=said("False when the record begins only after the day asked for."))
    items = fields.List(fields.Nested(TriageChangeSchema))
    total = fields.Integer()


class NewDismissalSchema(Schema):
    """What to dismiss."""

    class Meta:
        unknown = RAISE

    ref = PlainText(
        required=True,
        validate=validate.Regexp(
            r"^[^:/]+:[^:/]+/[^/]+$", error="must be a full reference, component:default/checkout"
        ),
    )
    direction = fields.Enum(Direction, by_value=True, required=True)
    reason = PlainText(required=True, validate=validate.Length(1, MAX_REASON_LENGTH))
    until = Moment(required=True, validate=in_range, metadata=said("At most 180 days ahead (a setting)."))


class DismissalSchema(DismissalTold):
    """A dismissal."""

    ref = fields.String(attribute="entity_ref")
    direction = fields.String()
    ended_at = Moment(allow_none=True, metadata=said("When somebody ended it before its end."))
    ended_by = fields.String(allow_none=True)


class DismissalQuery(PageQuery):
    """Which dismissals to list."""

    class Meta:
        unknown = RAISE

    ended = fields.Boolean(load_default=False, metadata=said("Also those that ended."))


class DismissalPageSchema(Schema):
    """A page of dismissals."""

    items = fields.List(fields.Nested(DismissalSchema))
    next_cursor = fields.String(allow_none=True)


class WhereaboutsSchema(Schema):
    """Where a service is on the lists, or why it is on none."""

    ref = fields.String()
    direction = fields.String(allow_none=True)
    on_list = fields.Boolean()
    rank = fields.Integer(allow_none=True, metadata=said("1 is the first of its list."))
    sentence = fields.String()
    computed_at = Moment(allow_none=True)
    dismissal = fields.Nested(DismissalTold, allow_none=True)
    row = fields.Dict(allow_none=True, metadata=said("The row with its reasons, as on the list."))


class TriageQueueQuery(PageQuery):
    """Which page of the queue."""

    class Meta:
        unknown = RAISE


class TriageQueueEntrySchema(Schema):
    """An accepted engagement that waits for room."""

    place = fields.Integer(metadata=said("Its place among all that wait."))
    rank = fields.Integer(metadata=said("1 starts first in its team."))
    engagement = fields.String(attribute="engagement.id")
    ref = fields.String(attribute="engagement.entity_ref")
    model = fields.String(attribute="engagement.model")
    team = fields.String(attribute="engagement.sre_team", allow_none=True)
    value = fields.Float(allow_none=True, metadata=said("What the service would gain from SRE; null: not triaged yet."))
    criticality = fields.String(allow_none=True)
    reasons = fields.List(fields.String())
    waiting_since = Moment()
    waiting_days = fields.Float()


class TriageQueuePageSchema(Schema):
    """A page of the queue."""

    items = fields.List(fields.Nested(TriageQueueEntrySchema))
    next_cursor = fields.String(allow_none=True)
