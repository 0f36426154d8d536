"""HTTP: campaigns."""

import re
from typing import Any

from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading, transaction
from portal_backend.core.entity_tags import version_asked_for, with_content_tag, with_tag
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.http import NoBody
from portal_backend.core.pagination import Page
from portal_backend.core.whole_lists import WholeQuery, page_of
from scorecards import judging
from scorecards.blueprints import blueprint
from scorecards.campaigns import campaigns, counting
from scorecards.campaigns.campaigns import CampaignPlan
from scorecards.campaigns.models import Campaign, CampaignExemption
from scorecards.campaigns.schemas import (
    CampaignDetailSchema,
    CampaignExemptionSchema,
    CampaignPageSchema,
    CampaignPlanSchema,
    CampaignQuery,
    CampaignSchema,
    DayListSchema,
    DayQuery,
    ExemptionBodySchema,
    ExemptionPageSchema,
    ExemptionQuery,
    MemberPageSchema,
    MemberQuery,
    ServiceCampaignListSchema,
)
from scorecards.exceptions.models import columns_of
from scorecards.exceptions.people import find_service, owner_ref
from scorecards.exceptions.recording import begin, settle
from scorecards.exceptions.schemas import ExceptionReasonSchema
from scorecards.exceptions.views import ROLE_LACKS, SERVICE
from scorecards.schemas import NoQuery

CAMPAIGN = "/scorecards/campaigns/<string:campaign_name>"
EXEMPTION = f"{CAMPAIGN}/exemptions/<string:kind>/<string:namespace>/<string:name>"
NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")
CLOSED = "The campaign is closed."
OUTDATED = "It changed since the caller read it."

Answer = tuple[Any, int, dict[str, str]]


@blueprint.get("/scorecards/campaigns")
@blueprint.arguments(CampaignQuery, location="query")
@blueprint.response(200, CampaignPageSchema)
def list_campaigns(query: dict[str, Any]) -> Page[Campaign]:
    """List the campaigns by name."""
    with reading() as session:
        return campaigns.list_campaigns(
            session, query["state"], owner_ref(query["owner"]), query["cursor"], query["limit"]
        )


@blueprint.get(CAMPAIGN)
@blueprint.arguments(NoQuery, location="query")
@blueprint.response(200, CampaignDetailSchema)
def get_campaign(_query: dict[str, Any], campaign_name: str) -> Answer:
    """Read a campaign, and how far it is over all and by team."""
    with reading() as session:
        campaign = campaigns.find(session, campaign_name)
        progress = counting.progress_of(session, judging.current().catalogue, campaign, clock.now())
        # The moment of counting alone is no news.
        tag = with_content_tag({**progress, "as_of": None}, campaign.version)[2]
        return {**columns_of(campaign), "progress": progress}, 200, tag


@blueprint.put(CAMPAIGN)
@blueprint.arguments(CampaignPlanSchema)
@blueprint.response(200, CampaignSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description=CLOSED)
@blueprint.alt_response(412, description=OUTDATED)
def put_campaign(body: dict[str, Any], campaign_name: str) -> Answer:
    """Plan a campaign, or change its plan."""
    if not NAME.fullmatch(campaign_name):
        message = "must be 1 to 64 lower-case letters, digits, . _ or -, beginning and ending with a letter or digit"
        raise InvalidInput(f"name {message}.", [Fault("name", message)])
    now = clock.now()
    with transaction() as session:
        begin(session)
        campaign = campaigns.plan(
            session,
            judging.current().catalogue,
            campaign_name,
            CampaignPlan(**body),
            version_asked_for(),
            current_principal(),
            now,
        )
        return with_tag(columns_of(campaign), campaign.version)


