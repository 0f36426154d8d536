"""JSON shape of the incident view."""

from marshmallow import Schema, fields, validate

from engagements.triage_schemas import said
from portal_backend.core.http import Moment


class IncidentCauseSchema(Schema):
    """Why something is stale or unknown, and what to do about it."""

    sentence = fields.String()
    action = fields.String()


class IncidentSectionSchema(Schema):
    """What every section begins with: how far it can be trusted."""

    state = fields.String(validate=validate.OneOf(["fresh", "stale", "unknown"]))
    observed_at = Moment(
        allow_none=True, metadata=said("When the section's oldest part was observed; null if it never was.")
    )
    sources = fields.List(fields.String(), metadata=said("The configured sources that it rests on."))
    simulated = fields.Boolean(metadata=said("A part of it comes from a source that is no real system."))
    cause = fields.Nested(IncidentCauseSchema, allow_none=True, metadata=said("Null exactly when it is fresh."))


class IncidentFactSchema(Schema):
    """An observed value, with its age and source."""

    key = fields.String()
    value = fields.Raw(allow_none=True)
    unit = fields.String()
    state = fields.String()
    observed_at = Moment(allow_none=True)
    source = fields.String(allow_none=True)
    simulated = fields.Boolean()
    cause = fields.Nested(IncidentCauseSchema, allow_none=True)


class OpenTroubleSchema(Schema):
    """An alert or an incident."""

    kind = fields.String(validate=validate.OneOf(["alert", "incident"]))
    name = fields.String()
    since = Moment(allow_none=True, metadata=said("Null: it fires, but nobody told since when."))
    until = Moment(allow_none=True)
    age_seconds = fields.Float(allow_none=True)
    source = fields.String(allow_none=True)
    summary = fields.String()
    severity = fields.String(allow_none=True)
    link = fields.String()
    simulated = fields.Boolean()
    confirmed = fields.Boolean(
        allow_none=True,
        metadata=said("Whether a source that tells what fires now has it, too; null where none can tell."),
    )


class AlertsSectionSchema(IncidentSectionSchema):
    """What fires and what is open."""

    open = fields.List(fields.Nested(OpenTroubleSchema))
    ended_last = fields.List(fields.Nested(OpenTroubleSchema))
    muted = fields.Integer(allow_none=True, metadata=said("Alerts that a silence hides now; null: not known."))


class IncidentEventSchema(Schema):
    """An event of the history."""

    entity_ref = fields.String()
    kind = fields.String()
    occurred_at = Moment()
    actor = fields.String()
    source = fields.String()
    simulated = fields.Boolean()
    summary = fields.String()
    link = fields.String()


class IncidentMetSchema(Schema):
    """Whether objectives are met; null where that is not known."""

    availability = fields.Boolean(allow_none=True)
    latency = fields.Boolean(allow_none=True)


class SloSectionSchema(IncidentSectionSchema):
    """Objectives and error budget."""

    budget_used_ratio = fields.Float(allow_none=True, metadata=said("Above 1 the error budget is overspent."))
    met = fields.Nested(IncidentMetSchema)
    facts = fields.List(fields.Nested(IncidentFactSchema))
    last_events = fields.List(fields.Nested(IncidentEventSchema))


class IncidentChangeSchema(IncidentEventSchema):
    """A deploy, a rollback, a changed flag."""

    age_seconds = fields.Float()
    seconds_before_first_alert = fields.Float(
        allow_none=True, metadata=said("Negative: it came after; null: nothing fires.")
    )
    suspect = fields.Boolean(metadata=said("It came shortly before the first alert that fires, or just now."))
    revision = fields.String(allow_none=True)


class ChangesSectionSchema(IncidentSectionSchema):
    """What was changed last."""

    here = fields.List(fields.Nested(IncidentChangeSchema))
    upstream = fields.List(
        fields.Nested(IncidentChangeSchema), metadata=said("Of what the service depends on, together.")
    )


class IncidentDependencySchema(Schema):
    """How something that the service depends on is doing."""

    ref = fields.String()
    is_service = fields.Boolean()
    title = fields.String(allow_none=True)
    criticality = fields.String(allow_none=True)
    owner = fields.String(allow_none=True)
    tier = fields.String(allow_none=True)
    level = fields.String(allow_none=True)
    condition = fields.String(validate=validate.OneOf(["alerting", "changed", "unknown", "quiet"]))
    sentence = fields.String()
    cause = fields.Nested(IncidentCauseSchema, allow_none=True)
    open = fields.List(fields.Nested(OpenTroubleSchema))
    last_change = fields.Nested(IncidentChangeSchema, allow_none=True)
    facts = fields.List(fields.Nested(IncidentFactSchema))
    simulated = fields.Boolean()
    incident_view = fields.String(allow_none=True, metadata=said("Its own page."))


class DependentsSchema(Schema):
    """Who depends on the service."""

    count = fields.Integer()
    refs = fields.List(fields.String(), metadata=said("The first of them."))


class DependenciesSectionSchema(IncidentSectionSchema):
    """The neighbours; troubled ones first."""

    items = fields.List(fields.Nested(IncidentDependencySchema))
    left_out = fields.Integer(metadata=said("Less critical ones that did not fit."))
    dependents = fields.Nested(DependentsSchema)


