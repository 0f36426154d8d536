"""JSON shapes of campaigns."""

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from catalog.services import CRITICALITIES
from portal_backend.core.http import Moment, PageQuery
from portal_backend.core.whole_lists import PagedSchema
from scorecards.campaigns.progress import Stand
from scorecards.exceptions.text_fields import PlainText, in_range, sentence, word
from scorecards.schemas import TIERS

STATES = ("planned", "active", "closed")
STANDS = tuple(stand.value for stand in Stand)
MANY = 100


def _some(description: str, among: tuple[str, ...] = (), **given: Any) -> fields.List[Any]:
    checks: list[Any] = [validate.Length(1, 200)]
    if among:
        checks.append(validate.OneOf(among, error=f"must be one of {', '.join(among)}"))
    return fields.List(PlainText(validate=checks), metadata={"description": description}, **given)


class _Body(Schema):
    class Meta:
        unknown = RAISE


class CampaignTargetSchema(_Body):
    """Which services are meant: those that fit every filter given; of a filter's values one must fit."""

    owner = _some("Owned by one of these, `group:default/bards`.", load_default=(), validate=validate.Length(max=MANY))
    system = _some("Part of one of these systems.", load_default=(), validate=validate.Length(max=MANY))
    tag = _some("With one of these tags.", load_default=(), validate=validate.Length(max=MANY))
    criticality = _some("Of one of these.", CRITICALITIES, load_default=(), validate=validate.Length(max=MANY))
    tier = _some("With one of these support tiers.", TIERS, load_default=(), validate=validate.Length(max=MANY))
    ref = _some("One of these services.", load_default=(), validate=validate.Length(max=500))


class CampaignPlanSchema(_Body):
    """What a campaign is to reach, where and by when."""

    title = word("As people call it.", required=True)
    reason = sentence("Why, in the words that the teams read.", required=True)
    owner = word("Who answers for it, `group:default/sre`.", required=True)
    checks = _some("The checks to pass.", required=True, validate=validate.Length(1, 20))
    target = fields.Nested(
        CampaignTargetSchema, load_default=dict, metadata={"description": "Which services; without it every one."}
    )
    due_on = fields.Date(required=True, metadata={"description": "The last day, in UTC."})


class CampaignTallySchema(Schema):
    """How many services stand where."""

    done = fields.Integer()
    open = fields.Integer(metadata={"description": "A check fails."})
    not_known = fields.Integer(
        data_key="unknown", attribute="unknown", metadata={"description": "No check fails, but one cannot be judged."}
    )
    exempt = fields.Integer(metadata={"description": "Exempt from the campaign, or all that is lacking is waived."})
    percent = fields.Float(
        allow_none=True, metadata={"description": "0 to 100: done among all but the exempt; null when there are none."}
    )


class TeamTallySchema(CampaignTallySchema):
    """How far the services of one owner are."""

    owner = fields.String(allow_none=True, metadata={"description": "Null: services without an owner."})


class CampaignProgressSchema(Schema):
    """How far a campaign is."""

    total = fields.Nested(CampaignTallySchema)
    teams = fields.List(
        fields.Nested(TeamTallySchema), metadata={"description": "Those with most left first; 500 at most."}
    )
    teams_count = fields.Integer()
    days_left = fields.Integer(metadata={"description": "Until the last day; negative once it has passed."})
    overdue = fields.Boolean(metadata={"description": "It runs, the last day has passed, and something is left."})
    dropped_checks = fields.List(
        fields.String(), metadata={"description": "Checks that the catalogue no longer has; they count no more."}
    )
    as_of = Moment()


class CampaignSchema(Schema):
    """A campaign."""

    name = fields.String()
    title = fields.String()
    reason = fields.String()
    owner = fields.String()
    checks = fields.List(fields.String())
    target = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))
    due_on = fields.Date()
    state = fields.String(metadata={"description": f"One of {', '.join(STATES)}."})
    started_at = Moment(allow_none=True)
    closed_at = Moment(allow_none=True)
    close_reason = fields.String(allow_none=True)
    version = fields.Integer(metadata={"description": "Counts the changes; its ETag."})
    created_by = fields.String()
    created_at = Moment()
    changed_by = fields.String()
    changed_at = Moment()


