"""JSON shapes of advice, lessons, the production guide and production meetings."""

from marshmallow import RAISE, Schema, fields, validate

from engagements.knowledge.lessons import Home, LessonState
from engagements.reviews.requests import (
    AXES,
    MAX_ITEMS,
    KeptSchema,
    Strict,
    axis,
    given_id,
    link,
    moment,
    name,
    names,
    one_of,
    pattern_field,
    text,
)
from engagements.reviews.words import LessonSource
from engagements.text_fields import PlainText
from engagements.triage_schemas import said
from portal_backend.core.http import Moment, PageQuery
from portal_backend.core.whole_lists import PagedSchema


class NewConsultationSchema(Strict):
    """Advice that was given."""

    id = given_id()
    topic = text(required=True, longest=500)
    axis = axis(required=True)
    hours = fields.Float(required=True, validate=validate.Range(0, 1000, min_inclusive=False))
    sres = names(shortest=1)
    held_at = moment(required=True)
    recommendations = fields.List(
        PlainText(validate=validate.Length(1, 500)),
        load_default=list,
        validate=validate.Length(max=MAX_ITEMS),
        metadata=said("Each becomes an improvement that bars nothing."),
    )


class ConsultationSchema(KeptSchema):
    """Advice that was given."""

    topic = fields.String()
    axis = fields.String()
    hours = fields.Float()
    sres = fields.List(fields.String())
    held_at = Moment()
    recommendations = fields.List(fields.String())
    improvements = fields.List(fields.String(), metadata=said("What the recommendations became."))
    team = fields.String(metadata=said("The team whose hours it counts against."))


class ConsultationListSchema(PagedSchema):
    """The advice that a service had, and what is left of its team's hours."""

    items = fields.List(fields.Nested(ConsultationSchema))
    team = fields.String(allow_none=True)
    hours_per_quarter = fields.Float()
    hours_used = fields.Float(allow_none=True, metadata=said("In this quarter, by all services of the team."))
    hours_left = fields.Float(allow_none=True)


class NewLessonSchema(Strict):
    """A lesson."""

    id = given_id()
    title = text(required=True, longest=500)
    text = text(required=True)
    source = one_of(LessonSource, required=True)
    source_ref = name(about="The incident, finding or review that taught it.")
    pattern = pattern_field(required=True)
    axis = axis(required=True)
    checks = names("Checks that fail where the pattern is still there.")


class NoLessonsSchema(Strict):
    """The word that there is no lesson."""

    reason = text(required=True)


class HomeSchema(Strict):
    """Where a lesson lives on."""

    kind = one_of(Home, required=True)
    target = name(required=True, about="The section, check, module or finding; for the process, what changes in it.")
    url = link()


class LessonMoveSchema(Strict):
    """What becomes of a lesson."""

    state = one_of(LessonState, required=True)
    reason = text()
    home = fields.Nested(HomeSchema, load_default=None, allow_none=True)


class LessonSchema(KeptSchema):
    """A lesson."""

    title = fields.String()
    text = fields.String()
    source = fields.String()
    source_ref = fields.String()
    pattern = fields.String()
    axis = fields.String()
    checks = fields.List(fields.String())
    state = fields.String(metadata=said("`proposed`, `accepted`, `linked` or `declined`."))
    state_reason = fields.String()
    homes = fields.List(fields.Dict(), metadata=said("`{kind, target, url, linked_by, linked_at}`."))


class ExposedSchema(Schema):
    """A service that still has a pattern."""

    service = fields.String()
    because = fields.List(fields.String())


class LessonPageSchema(Schema):
    """A page of lessons, newest first, and who else is exposed to their patterns."""

    items = fields.List(fields.Nested(LessonSchema))
    also_exposed = fields.Dict(
        fields.String(), fields.List(fields.Nested(ExposedSchema)), metadata=said("By pattern, of those asked for.")
    )
    next_cursor = fields.String(allow_none=True)


class LessonListSchema(PagedSchema):
    """The lessons of an engagement, or the word that there is none."""

    items = fields.List(fields.Nested(LessonSchema))
    none_declared = fields.Boolean()


