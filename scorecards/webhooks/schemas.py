"""JSON shapes of webhooks."""

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from catalog.format.refs import BadReference, normal_ref
from portal_backend.core.http import Moment, PageQuery
from portal_backend.core.whole_lists import PagedSchema
from scorecards.checks.definitions import Axis
from scorecards.webhooks.deliveries import FELL, ROSE
from scorecards.webhooks.models import DeliveryState
from scorecards.webhooks.signing import REFERENCE
from scorecards.webhooks.subscriptions import EVENTS, LEVEL_CHANGED, events_of

DIRECTIONS = (ROSE, FELL)


def _ref(text: str) -> None:
    try:
        normal_ref(text)
    except BadReference as error:
        raise ValidationError(str(error)) from error


_plain = validate.And(validate.Length(1, 300), validate.ContainsNoneOf("\0"))


class WebhookFilterSchema(Schema):
    """Which changes; each that is left out lets all through."""

    class Meta:
        unknown = RAISE

    service = fields.String(
        load_default=None, allow_none=True, validate=[_plain, _ref], metadata={"description": "An entity reference."}
    )
    owner = fields.String(
        load_default=None, allow_none=True, validate=[_plain, _ref], metadata={"description": "Of the service."}
    )
    axis = fields.Enum(
        Axis,
        by_value=True,
        load_default=None,
        allow_none=True,
        metadata={"description": "The axis that moved, or that of the checks which moved the overall level."},
    )
    direction = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(DIRECTIONS),
        metadata={"description": "`rose` or `fell`."},
    )

    @post_load
    def lower(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Write references in their full lower-case form."""
        for name in ("service", "owner"):
            if data[name] is not None:
                data[name] = normal_ref(data[name])
        return data


class SubscribeBody(Schema):
    """Where to send what."""

    class Meta:
        unknown = RAISE

    url = fields.String(required=True, validate=_plain, metadata={"description": "An http(s) address."})
    events = fields.List(
        fields.String(validate=validate.OneOf(EVENTS)),
        load_default=lambda: [LEVEL_CHANGED],
        validate=validate.Length(min=1),
        metadata={"description": "Kinds of message; left out: changes of the overall level alone."},
    )
    filter = fields.Nested(WebhookFilterSchema, load_default=lambda: WebhookFilterSchema().load({}))
    secret = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(
            REFERENCE, error="is a secret: write ${{PORTAL_WEBHOOK_…}} (an environment variable), or leave it out"
        ),
        metadata={"description": "`${PORTAL_WEBHOOK_…}`; left out: one is made and shown once."},
    )


class SubscriptionSchema(Schema):
    """A subscription."""

    id = fields.String()
    url = fields.String()
    events = fields.Function(
        lambda one: list(events_of(one)),
        metadata={"type": "array", "items": {"type": "string"}, "description": "Kinds of message."},
    )
    filter = fields.Function(
        lambda one: {name: getattr(one, name) for name in ("service", "owner", "axis", "direction")},
        metadata={"type": "object", "description": "Which changes; null lets all through."},
    )
    secret_reference = fields.String(
        allow_none=True, metadata={"description": "Null where the secret was made by the portal."}
    )
    active = fields.Boolean()
    inactive_reason = fields.String(allow_none=True)
    dropped = fields.Integer(metadata={"description": "Messages not taken because too many were waiting."})
    created_at = Moment()
    created_by = fields.String()


class MadeSubscriptionSchema(SubscriptionSchema):
    """A subscription as it is answered to whoever made it."""

    secret = fields.String(
        allow_none=True, metadata={"description": "Shown this once, where the portal made it; null otherwise."}
    )


class SubscriptionListSchema(PagedSchema):
    """Every subscription."""

    items = fields.List(fields.Nested(SubscriptionSchema))


class WebhookChangeBody(Schema):
    """What may be changed."""

    class Meta:
        unknown = RAISE

    active = fields.Boolean(required=True, truthy={True}, falsy={False})


class PingBody(Schema):
    """A test message."""

    class Meta:
        unknown = RAISE

    id = fields.String(
        load_default=None,
        validate=_plain,
        metadata={"description": "The same id twice is one message; left out: a new one."},
    )


class DeliverySchema(Schema):
    """A message, and how it went."""

    id = fields.String(metadata={"description": "`webhook-id`, the same on every attempt."})
    type = fields.String()
    event_id = fields.String()
    state = fields.String(metadata={"description": "`due`, `delivered`, or `dead`: not tried again by itself."})
    attempts = fields.Integer()
    due_at = Moment(metadata={"description": "When it is, or was, to be tried (again)."})
    created_at = Moment()
    last_attempt_at = Moment(allow_none=True)
    last_status = fields.Integer(allow_none=True, metadata={"description": "The receiver's HTTP status, if any."})
    last_error = fields.String(allow_none=True)
    body = fields.String(metadata={"description": "The JSON text as it is signed and sent."})


class DeliveryPageSchema(Schema):
    """A page of messages."""

    items = fields.List(fields.Nested(DeliverySchema))
    next_cursor = fields.String(allow_none=True)


class DeliveryQuery(PageQuery):
    """Which messages."""

    class Meta:
        unknown = RAISE

    state = fields.Enum(DeliveryState, by_value=True, load_default=None)
