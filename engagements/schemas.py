"""JSON shapes of services, their support, their history, and triage."""

from marshmallow import RAISE, Schema, fields, validate

from catalog.services import CRITICALITIES, LIFECYCLES
from engagements.event_kinds import EVENT_KINDS
from engagements.service_query import FILTERS, NONE, SORTS
from engagements.support import MAX_REASON_LENGTH
from engagements.text_fields import PlainText, in_range
from engagements.tiers import Tier
from engagements.triage_schemas import HandBackRowSchema, OnboardRowSchema, said
from portal_backend.core.http import Moment, PageQuery
from scorecards.checks.definitions import Axis

__all__ = [
    "HandBackRowSchema",
    "HistoryEventSchema",
    "HistoryPageSchema",
    "HistoryQuery",
    "MoveSchema",
    "OnboardRowSchema",
    "ServiceDetailSchema",
    "ServicePageSchema",
    "ServiceQuery",
    "ServiceSchema",
    "SupportSchema",
]

LEVELS = ("L0", "L1", "L2", "L3", "L4")
CLOSED_FILTERS: dict[str, tuple[str, ...]] = {
    "criticality": CRITICALITIES,
    "lifecycle": LIFECYCLES,
    "tier": tuple(tier.value for tier in Tier),
    "model": ("simple_prr", "early", "framework"),
    "level": LEVELS,
}
"""The values that a filter can have, where they are few and fixed."""


def _filter_field(name: str) -> fields.List[str]:
    closed = CLOSED_FILTERS["level"] if name.endswith(".level") else CLOSED_FILTERS.get(name)
    text = f"Services whose {name.replace('.', ' ')} is one of these; repeat the parameter for more than one value. "
    check = validate.OneOf([*closed, NONE]) if closed else validate.Length(1, 500)
    return fields.List(
        PlainText(validate=check),
        data_key=name,
        load_default=list,
        metadata=said(f"{text}`{NONE}` stands for services without a value."),
    )


class _ServiceQuery(PageQuery):
    """Which services to list, in which order."""

    class Meta:
        unknown = RAISE

    q = PlainText(
        load_default="",
        validate=validate.Length(max=200),
        metadata=said(
            "Words that must all occur in the name, the title or the description (its first 200 characters)."
        ),
    )
    tag = fields.List(PlainText(), load_default=list, metadata=said("Tags that a service must all have."))
    sort = fields.String(
        load_default="name",
        metadata=said(
            f"One of {', '.join(SORTS)}; with `-` in front in descending order. "
            "Services without a value come last, and ties are ordered by reference."
        ),
    )
    include_total = fields.Boolean(load_default=False, metadata=said("Count all services that match as well."))


ServiceQuery = type(
    "ServiceQuery",
    (_ServiceQuery,),
    {
        "__doc__": _ServiceQuery.__doc__,
        "__module__": __name__,
        **{f"filter_{name.replace('.', '_')}": _filter_field(name) for name in FILTERS},
    },
)
"""The parameters of the service list, with a filter for each name of FILTERS."""


class ServiceAxisSchema(Schema):
    """How ready a service is on one axis; all null while no check applies or nobody judged."""

    level = fields.String(allow_none=True, metadata=said("`L0` to `L4`."))
    percent = fields.Float(
        allow_none=True, metadata=said("Weight of passing checks in percent of that of all applicable ones.")
    )
    coverage = fields.Float(
        allow_none=True, metadata=said("Weight of checks whose verdict is known, in percent of all applicable ones.")
    )


class ServiceLinksSchema(Schema):
    """Where more stands about a service."""

    self = fields.String()
    scorecard = fields.String()
    history = fields.String()
    incident_view = fields.String()


class ServiceSchema(Schema):
    """A service: how important it is, who helps it, and how ready it is."""

    ref = fields.String(metadata=said("Entity reference, `component:default/checkout`."))
    kind = fields.String()
    namespace = fields.String()
    name = fields.String()
    title = fields.String()
    description = fields.String(allow_none=True)
    type = fields.String(allow_none=True)
    owner = fields.String(allow_none=True, metadata=said("Reference of the owning group or user."))
    system = fields.String(allow_none=True)
    tags = fields.List(fields.String())
    criticality = fields.String(allow_none=True, metadata=said("How important it is, `T0` to `T3`."))
    lifecycle = fields.String(
        allow_none=True,
        metadata=said(f"Where it is in its life: {', '.join(CLOSED_FILTERS['lifecycle'])}."),
    )
    tier = fields.String(metadata=said("The support it has.", enum=list(CLOSED_FILTERS["tier"])))
    engagement_model = fields.String(allow_none=True, metadata=said("`simple_prr`, `early` or `framework`."))
    phase = fields.String(allow_none=True, metadata=said("The phase of its engagement."))
    level = fields.String(allow_none=True, metadata=said("Its overall readiness, `L0` to `L4`; null: never judged."))
    percent = fields.Float(allow_none=True)
    coverage = fields.Float(allow_none=True)
    frozen_until = Moment(
        allow_none=True,
        metadata=said("Until when the outage of a source holds its level, or that of an axis; null: none does."),
    )
    evaluated_at = Moment(allow_none=True, metadata=said("When its readiness was last judged."))
    axes = fields.Dict(
        fields.String(validate=validate.OneOf([axis.value for axis in Axis])),
        fields.Nested(ServiceAxisSchema),
        metadata=said("Its readiness on each of the six axes."),
    )
    next_step = fields.String(allow_none=True, metadata=said("The first thing to do about its readiness."))
    links = fields.Nested(ServiceLinksSchema)


