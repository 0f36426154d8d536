"""JSON shapes of findings and of incident reviews."""

from marshmallow import RAISE, Schema, fields, validate

from engagements.reviews.requests import KeptSchema, Strict, axis, given_id, links, one_of, pattern_field, text
from engagements.reviews.words import FindingSource, FindingState, Severity
from engagements.text_fields import PlainText
from engagements.triage_schemas import said
from portal_backend.core.http import Moment, PageQuery


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


class MeasuredIncidentsSchema(Schema):
    """A fact about the service's incidents."""

    fact = fields.String()
    value = fields.Raw()
    source = fields.String()
    observed_at = Moment(allow_none=True)
    simulated = fields.Boolean(metadata=said("The source is not a real system."))


class IncidentPanelSchema(Schema):
    """What a service's incidents and postmortems say."""

    since = Moment()
    incidents = fields.Integer()
    by_severity = fields.Dict(fields.String(), fields.Integer())
    repeated_causes = fields.List(fields.Nested(RepeatedCauseSchema))
    without_postmortem = fields.List(fields.String())
    overdue_actions = fields.List(fields.Nested(OverdueActionSchema))
    suggested_findings = fields.List(fields.Dict())
    measured = fields.List(
        fields.Nested(MeasuredIncidentsSchema),
        metadata=said("What sources count themselves, whether or not they tell of each."),
    )
    remarks = fields.List(fields.String(), metadata=said("Where that is more than the history has."))
    done = fields.Boolean()
    review = fields.Nested(MadeIncidentReviewSchema, allow_none=True)
