"""JSON shapes of checklists, findings, improvements, plans and incident reviews."""

from marshmallow import RAISE, Schema, fields, validate

from engagements.reviews.requests import (
    MAX_ITEMS,
    KeptSchema,
    axis,
    given_id,
    link,
    links,
    moment,
    name,
    names,
    one_of,
    signing_side,
    text,
)
from engagements.reviews.words import (
    Answer,
    Effort,
    FindingSource,
    FindingState,
    ImprovementState,
    ItemSource,
    ReusableAs,
    Severity,
    Side,
    Urgency,
)
from engagements.text_fields import PlainText
from engagements.triage_schemas import said
from portal_backend.core.http import Moment, PageQuery

KEY = r"^[a-z0-9_.-]{1,80}$(?!\n)"
PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,79}$(?!\n)"


def pattern_field(required: bool = False) -> PlainText:
    """Return the field for the word that names a kind of failure."""
    about = "The same word for the same failure in any service, such as `expired_certificate`."
    if required:
        return PlainText(required=True, validate=validate.Regexp(PATTERN), metadata=said(about))
    return PlainText(load_default=None, allow_none=True, validate=validate.Regexp(PATTERN), metadata=said(about))


class Strict(Schema):
    """A body that refuses fields it does not know."""

    class Meta:
        unknown = RAISE


class NothingSchema(Strict):
    """A body without fields."""


class NewItemSchema(Strict):
    """An item for this service's checklist."""

    key = PlainText(required=True, validate=validate.Regexp(KEY))
    axis = axis(required=True)
    question = text(required=True, longest=500)
    source = one_of(ItemSource, required=True)
    source_ref = name(about="The lesson, the service or the incident that it comes from.")
    reason = text()
    guide = name()
    checks = names("Checks whose verdicts answer it.")


class NewAnswerSchema(Strict):
    """An answer to an item; null takes a person's answer back."""

    item = PlainText(required=True)
    answer = fields.Enum(Answer, by_value=True, required=True, allow_none=True)
    reason = text()
    evidence_url = link()


class NewAnswersSchema(Strict):
    """Answers to items."""

    answers = fields.List(fields.Nested(NewAnswerSchema), required=True, validate=validate.Length(1, MAX_ITEMS))


class MeasuredSchema(Schema):
    """What the facts say to an item."""

    verdict = fields.String(metadata=said("`pass`, `inherited`, `fail`, `na`, `waived` or `unknown`."))
    sentence = fields.String()


class GivenSchema(Schema):
    """What a person says to an item."""

    answer = fields.String()
    reason = fields.String()
    evidence_url = fields.String()
    by = fields.String()
    at = Moment()
    measured_then = fields.String(metadata=said("What the facts said at the time."))


class OfferedFindingSchema(Schema):
    """A finding that a failing item suggests: post it to …/findings to record it."""

    title = fields.String()
    source = fields.String()
    axis = fields.String()
    severity = fields.String()
    item = fields.String()
    check = fields.String(allow_none=True)


class ChecklistLineSchema(Schema):
    """An item with its answers."""

    key = fields.String()
    axis = fields.String()
    severity = fields.String()
    question = fields.String()
    guide = fields.String(metadata=said("The section of the guide that helps."))
    checks = fields.List(fields.String())
    stage = fields.String(allow_none=True, metadata=said("Early engagement: the phase that can answer it first."))
    source = fields.String(metadata=said("`template`, `expert`, `lesson`, `similar_service` or `incident`."))
    source_ref = fields.String()
    added_by = fields.String(allow_none=True)
    counts = fields.String(metadata=said("`pass`, `fail`, `na`, `waived` or `unanswered`."))
    measured = fields.Nested(MeasuredSchema, allow_none=True)
    given = fields.Nested(GivenSchema, allow_none=True)
    contradicts_measurement = fields.Boolean()
    inherited = fields.Boolean(metadata=said("A framework module answers it."))
    finding = fields.String(allow_none=True, metadata=said("The open finding that says the same."))
    offered_finding = fields.Nested(OfferedFindingSchema, allow_none=True)


class ReviewCountsSchema(Schema):
    """How far a review has come."""

    items = fields.Integer()
    answered = fields.Integer()
    passed = fields.Integer(attribute="pass", data_key="pass")
    fail = fields.Integer()
    na = fields.Integer()
    waived = fields.Integer()
    inherited = fields.Integer()
    overridden = fields.Integer(metadata=said("Items where a person says otherwise than the facts."))


class ReviewProgressSchema(ReviewCountsSchema):
    """How far a review has come, in all and by axis."""

    axes = fields.Dict(fields.String(), fields.Nested(ReviewCountsSchema))