class SupportSchema(Schema):
    """The support of a service and its terms."""

    entity_ref = fields.String()
    tier = fields.Enum(Tier, by_value=True)
    since = Moment(
        allow_none=True, metadata=said("When it began; without a move since the registration, null if unknown.")
    )
    engagement_model = fields.String(allow_none=True)
    phase = fields.String(allow_none=True)
    usage_forecast_rps = fields.Float(
        allow_none=True, metadata=said("The peak traffic, in requests per second, forecast when it was accepted.")
    )
    evidence = fields.Dict(metadata=said("What the tier rests on, such as the date and document of a review."))
    reason = fields.String()
    origin = fields.String(metadata=said("`import`, or `portal` once somebody decided here."))
    version = fields.Integer(metadata=said("How many times it changed; also the ETag."))


class BlockerSchema(Schema):
    """An open finding that bars SRE support."""

    finding = fields.String(metadata=said("Its id: /api/engagements/findings/{id}."))
    title = fields.String()
    axis = fields.String()
    since = Moment()


class ServiceDetailSchema(ServiceSchema):
    """A service with the terms of its support."""

    support = fields.Nested(SupportSchema)
    blockers = fields.List(
        fields.Nested(BlockerSchema), metadata=said("Open findings that bar SRE support (SRE book, chapter 32).")
    )


class ServicePageSchema(Schema):
    """A page of services."""

    items = fields.List(fields.Nested(ServiceSchema))
    next_cursor = fields.String(allow_none=True)
    total = fields.Integer(allow_none=True, metadata=said("All that match; null unless asked for."))


class MoveSchema(Schema):
    """A wish to move a service to another tier."""

    tier = fields.Enum(Tier, by_value=True, required=True)
    reason = PlainText(required=True, validate=validate.Length(1, MAX_REASON_LENGTH))
    consented_by = PlainText(
        load_default="",
        validate=validate.Length(max=200),
        metadata=said("Who leads the development and agreed, where SRE asks: support is agreed, never imposed."),
    )


class EventQuery(Schema):
    """Which events of a history are meant."""

    class Meta:
        unknown = RAISE

    kind = fields.List(fields.String(validate=validate.OneOf(list(EVENT_KINDS))), load_default=list)
    source = fields.List(PlainText(), load_default=list)
    actor = fields.List(PlainText(), load_default=list)
    q = PlainText(
        load_default="",
        validate=validate.Length(max=200),
        metadata=said("Words that must all occur in the summary or the actor's name."),
    )
    since = Moment(load_default=None, validate=in_range, metadata=said("Events that occurred at this time or later."))
    until = Moment(load_default=None, validate=in_range, metadata=said("Events that occurred before this time."))
    at = Moment(
        load_default=None,
        validate=in_range,
        metadata=said("What had occurred by this time; the page then has the service's `state` at it, too."),
    )
    recorded_before = Moment(
        load_default=None,
        validate=in_range,
        metadata=said("Only what was recorded before this time: what was known then."),
    )


class HistoryQuery(PageQuery, EventQuery):
    """Which events to list."""


class HistoryEventSchema(Schema):
    """Something that happened to a service."""

    entity_ref = fields.String()
    sequence = fields.Integer(metadata=said("The order in which the service's events were recorded, without gaps."))
    kind = fields.String()
    occurred_at = Moment()
    recorded_at = Moment()
    actor = fields.String(metadata=said("Who did it: a person or token by name, or the source that reported it."))
    source = fields.String(metadata=said("The configured source, `portal` or `import`."))
    source_event_id = fields.String()
    simulated = fields.Boolean(metadata=said("The source was no real system when it reported this."))
    schema_version = fields.Integer(metadata=said("The version of the shape of `details`."))
    summary = fields.String()
    link = fields.String()
    details = fields.Dict()
    hash = fields.String(metadata=said("Of this event and of the one before it: the history's chain."))
    corrects = fields.Integer(allow_none=True, metadata=said("The number of the event that this one corrects."))
    corrected_by = fields.List(fields.Integer(), metadata=said("Numbers of the events that correct this one."))


class StateThenSchema(Schema):
    """A service as its history had it at a moment; null: the history does not say."""

    at = Moment()
    recorded_before = Moment(allow_none=True)
    registered = fields.Boolean(allow_none=True)
    support = fields.Dict(metadata=said("The support as it was, with `tier`, `engagement_model` and `phase`."))
    engagement = fields.Dict(
        allow_none=True, metadata=said("The engagement that moved last: its id, model, state and since when.")
    )
    level = fields.String(allow_none=True)
    criticality = fields.String(allow_none=True)
    owner = fields.String(allow_none=True)
    lifecycle = fields.String(allow_none=True)
    based_on = fields.List(fields.Integer(), metadata=said("Numbers of the events that say so."))


class HistoryPageSchema(Schema):
    """A page of a service's history, newest first."""

    items = fields.List(fields.Nested(HistoryEventSchema))
    next_cursor = fields.String(allow_none=True, metadata=said("Of the older events."))
    previous_cursor = fields.String(allow_none=True, metadata=said("Of the newer events."))
    state = fields.Nested(StateThenSchema, allow_none=True, metadata=said("Only with `at`."))
