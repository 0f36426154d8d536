"""JSON shapes of checklists: items, answers, progress, suggestions."""

from marshmallow import Schema, fields, validate

from engagements.reviews.requests import KEY, MAX_ITEMS, Strict, axis, link, name, names, one_of, text
from engagements.reviews.words import Answer, ItemSource
from engagements.text_fields import PlainText
from engagements.triage_schemas import said
from portal_backend.core.http import Moment


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
