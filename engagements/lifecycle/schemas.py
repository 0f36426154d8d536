"""JSON shapes of engagements as they are asked for, moved and shown."""

from marshmallow import RAISE, Schema, fields, validate

from engagements.lifecycle.states import (
    HAND_BACK_OUTCOMES,
    PAUSED,
    Criterion,
    Model,
    Outcome,
    State,
)
from engagements.lifecycle.terms.schemas import (
    AgreementSchema,
    ConformanceSchema,
    EscalationSchema,
    ModuleSchema,
    PagerPhaseSchema,
    StaffingSchema,
    TrainingSchema,
    closed,
    holder_fields,
    name_field,
    text_field,
)
from engagements.text_fields import PlainText, in_range
from engagements.tiers import Tier
from engagements.triage_schemas import said
from portal_backend.core.http import Moment, PageQuery
from portal_backend.core.whole_lists import PagedSchema

TARGETS = (*(state.value for state in State), PAUSED)
LOWER_TIERS = (Tier.DOCUMENTATION.value, Tier.CONSULTATION.value, Tier.PLATFORM.value)
ID = validate.Regexp(
    r"^(?=.*[0-9])[a-z0-9][a-z0-9._-]{0,63}$",
    error="Lower-case letters, '.', '_', '-' and at least one digit, at most 64 characters: checkout-2026.",
)
"""With a digit, so that no engagement's address is that of another route."""


class RequestSchema(Schema):
    """What accepting an engagement takes, besides the importance that the catalog and triage show."""

    reason = text_field("Why the service wants support.")
    consented_by = name_field(
        "Who leads the development and agreed. Filled by itself when the development lead asks: support is agreed, "
        "never imposed."
    )
    usage_forecast_rps = fields.Float(
        validate=validate.Range(min=0, max=1e12),
        allow_nan=False,
        metadata=said("The peak traffic that is forecast, in requests per second; a hand-back may rest on it later."),
    )
    staffing = fields.Nested(StaffingSchema, metadata=said("Whom both teams give."))
    criteria = fields.List(
        closed(Criterion, "What makes the service a candidate for early engagement."),
        validate=validate.Length(max=len(Criterion)),
        metadata=said("Criteria of early engagement that hold; the catalog may show others."),
    )


class KnownRequestSchema(Schema):
    """What is known of a request, as far as it was given: an imported one may lack much of it."""

    reason = fields.String()
    consented_by = fields.String()
    usage_forecast_rps = fields.Float(allow_none=True)
    staffing = fields.Nested(StaffingSchema, allow_none=True)
    criteria = fields.List(fields.String())


class AskSchema(RequestSchema):
    """A request for an engagement.

    Example: {"entity_ref": "component:default/checkout", "model": "simple_prr", "reason": "Our front door",
    "usage_forecast_rps": 1500, "staffing": {"developers": 2, "sres": 2, "agreed_by": ["dora", "sam"]}}.
    """

    class Meta:
        unknown = RAISE

    entity_ref = name_field("The service: `component:default/checkout`.", required=True)
    model = closed(
        Model,
        "`simple_prr`: a review of a service that runs (begins in `requested`); `early`: from the design on "
        "(`candidate`); `framework`: on a platform (`assessing`).",
        required=True,
    )
    id = fields.String(
        validate=ID, metadata=said("An id of your own choice; the same request under the same id is taken once.")
    )
    sre_team = name_field("The SRE team that might take it, `group:default/sre` or `sre`.")


class CompleteSchema(RequestSchema):
    """What is new of a request; what it leaves out stays."""

    class Meta:
        unknown = RAISE


class TransitionSchema(Schema):
    """A wish to move an engagement. `GET /api/engagements/{id}` says which are legal and what each needs.

    Examples: {"to": "accepted", "sre_team": "sre"}; {"to": "declined", "reason": "Too little traffic",
    "alternative_tier": "consultation"}; {"to": "paused", "reason": "Peak season"}; {"to": "training", "waivers":
    ["arch.spof"]}; {"to": "disengaging", "outcome": "graduated", "reason": "Two quiet quarters", "evidence":
    "https://wiki/review", "tier": "consultation"}.
    """

    class Meta:
        unknown = RAISE

    to = fields.String(
        required=True,
        validate=validate.OneOf(TARGETS),
        metadata=said(
            "The state to enter. `paused` rests it in the state where it is, and that state's name resumes it."
        ),
    )
    reason = text_field("Why. Needed to decline, withdraw, pause, go back to an earlier state, or disengage.", "")
    sre_team = name_field("For `accepted`, or when it starts: the team that takes it.", load_default=None)
    reviewers = fields.List(
        name_field("A reviewer."),
        load_default=list,
        validate=validate.Length(max=20),
        metadata=said("For `design` (early engagement): one to three reviewers."),
    )
    alternative_tier = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(LOWER_TIERS),
        metadata=said("For `declined`: the support that the service gets instead."),
    )
    outcome = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf([outcome.value for outcome in HAND_BACK_OUTCOMES]),
        metadata=said("For `disengaging`: why the service is handed back. `graduated` is a success."),
    )
    tier = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(LOWER_TIERS),
        metadata=said("For `disengaging` or `disengaged`: the tier afterwards; `documentation` by default."),
    )
    notice_until = Moment(
        load_default=None,
        allow_none=True,
        validate=in_range,
        metadata=said("For `disengaging`: when the notice ends, at least 30 days ahead (the default)."),
    )
    pause_until = Moment(
        load_default=None,
        allow_none=True,
        validate=in_range,
        metadata=said("For `paused`; 30 days by default."),
    )
    forced = fields.Boolean(
        load_default=False, metadata=said("Skips notice and ladder of a hand-back; the SRE manager's alone.")
    )
    evidence = text_field("What a statement that no source can measure rests on: an address, or who said it.", "")
    waivers = fields.List(
        name_field("A check's id."),
        load_default=list,
        validate=validate.Length(max=500),
        metadata=said("For `training` and `active`: the waived checks that the decision accepts, every one by id."),
    )