class ReviewEffortSchema(Schema):
    """What a review like this takes."""

    inherited = fields.Integer()
    items = fields.Integer()
    sres = fields.List(fields.Integer(), metadata=said("From, to."))
    quarters = fields.List(fields.Integer(), metadata=said("From, to."))
    sentence = fields.String()


class ChecklistSchema(Schema):
    """The checklist of a review."""

    engagement_id = fields.String()
    entity_ref = fields.String()
    review_round = fields.Integer()
    template = fields.String()
    template_version = fields.Integer()
    template_digest = fields.String()
    opened_at = Moment(allow_none=True, metadata=said("Null: nobody opened it yet, and this is what it would hold."))
    opened_by = fields.String(allow_none=True)
    items = fields.List(fields.Nested(ChecklistLineSchema))
    unanswered = fields.List(fields.String())
    progress = fields.Nested(ReviewProgressSchema)
    effort = fields.Nested(ReviewEffortSchema)


class SuggestionSchema(Schema):
    """An item that similar services have reason to ask about."""

    item = fields.Dict(metadata=said("Ready to be posted to …/checklist/items."))
    because = fields.String()
    service = fields.String()
    similarity = fields.Integer(metadata=said("How many traits the two services share."))


class SuggestionListSchema(Schema):
    """Items that similar services suggest."""

    items = fields.List(fields.Nested(SuggestionSchema))


class NewFindingSchema(Strict):
    """A defect that somebody found."""

    id = given_id()
    title = text(required=True, longest=500)
    description = text()
    source = one_of(FindingSource, required=True)
    axis = axis(required=True)
    severity = one_of(Severity, required=True)
    pattern = pattern_field()
    item = PlainText(load_default=None, allow_none=True, validate=validate.Length(max=80))
    check = PlainText(load_default=None, allow_none=True, validate=validate.Length(max=80))
    evidence = links()


class FindingSchema(KeptSchema):
    """A defect of a service."""

    title = fields.String()
    description = fields.String()
    source = fields.String()
    axis = fields.String()
    severity = fields.String()
    pattern = fields.String(allow_none=True)
    item = fields.String(allow_none=True)
    check = fields.String(attribute="check_id", allow_none=True)
    evidence = fields.List(fields.String())
    state = fields.String()
    state_reason = fields.String()
    closed_at = Moment(allow_none=True)


class FindingPageSchema(Schema):
    """A page of findings, newest first."""

    items = fields.List(fields.Nested(FindingSchema))
    next_cursor = fields.String(allow_none=True)


class FindingQuery(PageQuery):
    """Which findings to list; repeat a parameter for more than one value."""

    class Meta:
        unknown = RAISE

    service = fields.List(PlainText(), load_default=list)
    engagement = PlainText(load_default=None)
    state = fields.List(
        fields.String(validate=validate.OneOf([each.value for each in FindingState])), load_default=list
    )
    axis = fields.List(fields.String(), load_default=list)
    pattern = fields.List(PlainText(), load_default=list)
    severity = fields.List(fields.String(validate=validate.OneOf([each.value for each in Severity])), load_default=list)


class FindingMoveSchema(Strict):
    """What becomes of a finding."""

    state = one_of(FindingState, required=True)
    reason = text(required=True)
    evidence = links()


class NewImprovementSchema(Strict):
    """An improvement that somebody proposes."""

    id = given_id()
    title = text(required=True, longest=500)
    description = text()
    axis = axis()
    findings = names("Findings that it mends.")
    check = PlainText(load_default=None, allow_none=True, validate=validate.Length(max=80))
    severity = one_of(Severity)
    urgency = one_of(Urgency, about="Of an incident's follow-up; goes before everything else.")
    effort = one_of(Effort, default=Effort.DAYS)
    owner_dev = name(default=None)
    owner_sre = name(default=None)
    due_at = moment()


class ImprovementEditSchema(Strict):
    """What is changed about an improvement; what is left out stays."""

    title = text(longest=500, default=None)
    description = text(default=None)
    owner_dev = name(default=None)
    owner_sre = name(default=None)
    due_at = moment()
    effort = one_of(Effort)
    urgency = one_of(Urgency)
    negotiated_priority = fields.Float(load_default=None, allow_none=True, validate=validate.Range(0, 10))
    negotiated_reason = text(default=None, about="Needed with a negotiated priority.")
    done_by = name(default=None)
    done_side = one_of(Side)
    dev_reviewer = name(default=None, about="The developer who reviews a change that SRE makes.")
    review_load_hours = fields.Float(load_default=None, allow_none=True, validate=validate.Range(0, 10_000))
    reusable_as = one_of(ReusableAs)
    reusable_link = PlainText(load_default=None, allow_none=True, validate=validate.Length(max=2000))


