"""HTTP: SRE teams, what uses their capacity, and the plan on which people decide."""

from typing import Any

from flask import Response

from catalog.format.refs import make_ref
from engagements import services
from engagements.blueprints import engagements_blueprint
from engagements.capacity import decisions, ledger, planning, teams
from engagements.capacity.decisions import Decision
from engagements.capacity.limits import TeamLimits
from engagements.capacity.planner.optimum import SolverMissing
from engagements.capacity.planning import PlanWish
from engagements.capacity.schemas import (
    CapacityPlanSchema,
    CapacitySchema,
    DecideSchema,
    PlanDecisionSchema,
    PlanQuery,
    PutTeamSchema,
    ReleasedPinSchema,
    ReleasePinSchema,
    SavedPlanPageSchema,
    SavedPlanQuery,
    SavedPlanSchema,
    TeamDetailSchema,
    TeamListSchema,
    TeamSchema,
)
from engagements.in_force import capacity_settings, review_settings
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading, transaction
from portal_backend.core.entity_tags import version_asked_for, with_tag
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.http import plain_json
from portal_backend.core.pagination import MAX_LIMIT
from portal_backend.core.whole_lists import WholeQuery, page_of
from scorecards.judging import current as judging


@engagements_blueprint.get("/teams")
@engagements_blueprint.arguments(WholeQuery, location="query")
@engagements_blueprint.response(200, TeamListSchema)
def list_teams(query: dict[str, Any]) -> Any:
    """List the SRE teams as they are now."""
    with reading() as session:
        return page_of([_shown(team) for team in teams.teams(session, clock.now())], "teams", query)


@engagements_blueprint.get("/teams/<string:kind>/<string:namespace>/<string:name>")
@engagements_blueprint.response(200, TeamDetailSchema)
def get_team(kind: str, namespace: str, name: str) -> Any:
    """Read what a team can carry, with its ledger; its ETag is what If-Match takes."""
    ref = make_ref(kind, namespace, name)
    with reading() as session:
        team = teams.get(session, ref, clock.now())
        shown = {**_shown(team), "ledger": teams.entries(session, ref)}
        return with_tag(shown, team.version)


@engagements_blueprint.put("/teams/<string:kind>/<string:namespace>/<string:name>")
@engagements_blueprint.arguments(PutTeamSchema)
@engagements_blueprint.response(200, TeamSchema)
@engagements_blueprint.alt_response(403, description="It takes the role sre_manager.")
@engagements_blueprint.alt_response(412, description="The ledger grew since the caller read it.")
def put_team(body: dict[str, Any], kind: str, namespace: str, name: str) -> Any:
    """Record what a team can carry from now, or from a later moment, on."""
    now, ref = clock.now(), teams.team_ref(make_ref(kind, namespace, name))
    reason, effective_at = body.pop("reason"), body.pop("effective_at") or now
    with transaction() as session:
        wanted = TeamLimits(ref, **body)
        team = teams.put(session, wanted, reason, effective_at, current_principal(), now, version_asked_for())
        return with_tag(_shown(team), team.version)


@engagements_blueprint.get("/capacity")
@engagements_blueprint.arguments(WholeQuery, location="query")
@engagements_blueprint.response(200, CapacitySchema)
def get_capacity(query: dict[str, Any]) -> Any:
    """Tell what each team can carry, what uses it, what is free, and which limit binds."""
    now, settings = clock.now(), capacity_settings()
    with reading() as session:
        states = ledger.capacity_of(session, settings, now)
        steady = ledger.steady_uses(session, settings, [state.team for state in states])
        known = {state.team.ref for state in states}
        unassigned = [use for ref, uses in steady.items() if ref not in known for use in uses]
        return {
            **page_of(states, "capacity", query),
            "unassigned": unassigned[:MAX_LIMIT],
            "unassigned_count": len(unassigned),
            "triaged_at": ledger.loads_seen_at(session),
        }