class GuardFailureSchema(Schema):
    """What is wrong, and what would meet the guard."""

    message = fields.String()
    remedy = fields.String()


class GuardSchema(Schema):
    """A condition of a transition."""

    guard = fields.String(metadata=said("Its name; also `field` in the errors of a refused transition."))
    says = fields.String(metadata=said("What it asks for."))
    met = fields.Boolean(metadata=said("Whether it is met now, before the request's own fields are looked at."))
    given_in = fields.String(
        allow_none=True, metadata=said("The field of the transition's request that meets it, where one does.")
    )
    failures = fields.List(fields.Nested(GuardFailureSchema))


class NextStepSchema(Schema):
    """A legal next transition, and what stands between here and there."""

    to = fields.String(metadata=said("What to send as `to`.", enum=list(TARGETS)))
    roles = fields.List(fields.String(), metadata=said("Who may: one of these roles is enough."))
    yours = fields.Boolean(metadata=said("Whether you have one of them."))
    needs = fields.List(fields.String(), metadata=said("Fields of the request that it looks at."))
    required = fields.List(fields.String(), metadata=said("Of these, the ones that it cannot do without now."))
    effect = fields.String(metadata=said("What it changes besides the state."))
    event = fields.String(metadata=said("The kind of the event that the history gets."))
    allowed = fields.Boolean(metadata=said("Whether you could make it now, without any further field."))
    ready = fields.Boolean(
        metadata=said("Whether nothing is missing but the right person and the fields in `required`.")
    )
    guards = fields.List(fields.Nested(GuardSchema))


class QueuePlaceSchema(Schema):
    """A place in the queue of a team."""

    engagement = fields.String()
    entity_ref = fields.String()
    sre_team = fields.String(allow_none=True)
    rank = fields.Integer(metadata=said("1 is the first of its team: by value, then by waiting time."))
    value = fields.Float(allow_none=True, metadata=said("What triage says SRE would add, 0 to 100."))
    accepted_at = fields.String()
    waiting_days = fields.Float()


class EngagementSchema(Schema):
    """An engagement. Sections that nobody filled are null."""

    id = fields.String()
    entity_ref = fields.String()
    model = closed(Model, "How SRE engages.")
    state = closed(State, "Where it is.")
    state_since = Moment()
    paused = fields.Boolean(metadata=said("It rests in its state."))
    pause = fields.Dict(allow_none=True, metadata=said("{at, by, reason, until} while it is paused."))
    sre_team = fields.String(allow_none=True)
    requested_by = fields.String()
    requested_at = Moment()
    accepted_at = Moment(allow_none=True)
    queued = fields.Boolean(metadata=said("Accepted, and waiting until the team has room."))
    review_round = fields.Integer(metadata=said("1, and one more with each review of a service that SRE runs already."))
    review_completed_at = Moment(allow_none=True)
    review_revision = fields.String(allow_none=True, metadata=said("The major revision that was reviewed."))
    outcome = fields.String(
        allow_none=True,
        metadata=said("How it ended, or is ending.", enum=[*(outcome.value for outcome in Outcome), None]),
    )
    success = fields.Boolean(metadata=said("It graduated: its developers keep it, stable and cheap to run."))
    closed_at = Moment(allow_none=True)
    version = fields.Integer(metadata=said("How many times it changed; the number in the ETag."))
    request = fields.Nested(KnownRequestSchema, allow_none=True)
    agreement = fields.Nested(AgreementSchema, allow_none=True)
    reviewers = fields.List(fields.String())
    rotation = fields.Dict(allow_none=True, metadata=said("{members, source}: who takes the service over."))
    trainings = fields.List(fields.Nested(TrainingSchema))
    holders = holder_fields("Who has each responsibility: `dev`, `shared` or `sre`.")
    backup = fields.Dict(allow_none=True, metadata=said("{until, developers_in_rotation}."))
    pager_shadow = fields.Dict(
        fields.String(validate=validate.OneOf(["spin", "shadow"])), fields.Nested(PagerPhaseSchema), allow_none=True
    )
    takeover_signatures = fields.Dict(allow_none=True, metadata=said("{dev_lead, sre_lead}: {by, at, roles}."))
    takeover = fields.Dict(allow_none=True, metadata=said("{at, by, level, waivers} of the takeover."))
    gate = fields.Dict(allow_none=True, metadata=said("{level, waivers} of the completed review."))
    notice = fields.Dict(
        allow_none=True, metadata=said("{by, at, until, reason, outcome, tier, forced, evidence} of a hand-back.")
    )
    hand_back = fields.Dict(allow_none=True, metadata=said("Duties of handing back that are done, by name."))
    escalations = fields.List(fields.Nested(EscalationSchema))
    pager = fields.Dict(allow_none=True, metadata=said("{carrier, reason, returned_at, review_on, resumed_at}."))
    pager_returned = fields.Boolean(metadata=said("The developers carry the pager for a while; the tier stays."))
    modules = fields.List(fields.Nested(ModuleSchema))
    conformance = fields.Nested(ConformanceSchema, allow_none=True)
    conformance_runs = fields.List(
        fields.Nested(ConformanceSchema), metadata=said("The last run of each revision that was named, newest last.")
    )
    exit = fields.Dict(allow_none=True, metadata=said("{by, reason, alternative_tier} of a declined or withdrawn one."))
    origin = fields.Dict(allow_none=True, metadata=said("{model, state} that it came from, on a platform."))
    legal_next = fields.List(fields.String(validate=validate.OneOf(TARGETS)), metadata=said("What `to` may be now."))
    links = fields.Dict(fields.String(), fields.String())


