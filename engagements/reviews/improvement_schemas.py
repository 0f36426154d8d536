"""JSON shapes of improvements and of the plans that hold them."""

from marshmallow import Schema, fields, validate

from engagements.reviews.requests import (
    KeptSchema,
    Strict,
    axis,
    given_id,
    moment,
    name,
    names,
    one_of,
    signing_side,
    text,
)
from engagements.reviews.words import Effort, ImprovementState, ReusableAs, Severity, Side, Urgency
from engagements.text_fields import PlainText
from engagements.triage_schemas import said
from portal_backend.core.http import Moment
from portal_backend.core.whole_lists import PagedSchema


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


class ImprovementListSchema(PagedSchema):
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


class PlanListSchema(PagedSchema):
    """Every version of a plan, the newest first."""

    items = fields.List(fields.Nested(PlanSchema))