@engagements_blueprint.get("/plan")
@engagements_blueprint.arguments(PlanQuery, location="query")
@engagements_blueprint.response(200, CapacityPlanSchema)
def get_plan(query: dict[str, Any]) -> Response:
    """Make a plan from what is known now: which service merits which support from which team, within the limits."""
    with reading() as session:
        return plain_json(_made(session, query))


@engagements_blueprint.post("/plan")
@engagements_blueprint.arguments(PlanQuery)
@engagements_blueprint.response(200, SavedPlanSchema)
@engagements_blueprint.alt_response(403, description="It takes the role sre_lead or sre_manager.")
def save_plan(body: dict[str, Any]) -> Any:
    """Make a plan and keep it, so that people can decide on its rows. The same plan is kept once."""
    with transaction() as session:
        saved = decisions.save(session, _made(session, body), current_principal(), clock.now())
        return plain_json(_saved(session, saved))


@engagements_blueprint.get("/plans")
@engagements_blueprint.arguments(SavedPlanQuery, location="query")
@engagements_blueprint.response(200, SavedPlanPageSchema)
def list_plans(query: dict[str, Any]) -> Any:
    """List the saved plans, the newest first."""
    with reading() as session:
        return plain_json(SavedPlanPageSchema().dump(decisions.page(session, query["cursor"], query["limit"])))


@engagements_blueprint.get("/plans/<string:plan_id>")
@engagements_blueprint.response(200, SavedPlanSchema)
def get_saved_plan(plan_id: str) -> Any:
    """Read a saved plan and what people decided on it."""
    with reading() as session:
        return plain_json(_saved(session, decisions.get(session, plan_id)))


@engagements_blueprint.post("/plans/<string:plan_id>/rows/<string:kind>/<string:namespace>/<string:name>/decision")
@engagements_blueprint.arguments(DecideSchema)
@engagements_blueprint.response(200, PlanDecisionSchema)
@engagements_blueprint.alt_response(403, description="It takes the role sre_lead or sre_manager.")
@engagements_blueprint.alt_response(409, description="Another decision on the service stands.")
def decide(body: dict[str, Any], plan_id: str, kind: str, namespace: str, name: str) -> Any:
    """Accept or reject what a plan proposes for a service. Later plans keep to it."""
    with transaction() as session:
        wanted = Decision(make_ref(kind, namespace, name), body["accepted"], body["reason"])
        found = decisions.decide(session, plan_id, wanted, current_principal(), clock.now())
        return plain_json(PlanDecisionSchema().dump(found))


@engagements_blueprint.post("/plan/decisions/<string:kind>/<string:namespace>/<string:name>/release")
@engagements_blueprint.arguments(ReleasePinSchema)
@engagements_blueprint.response(200, ReleasedPinSchema)
@engagements_blueprint.alt_response(403, description="It takes the role sre_lead or sre_manager.")
def release(body: dict[str, Any], kind: str, namespace: str, name: str) -> Any:
    """Take back the decisions that stand on a service: the next plan is free to choose again."""
    with transaction() as session:
        ref = services.service_ref(session, judging().service_types, kind, namespace, name)
        count = decisions.release(session, ref, body["reason"], current_principal(), clock.now())
        return {"released": count}


def _made(session: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    wish = PlanWish(
        method=wanted["method"],
        assume_consent=wanted["assume_consent"],
        one_more=wanted["one_more"],
        advice_hours=review_settings().advice_hours_per_quarter,
        seconds=wanted["seconds"],
    )
    try:
        return planning.plan(session, capacity_settings(), wish, clock.now())
    except SolverMissing as error:
        raise InvalidInput(str(error), [Fault("method", str(error))]) from error


def _saved(session: Any, saved: Any) -> dict[str, Any]:
    return {
        "saved_at": saved.saved_at,
        "saved_by": saved.saved_by,
        "plan": saved.document,
        "decisions": PlanDecisionSchema(many=True).dump(decisions.of_plan(session, saved.id)),
    }


def _shown(team: teams.Team) -> dict[str, Any]:
    return {**vars(team.limits), "version": team.version}
