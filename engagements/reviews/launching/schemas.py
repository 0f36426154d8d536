"""JSON shapes of designs, trade-offs, launches, service reviews and the work that reviews take."""

from marshmallow import Schema, fields, validate

from engagements.reviews.checklist_schemas import NewAnswerSchema
from engagements.reviews.requests import (
    MAX_ITEMS,
    KeptSchema,
    Strict,
    given_id,
    link,
    moment,
    name,
    names,
    one_of,
    text,
)
from engagements.reviews.words import Answer, LaunchStage, Side
from engagements.text_fields import PlainText
from engagements.triage_schemas import said
from portal_backend.core.http import Moment
from portal_backend.core.whole_lists import PagedSchema

STAGES = [LaunchStage.DARK, LaunchStage.CANARY, LaunchStage.RAMP, LaunchStage.FULL]
WORK = ("review", "communication", "change_review", "training")


class NewDesignReviewSchema(Strict):
    """A design review that was held."""

    id = given_id()
    held_at = moment(required=True)
    reviewers = names(shortest=1)
    document_url = link()
    summary = text(required=True)


class DesignReviewSchema(KeptSchema):
    """A design review."""

    held_at = Moment()
    reviewers = fields.List(fields.String())
    document_url = fields.String()
    summary = fields.String()


class DesignReviewListSchema(PagedSchema):
    """Design reviews, the latest first."""

    items = fields.List(fields.Nested(DesignReviewSchema))


class NewTradeOffSchema(Strict):
    """A choice that costs reliability, or the word that there is none."""

    id = given_id()
    none = fields.Boolean(load_default=False, metadata=said("True: the design holds no trade-off; needs a reason."))
    choice = text()
    rejected_option = text()
    reliability_cost = text()
    accepted_by = name()
    reason = text()


class TradeOffSchema(KeptSchema):
    """What a design trades against reliability."""

    none = fields.Boolean()
    choice = fields.String()
    rejected_option = fields.String()
    reliability_cost = fields.String()
    accepted_by = fields.String()
    reason = fields.String()


class TradeOffListSchema(PagedSchema):
    """Trade-offs in the order they were recorded."""

    items = fields.List(fields.Nested(TradeOffSchema))


class NewLaunchSchema(Strict):
    """A launch that is planned."""

    id = given_id()
    name = name(required=True)
    planned_at = moment()


class LaunchAnswerSchema(NewAnswerSchema):
    """An answer to an item of a launch checklist."""

    answer = fields.Enum(Answer, by_value=True, required=True)


class LaunchAnswersSchema(Strict):
    """Answers to items of a launch checklist."""

    answers = fields.List(fields.Nested(LaunchAnswerSchema), required=True, validate=validate.Length(1, MAX_ITEMS))


class StageWishSchema(Strict):
    """A stage to enter."""

    stage = fields.Enum(
        LaunchStage, by_value=True, required=True, validate=validate.OneOf(list(map(LaunchStage, STAGES)))
    )
    traffic_percent = fields.Float(
        required=True,
        validate=validate.Range(0, 100, min_inclusive=False),
        metadata=said("Share of the traffic; in the dark, of the traffic that is copied."),
    )
    abort_rule = text(about="What makes you abort.")
    reason = text(about="Why the dark stage is left out, where the launch begins with the canary.")


class AbortSchema(Strict):
    """The end of a launch, or a step back."""

    reason = text(required=True)
    back_to = one_of(LaunchStage, about="An earlier stage to go back to; left out, the launch ends.")


class StageSchema(Schema):
    """A stage of a launch."""

    stage = fields.String()
    traffic_percent = fields.Float()
    started_at = fields.String()
    ended_at = fields.String(allow_none=True)
    abort_rule = fields.String()
    reason = fields.String()
    outcome = fields.String(allow_none=True, metadata=said("`passed`, `aborted`; null while it lasts."))
    answers_discarded = fields.Boolean(metadata=said("In the dark no user sees an answer."))
    warnings = fields.List(fields.String())


class LaunchItemSchema(Schema):
    """An item of a launch checklist with its answer."""

    key = fields.String()
    axis = fields.String()
    severity = fields.String()
    question = fields.String()
    given = fields.Dict(allow_none=True)


class LaunchChecklistSchema(Schema):
    """The checklist of a launch."""

    template = fields.String()
    version = fields.Integer()
    items = fields.List(fields.Nested(LaunchItemSchema))
    answered = fields.Integer()
    total = fields.Integer()


class LaunchSchema(KeptSchema):
    """A launch."""

    name = fields.String()
    planned_at = Moment(allow_none=True)
    stage = fields.String(metadata=said("`planned`, `dark`, `canary`, `ramp`, `full` or `aborted`."))
    stages = fields.List(fields.Nested(StageSchema))
    full_at = Moment(allow_none=True)
    checklist = fields.Nested(LaunchChecklistSchema)
    signed_by = fields.String(allow_none=True)
    signed_at = Moment(allow_none=True)