@blueprint.post(f"{CAMPAIGN}/start")
@blueprint.arguments(NoBody, required=False)
@blueprint.response(200, CampaignSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description=CLOSED)
def start_campaign(_body: dict[str, Any], campaign_name: str) -> Answer:
    """Begin a campaign."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        campaign = campaigns.start(session, campaign_name, current_principal(), now)
        counting.count_day(session, judging.current().catalogue, campaign, now)
        return with_tag(columns_of(campaign), campaign.version)


@blueprint.post(f"{CAMPAIGN}/close")
@blueprint.arguments(ExceptionReasonSchema)
@blueprint.response(200, CampaignSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
def close_campaign(body: dict[str, Any], campaign_name: str) -> Answer:
    """End a campaign, with what came of it."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        was_closed = campaigns.find(session, campaign_name).state == "closed"
        campaign = campaigns.close(session, campaign_name, body["reason"], current_principal(), now)
        if not was_closed:
            counting.count_day(session, judging.current().catalogue, campaign, now)
        return with_tag(columns_of(campaign), campaign.version)


@blueprint.get(f"{CAMPAIGN}/services")
@blueprint.arguments(MemberQuery, location="query")
@blueprint.response(200, MemberPageSchema)
def list_members(query: dict[str, Any], campaign_name: str) -> Page[dict[str, Any]]:
    """List the services of a campaign with what they lack: by default those that are not done."""
    with reading() as session:
        campaign = campaigns.find(session, campaign_name)
        owner = owner_ref(query["owner"])
        return counting.list_services(
            session,
            judging.current().catalogue,
            campaign,
            query["stand"],
            owner,
            query["cursor"],
            query["limit"],
            clock.now(),
        )


@blueprint.get(f"{CAMPAIGN}/history")
@blueprint.arguments(DayQuery, location="query")
@blueprint.response(200, DayListSchema)
def list_days(query: dict[str, Any], campaign_name: str) -> dict[str, Any]:
    """Read how far a campaign was from day to day."""
    with reading() as session:
        return {"items": counting.days(session, campaigns.find(session, campaign_name), query["since"])}


@blueprint.get(f"{CAMPAIGN}/exemptions")
@blueprint.arguments(ExemptionQuery, location="query")
@blueprint.response(200, ExemptionPageSchema)
def list_exemptions(query: dict[str, Any], campaign_name: str) -> Page[CampaignExemption]:
    """List who need not take part, and until when."""
    with reading() as session:
        campaigns.find(session, campaign_name)
        return campaigns.list_exemptions(session, campaign_name, query["cursor"], query["limit"])


@blueprint.put(EXEMPTION)
@blueprint.arguments(ExemptionBodySchema)
@blueprint.response(200, CampaignExemptionSchema)
@blueprint.alt_response(403, description=ROLE_LACKS)
@blueprint.alt_response(409, description=CLOSED)
def put_exemption(body: dict[str, Any], campaign_name: str, kind: str, namespace: str, name: str) -> dict[str, Any]:
    """Exempt a service from a campaign until a time."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        ref = find_service(session, judging.current(), kind, namespace, name).ref
        done = campaigns.exempt(session, campaign_name, ref, body["reason"], body["until"], current_principal(), now)
        # A campaign judges nothing: the verdicts stay as they are.
        settle(session, done.happenings, now, rejudged=())
        return columns_of(done.value)


@blueprint.delete(EXEMPTION)
@blueprint.response(204)
@blueprint.alt_response(403, description=ROLE_LACKS)
def delete_exemption(campaign_name: str, kind: str, namespace: str, name: str) -> None:
    """Let a service take part again."""
    now = clock.now()
    with transaction() as session:
        begin(session)
        ref = find_service(session, judging.current(), kind, namespace, name).ref
        done = campaigns.end_exemption(session, campaign_name, ref, current_principal(), now)
        settle(session, done.happenings, now, rejudged=())


@blueprint.get(f"{SERVICE}/campaigns")
@blueprint.arguments(WholeQuery, location="query")
@blueprint.response(200, ServiceCampaignListSchema)
def list_service_campaigns(query: dict[str, Any], kind: str, namespace: str, name: str) -> dict[str, Any]:
    """List the running campaigns that a service takes part in, with what it lacks."""
    with reading() as session:
        ref = find_service(session, judging.current(), kind, namespace, name).ref
        found = counting.campaigns_of(session, judging.current().catalogue, ref, clock.now())
        return page_of(found, "service-campaigns", query)