class EngagementDetailSchema(EngagementSchema):
    """An engagement with what stands between it and each of its next states."""

    next = fields.List(fields.Nested(NextStepSchema))
    queue = fields.Nested(QueuePlaceSchema, allow_none=True, metadata=said("Its place while it is queued."))


class TransitionsSchema(Schema):
    """What can be done with an engagement now, by whom, and what is missing for it."""

    engagement = fields.String()
    model = closed(Model, "How SRE engages.")
    state = closed(State, "Where it is.")
    paused = fields.Boolean()
    version = fields.Integer(metadata=said("The number in the ETag that If-Match takes."))
    items = fields.List(fields.Nested(NextStepSchema), metadata=said("Empty when it is closed."))
    not_from_here = fields.List(
        fields.String(), metadata=said("States of the model that no transition leads to from here: a 409 whoever asks.")
    )


class MachineGuardSchema(Schema):
    """A condition of a transition, whatever engagement it is."""

    guard = fields.String(attribute="name")
    says = fields.String()
    given_in = fields.String(metadata=said("The field of the request that meets it; empty where none does."))


class MachineTransitionSchema(Schema):
    """A transition of a model."""

    source = fields.String(data_key="from")
    to = fields.String(metadata=said("`paused` rests it in the state where it is; that state's name resumes it."))
    roles = fields.Function(lambda each: sorted(each.roles), metadata={"type": "array", "items": {"type": "string"}})
    needs = fields.List(fields.String(), metadata=said("Fields of the request that it looks at."))
    guards = fields.List(fields.Nested(MachineGuardSchema))
    event = fields.String()
    effect = fields.String()


class MachineSchema(Schema):
    """A model as a state machine."""

    model = closed(Model, "How SRE engages.")
    initial = closed(State, "Where it begins.")
    states = fields.Function(
        lambda machine: [str(each) for each in machine.states()],
        metadata={"type": "array", "items": {"type": "string"}},
    )
    transitions = fields.List(fields.Nested(MachineTransitionSchema))


class MachineListSchema(Schema):
    """The three models."""

    items = fields.List(fields.Nested(MachineSchema))


class EngagementPageSchema(Schema):
    """A page of engagements, newest request first."""

    items = fields.List(fields.Nested(EngagementSchema))
    next_cursor = fields.String(allow_none=True)


class AdoptedSchema(Schema):
    """The engagements that were put on record; those that were before are not among them."""

    items = fields.List(fields.Nested(EngagementSchema))


class QueueSchema(PagedSchema):
    """The queues of all teams."""

    items = fields.List(fields.Nested(QueuePlaceSchema))


class EngagementQuery(PageQuery):
    """Which engagements to list."""

    class Meta:
        unknown = RAISE

    state = fields.List(closed(State, "A state."), load_default=list, metadata=said("In one of these states."))
    model = fields.List(closed(Model, "A model."), load_default=list)
    service = fields.List(
        PlainText(validate=validate.Length(1, 500)), load_default=list, metadata=said("Entity references.")
    )
    sre_team = fields.List(PlainText(validate=validate.Length(1, 500)), load_default=list)
    outcome = fields.List(closed(Outcome, "An outcome."), load_default=list)
    open = fields.Boolean(load_default=None, metadata=said("Only those that are not closed, or only those that are."))
    queued = fields.Boolean(load_default=None)
    overdue = fields.Boolean(load_default=None, metadata=said("With an overdue signal, or without."))


class OwnEngagementQuery(PageQuery):
    """Which engagements of a service to list."""

    class Meta:
        unknown = RAISE