class LaunchListSchema(PagedSchema):
    """Launches, the latest planned first."""

    items = fields.List(fields.Nested(LaunchSchema))


class PostLaunchGroupSchema(Schema):
    """What happened to services in their first days."""

    services = fields.Integer()
    incidents_per_service = fields.Float(allow_none=True)
    emergency_changes_per_service = fields.Float(allow_none=True)


class PostLaunchSchema(Schema):
    """The first days after a launch, beside those of services without early engagement."""

    launched_at = Moment(allow_none=True)
    window_days = fields.Integer()
    days_observed = fields.Integer()
    incidents = fields.Integer()
    emergency_changes = fields.Integer()
    others = fields.Nested(PostLaunchGroupSchema)
    sentence = fields.String()


class LeadTimeSchema(Schema):
    """How long it took from the idea to production."""

    began_at = Moment(allow_none=True)
    began_with = fields.String(metadata=said("What counts as the beginning."))
    ready_at = Moment(allow_none=True, metadata=said("When it first was at L3."))
    full_at = Moment(allow_none=True)
    seconds = fields.Integer(allow_none=True)
    target_seconds = fields.Integer()
    met = fields.Boolean(allow_none=True)
    sentence = fields.String()


class NewServiceReviewSchema(Strict):
    """A service review that was held."""

    id = given_id()
    held_at = moment(required=True)
    attendees = names(shortest=1)
    notes = text(required=True)
    next_due_at = moment(about="By default one cadence after it was held.")
    score = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(1, 5))


class ServiceReviewSchema(KeptSchema):
    """A service review."""

    held_at = Moment()
    attendees = fields.List(fields.String())
    notes = fields.String()
    next_due_at = Moment()
    score = fields.Integer(allow_none=True)


class ServiceReviewListSchema(PagedSchema):
    """The service reviews that were held, and when the next one is due."""

    items = fields.List(fields.Nested(ServiceReviewSchema))
    next_due_at = Moment(allow_none=True)
    overdue = fields.Boolean()


class NewWorkSchema(Strict):
    """Hours that a review took somebody."""

    id = given_id()
    kind = PlainText(required=True, validate=validate.OneOf(WORK))
    side = one_of(Side, required=True)
    person = name(required=True)
    hours = fields.Float(required=True, validate=validate.Range(0, 1000, min_inclusive=False))
    worked_at = moment(required=True)
    note = text()


class WorkSchema(KeptSchema):
    """Hours that a review took somebody."""

    kind = fields.String()
    side = fields.String()
    person = fields.String()
    hours = fields.Float()
    worked_at = Moment()
    note = fields.String()


class ReviewCostSchema(Schema):
    """What a review cost."""

    hours = fields.Float()
    by_side = fields.Dict(fields.String(), fields.Float())
    by_kind = fields.Dict(fields.String(), fields.Float())
    review_load_hours = fields.Float(metadata=said("Hours of developers on reviewing changes that SRE made."))
    sre_changes = fields.Integer()
    people = fields.Integer()
    elapsed_days = fields.Integer()
    sentence = fields.String()


class GateSchema(Schema):
    """Whether a service may be taken over."""

    passed = fields.Boolean(metadata=said("At L3 and without an open blocker."))
    level = fields.String(allow_none=True)
    required_level = fields.String()
    open_blockers = fields.List(fields.String())
    failing_items = fields.List(
        fields.String(), metadata={"description": "Blockers of the checklist that a person answered with fail."}
    )
    waived = fields.List(fields.String(), metadata=said("Checks that are waived: named in the decision."))


class AxisDeltaSchema(Schema):
    """An axis before and after an engagement."""

    axis = fields.String(metadata=said("`overall`, or one of the six."))
    level_before = fields.String(allow_none=True)
    level_after = fields.String(allow_none=True)
    percent_before = fields.Float(allow_none=True)
    percent_after = fields.Float(allow_none=True)
    gained = fields.Float(allow_none=True, metadata=said("Percentage points; null where it was not judged then."))


class OutcomeSchema(Schema):
    """The gate's verdict, and how much better the service became."""

    gate = fields.Nested(GateSchema)
    started_at = Moment()
    ended_at = Moment(allow_none=True, metadata=said("Null while the engagement lasts: then it is compared with now."))
    axes = fields.List(fields.Nested(AxisDeltaSchema))


class ReuseSchema(Schema):
    """How much of what was improved others can use."""

    finished = fields.Integer()
    reusable = fields.Integer()
    ratio = fields.Float(allow_none=True)
    by_kind = fields.Dict(fields.String(), fields.Integer())


class RepeatedFixSchema(Schema):
    """A check that several services mended, each for itself."""

    check = fields.String()
    services = fields.List(fields.String())
    sentence = fields.String()


class RepeatedFixListSchema(PagedSchema):
    """Candidates for a framework module."""

    items = fields.List(fields.Nested(RepeatedFixSchema))