class IncidentPagerSchema(Schema):
    """Who carries the pager, by the service's support."""

    carried_by = fields.String(validate=validate.OneOf(["sre", "development", "split"]))
    team = fields.String(allow_none=True)
    sentence = fields.String()
    since = Moment(allow_none=True)
    routes = fields.Dict(metadata=said("By alert: `platform_infra` (SRE) or `service_function` (development)."))


class OnCallSectionSchema(IncidentSectionSchema):
    """Who is on call."""

    names = fields.List(
        fields.String(), metadata=said("Who is on call now, where a source supplies the fact oncall.now.")
    )
    facts = fields.List(fields.Nested(IncidentFactSchema))
    pager = fields.Nested(IncidentPagerSchema)


class IncidentRunbookSchema(Schema):
    """A runbook."""

    title = fields.String()
    url = fields.String()
    of = fields.String(allow_none=True, metadata=said("The alert that it is of; null: of the service."))


class RunbooksSectionSchema(IncidentSectionSchema):
    """What to do."""

    items = fields.List(fields.Nested(IncidentRunbookSchema))
    alerts_without = fields.List(fields.String(), metadata=said("Open alerts that link no runbook themselves."))
    reviewed_at = Moment(allow_none=True)
    advice = fields.String(allow_none=True)


class MendedBySchema(Schema):
    """What mended it."""

    basis = fields.String(
        validate=validate.OneOf(["stated", "came_before_the_end"]),
        metadata=said("Said by people, or only the last change before the end: that is no proof."),
    )
    sentence = fields.String()
    by = fields.String()
    seconds_before_end = fields.Float(allow_none=True)


class PostmortemLinkSchema(Schema):
    """A postmortem."""

    summary = fields.String()
    link = fields.String()


class PastTroubleSchema(Schema):
    """Something like it, in the past."""

    entity_ref = fields.String()
    kind = fields.String()
    name = fields.String()
    pattern = fields.String(allow_none=True)
    began_at = Moment()
    ended_at = Moment()
    lasted_seconds = fields.Float()
    link = fields.String()
    simulated = fields.Boolean()
    mended_by = fields.Nested(MendedBySchema, allow_none=True)
    postmortem = fields.Nested(PostmortemLinkSchema, allow_none=True)


class LessonLinkSchema(Schema):
    """A lesson or a postmortem of the same pattern."""

    entity_ref = fields.String()
    kind = fields.String()
    occurred_at = Moment()
    summary = fields.String()
    link = fields.String()


class SimilarSectionSchema(IncidentSectionSchema):
    """What fired like this before, of this service first."""

    patterns = fields.List(fields.String(), metadata=said("Alert names, causes and patterns that were compared."))
    count_here = fields.Integer()
    count_elsewhere = fields.Integer()
    median_seconds = fields.Float(allow_none=True, metadata=said("How long these lasted."))
    items = fields.List(fields.Nested(PastTroubleSchema))
    lessons = fields.List(fields.Nested(LessonLinkSchema))


class ContactLinkSchema(Schema):
    """A link of the owner or of the service."""

    title = fields.String()
    url = fields.String()
    type = fields.String(allow_none=True)


class OwnerSectionSchema(IncidentSectionSchema):
    """Whom to reach."""

    ref = fields.String(allow_none=True)
    title = fields.String(allow_none=True)
    in_directory = fields.Boolean()
    contact = fields.String(allow_none=True)
    links = fields.List(fields.Nested(ContactLinkSchema))


class IncidentServiceSchema(Schema):
    """The service itself."""

    title = fields.String()
    description = fields.String(allow_none=True)
    criticality = fields.String(allow_none=True)
    lifecycle = fields.String(allow_none=True)
    system = fields.String(allow_none=True)
    tier = fields.String()
    engagement_model = fields.String(allow_none=True)
    phase = fields.String(allow_none=True)
    level = fields.String(allow_none=True)
    percent = fields.Float(allow_none=True)
    next_step = fields.String(allow_none=True)
    observed_at = Moment(allow_none=True)
    last_events = fields.List(
        fields.Nested(IncidentEventSchema), metadata=said("What last changed who looks after it: engagements, owners.")
    )
    links = fields.Dict(fields.String(), fields.String())


class IncidentViewSchema(Schema):
    """One page for whoever was paged."""

    ref = fields.String()
    generated_at = Moment()
    headline = fields.String(metadata=said("One sentence for somebody who has ten seconds."))
    sections_unknown = fields.List(fields.String(), metadata=said("Sections of which nothing is known."))
    sections_stale = fields.List(fields.String(), metadata=said("Sections that may have changed since."))
    service = fields.Nested(IncidentServiceSchema)
    alerts = fields.Nested(AlertsSectionSchema)
    slo = fields.Nested(SloSectionSchema)
    changes = fields.Nested(ChangesSectionSchema)
    dependencies = fields.Nested(DependenciesSectionSchema)
    on_call = fields.Nested(OnCallSectionSchema)
    runbooks = fields.Nested(RunbooksSectionSchema)
    similar = fields.Nested(SimilarSectionSchema)
    owner = fields.Nested(OwnerSectionSchema)