class ImprovementMoveSchema(ImprovementEditSchema):
    """A move of an improvement, with what it brings along."""

    state = one_of(ImprovementState, required=True)
    reason = text()
    until = moment(about="Deferred: until when.")
    evidence = text(about="Verified without a check: what was seen, and where.")
    side = signing_side()


class PriorityTermSchema(Schema):
    """A term of a priority."""

    term = fields.String()
    raw = fields.Raw(allow_none=True)
    normalised = fields.Float(metadata=said("0 to 1."))
    weight = fields.Float()
    points = fields.Float()
    sentence = fields.String()


class ImprovementSchema(KeptSchema):
    """A change that makes a service more reliable."""

    title = fields.String()
    description = fields.String()
    axis = fields.String()
    findings = fields.List(fields.String())
    check = fields.String(attribute="check_id", allow_none=True)
    severity = fields.String()
    linked = fields.Boolean(metadata=said("An objective or an incident is behind it."))
    blocking = fields.Boolean()
    urgency = fields.String(allow_none=True)
    effort = fields.String()
    priority = fields.Float(metadata=said("Computed, 0 to 10."))
    priority_terms = fields.List(fields.Nested(PriorityTermSchema))
    negotiated_priority = fields.Float(allow_none=True)
    negotiated_reason = fields.String()
    state = fields.String()
    state_reason = fields.String()
    state_since = Moment()
    deferred_until = Moment(allow_none=True)
    due_at = Moment(allow_none=True)
    owner_dev = fields.String(allow_none=True)
    owner_sre = fields.String(allow_none=True)
    agreed_by = fields.Dict(metadata=said("`{dev: name, sre: name}` of those who agreed so far."))
    rejected_by = fields.Dict()
    done_by = fields.String(allow_none=True)
    done_side = fields.String(allow_none=True)
    done_at = Moment(allow_none=True)
    dev_reviewer = fields.String(allow_none=True)
    verified_by = fields.String(allow_none=True, metadata=said("The check that passes now, or an SRE."))
    verification = fields.String()
    review_load_hours = fields.Float()
    reusable_as = fields.String()
    reusable_link = fields.String()


class ImprovementListSchema(Schema):
    """The improvements of an engagement in the order of work."""

    items = fields.List(fields.Nested(ImprovementSchema))


class PlanSignatureSchema(Strict):
    """A signature under a version of a plan."""

    version = fields.Integer(required=True, validate=validate.Range(1, 100_000))
    side = signing_side()


class PlanItemSchema(Schema):
    """An improvement as a plan has it, and where it stands."""

    improvement = fields.String()
    title = fields.String()
    axis = fields.String()
    check = fields.String(allow_none=True)
    urgency = fields.String(allow_none=True)
    priority = fields.Float()
    owner_dev = fields.String(allow_none=True)
    owner_sre = fields.String(allow_none=True)
    state = fields.String(allow_none=True)
    due_at = Moment(allow_none=True)


class PlanSchema(Schema):
    """A version of an improvement plan."""

    version = fields.Integer()
    items = fields.List(fields.Nested(PlanItemSchema))
    signatures = fields.Dict(metadata=said("`{dev_lead: {by, at}, sre_lead: {by, at}}`."))
    signed = fields.Boolean(metadata=said("Both sides have signed."))
    created_at = Moment()
    age_days = fields.Integer(metadata=said("A plan has an age, no deadline."))
    verified = fields.Integer()
    total = fields.Integer()


class PlanListSchema(Schema):
    """Every version of a plan, the newest first."""

    items = fields.List(fields.Nested(PlanSchema))


class IncidentReviewSchema(Strict):
    """The end of an incident review."""

    conclusion = text(required=True)


class RepeatedCauseSchema(Schema):
    """A cause that came back."""

    pattern = fields.String()
    incidents = fields.List(fields.String())


class OverdueActionSchema(Schema):
    """A follow-up that is overdue."""

    incident = fields.String()
    title = fields.String()
    priority = fields.String(allow_none=True)
    due_at = fields.String()


class MadeIncidentReviewSchema(KeptSchema):
    """The review that was made of the incidents."""

    conclusion = fields.String()
    summary = fields.Dict(metadata=said("The panel as it was then."))
    findings = fields.List(fields.String())


class IncidentPanelSchema(Schema):
    """What a service's incidents and postmortems say."""

    since = Moment()
    incidents = fields.Integer()
    by_severity = fields.Dict(fields.String(), fields.Integer())
    repeated_causes = fields.List(fields.Nested(RepeatedCauseSchema))
    without_postmortem = fields.List(fields.String())
    overdue_actions = fields.List(fields.Nested(OverdueActionSchema))
    suggested_findings = fields.List(fields.Dict())
    done = fields.Boolean()
    review = fields.Nested(MadeIncidentReviewSchema, allow_none=True)
