"""HTTP: asking for engagements, listing them, and moving them."""

from typing import Any

from flask import Response

from catalog.format.refs import BadReference, parse_ref
from engagements import services
from engagements.blueprints import ENGAGEMENT, SERVICE, engagements_blueprint, services_blueprint
from engagements.capacity.teams import team_ref
from engagements.in_force import lifecycle_settings, numbers
from engagements.lifecycle import adoption, requests, transitions
from engagements.lifecycle import reading as read
from engagements.lifecycle.http import HEADERS, IDEMPOTENCY_KEY, engagement, tagged, writing
from engagements.lifecycle.machines import MACHINES, Machine
from engagements.lifecycle.schemas import (
    AdoptedSchema,
    AskSchema,
    CompleteSchema,
    EngagementDetailSchema,
    EngagementPageSchema,
    EngagementQuery,
    EngagementSchema,
    MachineListSchema,
    MachineSchema,
    OwnEngagementQuery,
    QueueSchema,
    TransitionSchema,
    TransitionsSchema,
)
from engagements.lifecycle.signals import due
from engagements.lifecycle.states import Model, Outcome, Wish
from engagements.tiers import Tier
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading
from portal_backend.core.entity_tags import version_asked_for
from portal_backend.core.errors import Fault, InvalidInput, NotFound
from portal_backend.core.http import NoBody, plain_json
from portal_backend.core.whole_lists import WholeQuery, page_of
from scorecards.judging import current as judging

REQUEST_FIELDS = ("reason", "consented_by", "usage_forecast_rps", "staffing", "criteria")


@engagements_blueprint.post("")
@engagements_blueprint.arguments(AskSchema)
@engagements_blueprint.response(201, EngagementSchema)
@engagements_blueprint.alt_response(403, description="The caller lacks the role; nothing else stands in the way.")
@engagements_blueprint.alt_response(409, description="What stands in the way, each with its remedy.")
@engagements_blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def ask(body: dict[str, Any]) -> Response:
    """Ask for an engagement with a service.

    A service has at most one that is not closed. Example: `{"entity_ref": "component:default/checkout", "model":
    "simple_prr", "reason": "our front door", "usage_forecast_rps": 1500, "staffing": {"developers": 2, "sres": 2,
    "agreed_by": ["dora", "sam"]}}`. What is left out can be completed later; accepting takes all of it.
    """
    request, now = {name: body[name] for name in REQUEST_FIELDS if name in body}, clock.now()
    kind, namespace, name = _entity(body["entity_ref"])
    team = team_ref(body["sre_team"]) if body.get("sre_team") else None

    def act(session: Any) -> Any:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        model = Model(body["model"])
        return requests.ask(session, ref, model, request, current_principal(), now, body.get("id"), team)

    return engagement(act, 201)


@engagements_blueprint.get("")
@engagements_blueprint.arguments(EngagementQuery, location="query")
@engagements_blueprint.response(200, EngagementPageSchema)
def list_engagements(query: dict[str, Any]) -> Response:
    """List engagements, newest request first. Each filter may be repeated; one of its values must fit."""
    with reading() as session:
        wanted = read.EngagementFilter(
            states=query["state"],
            models=query["model"],
            services=[str(parse_ref_of(text)) for text in query["service"]],
            sre_teams=[team_ref(text) for text in query["sre_team"]],
            outcomes=query["outcome"],
            open=query["open"],
            queued=query["queued"],
        )
        if query["overdue"] is not None:
            late = due.overdue(session, judging(), lifecycle_settings(), clock.now())
            wanted = read.overdue_only(wanted, late, query["overdue"])
        page = read.list_engagements(session, wanted, query["cursor"], query["limit"])
    return plain_json({"items": page.items, "next_cursor": page.next_cursor})


@services_blueprint.get(f"{SERVICE}/engagements")
@services_blueprint.arguments(OwnEngagementQuery, location="query")
@services_blueprint.response(200, EngagementPageSchema)
def list_engagements_of(query: dict[str, Any], kind: str, namespace: str, name: str) -> Response:
    """List the engagements that a service had, newest first."""
    with reading() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        wanted = read.EngagementFilter(services=[ref])
        page = read.list_engagements(session, wanted, query["cursor"], query["limit"])
    return plain_json({"items": page.items, "next_cursor": page.next_cursor})


@engagements_blueprint.get("/queue")
@engagements_blueprint.arguments(WholeQuery, location="query")
@engagements_blueprint.response(200, QueueSchema)
def show_queue(query: dict[str, Any]) -> Response:
    """List what is accepted and waits for room: by value, then by waiting time; the rank counts within each team."""
    with reading() as session:
        return plain_json(page_of(read.queue(session, clock.now()), "queue", query))


@engagements_blueprint.post("/adopt")
@engagements_blueprint.arguments(NoBody, required=False)
@engagements_blueprint.response(200, AdoptedSchema)
@engagements_blueprint.alt_response(403, description="It takes an SRE manager.")
def adopt(_body: dict[str, Any]) -> Response:
    """Put engagements on record that imported support tiers tell of; what people went on with here stays."""
    now = clock.now()

    def act(session: Any) -> dict[str, Any]:
        return {"items": [read.show(one) for one in adoption.adopt(session, current_principal(), now)]}

    return writing(act)