class CampaignDetailSchema(CampaignSchema):
    """A campaign and how far it is."""

    progress = fields.Nested(CampaignProgressSchema)


class CampaignPageSchema(Schema):
    """A page of campaigns."""

    items = fields.List(fields.Nested(CampaignSchema))
    next_cursor = fields.String(allow_none=True)


class CampaignLackingSchema(Schema):
    """A check that a service lacks."""

    check = fields.String()
    status = fields.String(metadata={"description": "`fail` or `unknown`."})


class CampaignMemberSchema(Schema):
    """A service that a campaign is meant for."""

    ref = fields.String()
    owner = fields.String(allow_none=True)
    stand = fields.String(metadata={"description": f"One of {', '.join(STANDS)}."})
    exempt = fields.Boolean(metadata={"description": "From the campaign, at this moment."})
    lacking = fields.List(fields.Nested(CampaignLackingSchema))


class MemberPageSchema(Schema):
    """A page of services."""

    items = fields.List(fields.Nested(CampaignMemberSchema))
    next_cursor = fields.String(allow_none=True)


class ToDoSchema(CampaignLackingSchema):
    """A check that a service lacks, and where to read how to mend it."""

    title = fields.String()
    guide = fields.String(metadata={"description": "The scorecard says what to do for this service."})
    guide_url = fields.String(metadata={"description": "An address where the guide is read."})


class ServiceCampaignSchema(CampaignMemberSchema):
    """A running campaign that a service takes part in."""

    campaign = fields.String()
    title = fields.String()
    reason = fields.String(metadata={"description": "Why it is asked for."})
    asked_by = fields.String(metadata={"description": "Who answers for the campaign."})
    due_on = fields.Date()
    days_left = fields.Integer(metadata={"description": "Negative once the last day has passed."})
    overdue = fields.Boolean(metadata={"description": "The last day has passed with something lacking."})
    lacking = fields.List(fields.Nested(ToDoSchema))


class ServiceCampaignListSchema(PagedSchema):
    """The running campaigns of a service, the one due first at the front."""

    items = fields.List(fields.Nested(ServiceCampaignSchema))


class ExemptionBodySchema(_Body):
    """Why and until when a service need not take part."""

    reason = sentence("Why; it stands in the service's history.", required=True)
    until = Moment(required=True, validate=in_range, metadata={"description": "180 days ahead at most."})


class CampaignExemptionSchema(Schema):
    """An exemption from a campaign."""

    ref = fields.String(attribute="entity_ref")
    campaign = fields.String()
    reason = fields.String()
    until = Moment()
    granted_by = fields.String()
    granted_at = Moment()


class ExemptionPageSchema(Schema):
    """A page of exemptions, those that have ended too."""

    items = fields.List(fields.Nested(CampaignExemptionSchema))
    next_cursor = fields.String(allow_none=True)


class CampaignDaySchema(CampaignTallySchema):
    """How far a campaign was on a day."""

    day = fields.Date()
    counted_at = Moment()


class DayListSchema(Schema):
    """The days that were counted, the earliest first; a day on which the portal stood still is missing."""

    items = fields.List(fields.Nested(CampaignDaySchema))


class _StrictQuery(Schema):
    class Meta:
        unknown = RAISE


class CampaignQuery(PageQuery):
    """Which campaigns."""

    class Meta:
        unknown = RAISE

    state = _some("In one of these states; may be repeated.", STATES, load_default=())
    owner = word("That this one answers for.", load_default=None)


class MemberQuery(PageQuery):
    """Which services of a campaign."""

    class Meta:
        unknown = RAISE

    stand = _some("That stand so; may be repeated.", STANDS, load_default=("open", "unknown"))
    owner = word("Of this owner, `group:default/bards`.", load_default=None)


class ExemptionQuery(PageQuery):
    """Which page."""

    class Meta:
        unknown = RAISE


class DayQuery(_StrictQuery):
    """Which days."""

    since = fields.Date(load_default=None, metadata={"description": "From this day on."})
