"""HTTP: designs, trade-offs, launches, service reviews, and what reviews cost and bring."""

from typing import Any

from sqlalchemy.orm import Session

from engagements import records, services
from engagements.blueprints import ENGAGEMENT, SERVICE, engagements_blueprint, services_blueprint
from engagements.in_force import lifecycle_settings, review_settings
from engagements.lifecycle import engagements
from engagements.records import Place
from engagements.reviews import engaged, outcome
from engagements.reviews.launching import continuous, design, launches, measures
from engagements.reviews.launching.design import NewDesignReview, NewTradeOff
from engagements.reviews.launching.launches import LaunchAnswer, NewLaunch
from engagements.reviews.launching.models import DesignReview, Launch, ServiceReview, TradeOff
from engagements.reviews.launching.moves import StageWish
from engagements.reviews.launching.schemas import (
    AbortSchema,
    DesignReviewListSchema,
    DesignReviewSchema,
    LaunchAnswersSchema,
    LaunchListSchema,
    LaunchSchema,
    LeadTimeSchema,
    NewDesignReviewSchema,
    NewLaunchSchema,
    NewServiceReviewSchema,
    NewTradeOffSchema,
    NewWorkSchema,
    OutcomeSchema,
    PostLaunchSchema,
    RepeatedFixListSchema,
    ReuseSchema,
    ReviewCostSchema,
    ServiceReviewListSchema,
    ServiceReviewSchema,
    StageWishSchema,
    TradeOffListSchema,
    TradeOffSchema,
    WorkSchema,
)
from engagements.reviews.models import ReviewWork
from engagements.reviews.requests import NothingSchema
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading, transaction
from portal_backend.core.whole_lists import WholeQuery, page_of
from scorecards.judging import current as judging

LAUNCH = "/launches/<string:launch_id>"