@engagements_blueprint.get(ENGAGEMENT)
@engagements_blueprint.response(200, EngagementDetailSchema)
def get_engagement(engagement_id: str) -> Response:
    """Read an engagement, its legal next transitions and, for each, every guard: met, or what would meet it."""
    with reading() as session:
        return tagged(read.describe(session, judging(), engagement_id, current_principal(), clock.now(), numbers()))


@engagements_blueprint.get(f"{ENGAGEMENT}/transitions")
@engagements_blueprint.response(200, TransitionsSchema)
def list_transitions(engagement_id: str) -> Response:
    """Read what can be done with an engagement now, by whom, and what is missing for each transition."""
    with reading() as session:
        shown = read.describe(session, judging(), engagement_id, current_principal(), clock.now(), numbers())
    return tagged(read.transitions_of(shown))


@engagements_blueprint.get("/models")
@engagements_blueprint.response(200, MachineListSchema)
def list_models() -> dict[str, Any]:
    """Read the three models: their states and, of each transition, who makes it, its guards and what it needs."""
    return {"items": list(MACHINES.values())}


@engagements_blueprint.get("/models/<string:model>")
@engagements_blueprint.response(200, MachineSchema)
def get_model(model: str) -> Machine:
    """Read one model: `simple_prr`, `early` or `framework`."""
    if model not in set(Model):
        raise NotFound(f"There is no model {model!r}; use one of {', '.join(Model)}.")
    return MACHINES[Model(model)]


@engagements_blueprint.post(f"{ENGAGEMENT}/transitions")
@engagements_blueprint.arguments(TransitionSchema)
@engagements_blueprint.response(200, EngagementSchema)
@engagements_blueprint.alt_response(403, description="The caller lacks the role; nothing else stands in the way.")
@engagements_blueprint.alt_response(409, description="No such transition, or every guard that fails with its remedy.")
@engagements_blueprint.alt_response(412, description="The engagement changed since the caller read it.")
@engagements_blueprint.doc(parameters=HEADERS)
def move(body: dict[str, Any], engagement_id: str) -> Response:
    """Move an engagement to another state, pause or resume it.

    `GET /api/engagements/{id}` says under `next` which are legal, who may, what each needs and what stands in the way.
    Examples: `{"to": "accepted", "sre_team": "sre"}`, `{"to": "declined", "reason": "too little traffic",
    "alternative_tier": "consultation"}`, `{"to": "paused", "reason": "peak season"}` and, to resume it in analysis,
    `{"to": "analysis"}`, `{"to": "disengaging", "outcome": "graduated", "reason": "two quiet quarters", "evidence":
    "https://wiki/review", "tier": "consultation"}`. To ask for the state that it is in already changes nothing.
    """
    now = clock.now()
    return engagement(
        lambda session: transitions.make(
            session, judging(), engagement_id, _wish(body), current_principal(), now, version_asked_for(), numbers()
        )
    )


@engagements_blueprint.patch(f"{ENGAGEMENT}/request")
@engagements_blueprint.arguments(CompleteSchema)
@engagements_blueprint.response(200, EngagementSchema)
@engagements_blueprint.doc(parameters=HEADERS)
def complete_request(body: dict[str, Any], engagement_id: str) -> Response:
    """Complete what was asked: only what is named changes.

    A development lead who does it agrees by that. Example: `{"usage_forecast_rps": 1500, "staffing": {"developers": 2,
    "sres": 2, "agreed_by": ["dora", "sam"]}, "consented_by": "dora", "criteria": ["business_value"]}`.
    """
    now = clock.now()
    return engagement(
        lambda session: requests.complete(session, engagement_id, body, current_principal(), now, version_asked_for())
    )


def _wish(body: dict[str, Any]) -> Wish:
    team = body["sre_team"]
    return Wish(
        to=body["to"],
        reason=body["reason"],
        sre_team=team_ref(team) if team else None,
        reviewers=tuple(dict.fromkeys(body["reviewers"])),
        alternative_tier=Tier(body["alternative_tier"]) if body["alternative_tier"] else None,
        outcome=Outcome(body["outcome"]) if body["outcome"] else None,
        tier=Tier(body["tier"]) if body["tier"] else None,
        notice_until=body["notice_until"],
        pause_until=body["pause_until"],
        forced=body["forced"],
        evidence=body["evidence"],
        waivers=tuple(body["waivers"]),
    )


def parse_ref_of(text: str) -> Any:
    """Read a service's reference; raises InvalidInput when it is none."""
    try:
        return parse_ref(text, "component")
    except BadReference as error:
        raise InvalidInput(f"entity_ref: {error}", [Fault("entity_ref", str(error))]) from error


def _entity(text: str) -> tuple[str, str, str]:
    ref = str(parse_ref_of(text))
    kind, _, rest = ref.partition(":")
    namespace, _, name = rest.partition("/")
    return kind, namespace, name