class LessonQuery(PageQuery):
    """Which lessons to list; repeat a parameter for more than one value."""

    class Meta:
        unknown = RAISE

    pattern = fields.List(
        PlainText(), load_default=list, validate=validate.Length(max=20), metadata=said("With it, who else is exposed.")
    )
    state = fields.List(fields.String(validate=validate.OneOf([each.value for each in LessonState])), load_default=list)
    axis = fields.List(fields.String(validate=validate.OneOf(AXES)), load_default=list)


class SectionSchema(Schema):
    """A section of the production guide."""

    id = fields.String(metadata=said("`<file>#<anchor>`."))
    title = fields.String()
    text = fields.String(metadata=said("Markdown."))
    axis = fields.String(allow_none=True)
    checks = fields.List(fields.String())
    source = fields.String(metadata=said("`guide` for the organisation's text, `checks` for the catalogue's own."))
    lessons = fields.List(fields.String(), metadata=said("Accepted lessons that live here."))


class SectionListSchema(Schema):
    """Sections of the production guide."""

    items = fields.List(fields.Nested(SectionSchema))


class SectionQuery(Schema):
    """Which sections to list."""

    class Meta:
        unknown = RAISE

    check = fields.List(PlainText(), load_default=list)
    axis = fields.List(fields.String(validate=validate.OneOf(AXES)), load_default=list)


class ServiceGuideItemSchema(Schema):
    """A check that does not pass, with the sections that help."""

    check = fields.String()
    title = fields.String()
    axis = fields.String()
    status = fields.String()
    sentence = fields.String()
    sections = fields.List(fields.Nested(SectionSchema))


class ServiceGuideSchema(Schema):
    """What of the guide a service is to read: a section for each check that does not pass."""

    items = fields.List(fields.Nested(ServiceGuideItemSchema))


class NewMeetingSchema(Strict):
    """A production meeting that was held."""

    id = given_id()
    held_at = moment(required=True)
    services = names("Entity references of the services it was about.", shortest=1)
    attendees = names(shortest=1)
    notes = text(required=True)
    decisions = fields.List(PlainText(validate=validate.Length(1, 1000)), load_default=list,
                            validate=validate.Length(max=MAX_ITEMS))  # fmt: skip


class MeetingSchema(KeptSchema):
    """A production meeting."""

    held_at = Moment()
    services = fields.List(fields.String())
    attendees = fields.List(fields.String())
    notes = fields.String()
    decisions = fields.List(fields.String())
    agenda = fields.Dict(metadata=said("What stood on the list when it was held."))


class MeetingPageSchema(Schema):
    """A page of meetings, the newest record first."""

    items = fields.List(fields.Nested(MeetingSchema))
    next_cursor = fields.String(allow_none=True)


class AgendaQuery(Schema):
    """Which services a meeting is about."""

    class Meta:
        unknown = RAISE

    service = fields.List(PlainText(), load_default=list, metadata=said("Entity references; left out, all services."))


class AgendaPageSchema(Schema):
    """A page that somebody was called by."""

    service = fields.String()
    at = Moment()
    summary = fields.String()
    link = fields.String()
    open = fields.Boolean(metadata=said("Nothing says that it stopped."))


class AgendaLaunchSchema(Schema):
    """A launch that is planned or under way."""

    service = fields.String()
    launch = fields.String()
    name = fields.String()
    stage = fields.String()
    planned_at = Moment(allow_none=True)
    signed = fields.Boolean()


class TurnDownSchema(Schema):
    """A service that is to end."""

    service = fields.String()
    lifecycle = fields.String()
    dependents = fields.List(fields.String())


class AgendaSchema(Schema):
    """What the next production meeting is to talk about."""

    since = Moment()
    until = Moment()
    pages = fields.List(fields.Nested(AgendaPageSchema))
    open_pages = fields.List(fields.Nested(AgendaPageSchema))
    launches = fields.List(fields.Nested(AgendaLaunchSchema))
    turn_downs = fields.List(fields.Nested(TurnDownSchema))