@engagements_blueprint.get(f"{ENGAGEMENT}/design-reviews")
@engagements_blueprint.arguments(WholeQuery, location="query")
@engagements_blueprint.response(200, DesignReviewListSchema)
def list_design_reviews(query: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """List the design reviews of an engagement, the latest first."""
    with reading() as session:
        engagements.get(session, engagement_id)
        return page_of(design.reviews(session, engagement_id), "design-reviews", query)


@engagements_blueprint.post(f"{ENGAGEMENT}/design-reviews")
@engagements_blueprint.arguments(NewDesignReviewSchema)
@engagements_blueprint.response(201, DesignReviewSchema)
def hold_design_review(body: dict[str, Any], engagement_id: str) -> DesignReview:
    """Record a design review that was held."""
    new = NewDesignReview(**{**body, "reviewers": tuple(body["reviewers"])})
    with transaction() as session:
        engagement = engaged.begun(session, engagement_id)
        return records.detached(session, design.hold_review(session, engagement, new, current_principal(), clock.now()))


@engagements_blueprint.get(f"{ENGAGEMENT}/trade-offs")
@engagements_blueprint.arguments(WholeQuery, location="query")
@engagements_blueprint.response(200, TradeOffListSchema)
def list_trade_offs(query: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """List what an engagement's design trades against reliability."""
    with reading() as session:
        engagements.get(session, engagement_id)
        return page_of(design.trade_offs(session, engagement_id), "trade-offs", query)


@engagements_blueprint.post(f"{ENGAGEMENT}/trade-offs")
@engagements_blueprint.arguments(NewTradeOffSchema)
@engagements_blueprint.response(201, TradeOffSchema)
def record_trade_off(body: dict[str, Any], engagement_id: str) -> TradeOff:
    """Record a trade-off of the design, or that it holds none."""
    with transaction() as session:
        engagement = engaged.begun(session, engagement_id)
        row = design.record_trade_off(session, engagement, NewTradeOff(**body), current_principal(), clock.now())
        return records.detached(session, row)


@engagements_blueprint.get(f"{ENGAGEMENT}/launches")
@engagements_blueprint.arguments(WholeQuery, location="query")
@engagements_blueprint.response(200, LaunchListSchema)
def list_launches(query: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """List the launches of an engagement, the latest planned first."""
    with reading() as session:
        engagements.get(session, engagement_id)
        found = [launches.form(launch) for launch in launches.of_engagement(session, engagement_id)]
        return page_of(found, "launches", query)


@engagements_blueprint.post(f"{ENGAGEMENT}/launches")
@engagements_blueprint.arguments(NewLaunchSchema)
@engagements_blueprint.response(201, LaunchSchema)
def plan_launch(body: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """Plan a launch of an engagement's service and open its checklist."""
    with transaction() as session:
        place = engaged.place_of(engaged.begun(session, engagement_id))
        new = NewLaunch(**body)
        return launches.form(launches.plan(session, review_settings(), place, new, current_principal(), clock.now()))


@services_blueprint.get(f"{SERVICE}/launches")
@services_blueprint.arguments(WholeQuery, location="query")
@services_blueprint.response(200, LaunchListSchema)
def list_service_launches(query: dict[str, Any], kind: str, namespace: str, name: str) -> dict[str, Any]:
    """List the launches of a service, the latest planned first."""
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        return page_of([launches.form(launch) for launch in launches.of_service(session, ref)], "launches", query)


@services_blueprint.post(f"{SERVICE}/launches")
@services_blueprint.arguments(NewLaunchSchema)
@services_blueprint.response(201, LaunchSchema)
def plan_service_launch(body: dict[str, Any], kind: str, namespace: str, name: str) -> dict[str, Any]:
    """Plan a launch of a service without an engagement: advice of the launch coordinators."""
    with transaction() as session:
        place = _place(session, kind, namespace, name)
        new = NewLaunch(**body)
        return launches.form(launches.plan(session, review_settings(), place, new, current_principal(), clock.now()))


@engagements_blueprint.get(LAUNCH)
@engagements_blueprint.response(200, LaunchSchema)
def get_launch(launch_id: str) -> dict[str, Any]:
    """Read a launch with its checklist and its stages."""
    with reading() as session:
        return launches.form(records.get(session, Launch, launch_id, "launch"))


@engagements_blueprint.post(f"{LAUNCH}/answers")
@engagements_blueprint.arguments(LaunchAnswersSchema)
@engagements_blueprint.response(200, LaunchSchema)
def answer_launch(body: dict[str, Any], launch_id: str) -> dict[str, Any]:
    """Answer items of a launch checklist; another answer takes the signature away."""
    given = [LaunchAnswer(**each) for each in body["answers"]]
    with transaction() as session:
        launch = records.locked(session, Launch, launch_id, "launch")
        return launches.form(launches.answer(session, launch, given, current_principal(), clock.now()))


@engagements_blueprint.post(f"{LAUNCH}/signature")
@engagements_blueprint.arguments(NothingSchema, required=False)
@engagements_blueprint.response(200, LaunchSchema)
@engagements_blueprint.alt_response(403, description="Only a launch coordinator or the SRE lead signs.")
@engagements_blueprint.alt_response(409, description="Items that are unanswered, or blockers that fail.")
def sign_launch(_body: dict[str, Any], launch_id: str) -> dict[str, Any]:
    """Sign a launch checklist."""
    with transaction() as session:
        launch = records.locked(session, Launch, launch_id, "launch")
        return launches.form(launches.sign(session, launch, current_principal(), clock.now()))


@engagements_blueprint.post(f"{LAUNCH}/stages")
@engagements_blueprint.arguments(StageWishSchema)
@engagements_blueprint.response(200, LaunchSchema)
@engagements_blueprint.alt_response(409, description="What stands in the way, each with its remedy.")
def enter_stage(body: dict[str, Any], launch_id: str) -> dict[str, Any]:
    """Enter the next stage of a launch, or ramp on."""
    with transaction() as session:
        launch = records.locked(session, Launch, launch_id, "launch")
        moved, _ = launches.enter(
            session, review_settings(), launch, StageWish(**body), current_principal(), clock.now()
        )
        return launches.form(moved)


@engagements_blueprint.post(f"{LAUNCH}/abort")
@engagements_blueprint.arguments(AbortSchema)
@engagements_blueprint.response(200, LaunchSchema)
def abort_launch(body: dict[str, Any], launch_id: str) -> dict[str, Any]:
    """Abort a launch for good, or go back to an earlier stage of it."""
    with transaction() as session:
        launch = records.locked(session, Launch, launch_id, "launch")
        return launches.form(
            launches.abort(session, launch, body["reason"], body["back_to"], current_principal(), clock.now())
        )


@engagements_blueprint.get(f"{ENGAGEMENT}/post-launch")
@engagements_blueprint.response(200, PostLaunchSchema)
def get_post_launch(engagement_id: str) -> dict[str, Any]:
    """Compare the first days after the launch with those of services that had no early engagement."""
    with reading() as session:
        engagement = engagements.get(session, engagement_id)
        return measures.post_launch(session, review_settings(), engagement, clock.now())


@services_blueprint.get(f"{SERVICE}/lead-time")
@services_blueprint.response(200, LeadTimeSchema)
def get_lead_time(kind: str, namespace: str, name: str) -> dict[str, Any]:
    """Read how long a service took from the idea to full traffic at L3."""
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        return measures.lead_time(session, review_settings(), ref)


@services_blueprint.get(f"{SERVICE}/reviews")
@services_blueprint.arguments(WholeQuery, location="query")
@services_blueprint.response(200, ServiceReviewListSchema)
def list_service_reviews(query: dict[str, Any], kind: str, namespace: str, name: str) -> dict[str, Any]:
    """List the reviews of a service's support, and when the next one is due."""
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        found = continuous.reviews(session, review_settings(), ref, clock.now())
        return {**found, **page_of(found["items"], "service-reviews", query)}


@services_blueprint.post(f"{SERVICE}/reviews")
@services_blueprint.arguments(NewServiceReviewSchema)
@services_blueprint.response(201, ServiceReviewSchema)
def hold_service_review(body: dict[str, Any], kind: str, namespace: str, name: str) -> ServiceReview:
    """Record a service review that was held."""
    with transaction() as session:
        place = _place(session, kind, namespace, name)
        row = continuous.hold(session, review_settings(), place, body, current_principal(), clock.now())
        return records.detached(session, row)


@engagements_blueprint.post(f"{ENGAGEMENT}/hours")
@engagements_blueprint.arguments(NewWorkSchema)
@engagements_blueprint.response(201, WorkSchema)
def spend_hours(body: dict[str, Any], engagement_id: str) -> ReviewWork:
    """Record hours that the review took somebody."""
    with transaction() as session:
        engagement = engaged.for_writing(session, engagement_id)
        row = measures.spend_hours(session, engagement, body, current_principal(), clock.now())
        return records.detached(session, row)


@engagements_blueprint.get(f"{ENGAGEMENT}/cost")
@engagements_blueprint.response(200, ReviewCostSchema)
def get_cost(engagement_id: str) -> dict[str, Any]:
    """Read what the review has cost so far."""
    with reading() as session:
        return measures.cost(session, engagements.get(session, engagement_id), clock.now())


@engagements_blueprint.get(f"{ENGAGEMENT}/outcome")
@engagements_blueprint.response(200, OutcomeSchema)
def get_outcome(engagement_id: str) -> dict[str, Any]:
    """Read the gate's verdict and, apart from it, how each axis stood before the engagement and stands now."""
    with reading() as session:
        engagement = engagements.get(session, engagement_id)
        return outcome.outcome(session, judging(), engagement, lifecycle_settings().gate_level, clock.now())


@engagements_blueprint.get("/improvements/reuse")
@engagements_blueprint.response(200, ReuseSchema)
def get_reuse() -> dict[str, Any]:
    """Read how much of what was improved others can use."""
    with reading() as session:
        return measures.reuse(session)


@engagements_blueprint.get("/improvements/repeated")
@engagements_blueprint.arguments(WholeQuery, location="query")
@engagements_blueprint.response(200, RepeatedFixListSchema)
def list_repeated_fixes(query: dict[str, Any]) -> dict[str, Any]:
    """List the checks that several services mended each for itself: candidates for a framework module."""
    with reading() as session:
        found = measures.repeated_fixes(session, review_settings(), judging().catalogue)
        return page_of(found, "repeated", query)


def _place(session: Session, kind: str, namespace: str, name: str) -> Place:
    """Return where a service's records belong, held until the transaction ends; with its engagement, if one is open."""
    ref = services.service_ref(session, judging().service_types, kind, namespace, name)
    records.lock(session, ref)
    running = engagements.open_of(session, ref)
    return Place(ref, running[0].id if running else None)
