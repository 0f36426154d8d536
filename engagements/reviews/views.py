"""HTTP: an engagement's checklist, findings, improvements, plan and incident review."""

from typing import Any

from catalog.services import services
from engagements import records
from engagements.blueprints import ENGAGEMENT, engagements_blueprint
from engagements.in_force import review_settings, triage_settings
from engagements.lifecycle import engagements
from engagements.reviews import answers, checklist, engaged, findings, improvements, incident_review, plans, similar
from engagements.reviews.checklist import NewAnswer, NewItem
from engagements.reviews.checklist_schemas import ChecklistSchema, NewAnswersSchema, NewItemSchema, SuggestionListSchema
from engagements.reviews.findings import FindingFilter, NewFinding
from engagements.reviews.improvement_moves import Wish
from engagements.reviews.improvement_schemas import (
    ImprovementEditSchema,
    ImprovementListSchema,
    ImprovementMoveSchema,
    ImprovementSchema,
    NewImprovementSchema,
    PlanListSchema,
    PlanSchema,
    PlanSignatureSchema,
)
from engagements.reviews.improvements import Edit, NewImprovement, Surroundings
from engagements.reviews.models import Finding, Improvement, ImprovementPlan
from engagements.reviews.requests import NothingSchema
from engagements.reviews.schemas import (
    FindingMoveSchema,
    FindingPageSchema,
    FindingQuery,
    FindingSchema,
    IncidentPanelSchema,
    IncidentReviewSchema,
    NewFindingSchema,
)
from engagements.unchanged import tag_without
from portal_backend.core import clock
from portal_backend.core.auth import current_principal
from portal_backend.core.db import reading, transaction
from portal_backend.core.entity_tags import Tagged, version_asked_for, with_tag
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.principal import Role
from portal_backend.core.whole_lists import WholeQuery, page_of
from scorecards.judging import current as judging


@engagements_blueprint.get(f"{ENGAGEMENT}/checklist")
@engagements_blueprint.response(200, ChecklistSchema)
def get_checklist(engagement_id: str) -> dict[str, Any]:
    """Read the checklist of an engagement's present review, with what facts and people answered."""
    with reading() as session:
        engagement = engagements.get(session, engagement_id)
        return _sheet(checklist.read(session, judging(), review_settings(), engagement, clock.now()))


@engagements_blueprint.post(f"{ENGAGEMENT}/checklist")
@engagements_blueprint.arguments(NothingSchema, required=False)
@engagements_blueprint.response(200, ChecklistSchema)
@engagements_blueprint.alt_response(409, description="The review has not begun, or the engagement is closed.")
def open_checklist(_body: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """Open the checklist of the present review; the template stays as it is now. Opened already, it stays."""
    now = clock.now()
    with transaction() as session:
        engagement = engaged.begun(session, engagement_id)
        checklist.open_checklist(session, judging(), review_settings(), engagement, current_principal(), now)
        return _sheet(checklist.read(session, judging(), review_settings(), engagement, now))


@engagements_blueprint.post(f"{ENGAGEMENT}/checklist/items")
@engagements_blueprint.arguments(NewItemSchema)
@engagements_blueprint.response(200, ChecklistSchema)
def add_item(body: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """Add an item that only this service's checklist has, for this review and those to come."""
    now, new = clock.now(), NewItem(**{**body, "checks": tuple(body["checks"])})
    with transaction() as session:
        engagement = engaged.begun(session, engagement_id)
        checklist.add_item(session, review_settings(), engagement, new, current_principal(), now)
        return _sheet(checklist.read(session, judging(), review_settings(), engagement, now))


@engagements_blueprint.post(f"{ENGAGEMENT}/checklist/answers")
@engagements_blueprint.arguments(NewAnswersSchema)
@engagements_blueprint.response(200, ChecklistSchema)
def answer_items(body: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """Answer items of the checklist; the first answer opens it."""
    now, given = clock.now(), [NewAnswer(**each) for each in body["answers"]]
    with transaction() as session:
        engagement, settings = engaged.begun(session, engagement_id), review_settings()
        checklist.open_checklist(session, judging(), settings, engagement, current_principal(), now)
        sheet = checklist.read(session, judging(), settings, engagement, now)
        checklist.answer(session, sheet, given, current_principal(), now)
        return _sheet(checklist.read(session, judging(), settings, engagement, now))


@engagements_blueprint.get(f"{ENGAGEMENT}/checklist/suggestions")
@engagements_blueprint.response(200, SuggestionListSchema)
def list_suggestions(engagement_id: str) -> dict[str, Any]:
    """List the items that similar services give reason to ask about."""
    with reading() as session:
        engagement = engagements.get(session, engagement_id)
        sheet = checklist.read(session, judging(), review_settings(), engagement, clock.now())
        present = [line.item.key for line in sheet.lines]
        return {"items": similar.suggestions(session, judging(), engagement, present)}


@engagements_blueprint.get("/findings")
@engagements_blueprint.arguments(FindingQuery, location="query")
@engagements_blueprint.response(200, FindingPageSchema)
def list_all_findings(query: dict[str, Any]) -> Any:
    """List findings of all services, newest first."""
    wanted = FindingFilter(
        query["service"], query["engagement"], query["state"], query["axis"], query["pattern"], query["severity"]
    )
    with reading() as session:
        return findings.list_findings(session, wanted, query["cursor"], query["limit"])


@engagements_blueprint.get(f"{ENGAGEMENT}/findings")
@engagements_blueprint.arguments(FindingQuery(exclude=("engagement", "service")), location="query")
@engagements_blueprint.response(200, FindingPageSchema)
def list_findings(query: dict[str, Any], engagement_id: str) -> Any:
    """List the findings of an engagement, newest first."""
    wanted = FindingFilter((), engagement_id, query["state"], query["axis"], query["pattern"], query["severity"])
    with reading() as session:
        engagements.get(session, engagement_id)
        return findings.list_findings(session, wanted, query["cursor"], query["limit"])


@engagements_blueprint.post(f"{ENGAGEMENT}/findings")
@engagements_blueprint.arguments(NewFindingSchema)
@engagements_blueprint.response(201, FindingSchema)
def open_finding(body: dict[str, Any], engagement_id: str) -> Finding:
    """Record a finding; the same one twice is one."""
    new = NewFinding(**{**body, "evidence": tuple(body["evidence"])})
    if new.check is not None and new.check not in judging().catalogue.checks:
        raise InvalidInput(f"There is no check {new.check}.", [Fault("check", "is no check of the catalogue")])
    with transaction() as session:
        place = engaged.place_of(engaged.for_writing(session, engagement_id))
        return records.detached(session, findings.open_finding(session, place, new, current_principal(), clock.now()))


@engagements_blueprint.get("/findings/<string:finding_id>")
@engagements_blueprint.response(200, FindingSchema)
def get_finding(finding_id: str) -> Finding:
    """Read a finding."""
    with reading() as session:
        return records.get(session, Finding, finding_id, "finding")


@engagements_blueprint.post("/findings/<string:finding_id>/state")
@engagements_blueprint.arguments(FindingMoveSchema)
@engagements_blueprint.response(200, FindingSchema)
@engagements_blueprint.alt_response(409, description="What stands in the way, each with its remedy.")
def move_finding(body: dict[str, Any], finding_id: str) -> Finding:
    """Resolve a finding, accept its risk, or open it again."""
    now = clock.now()
    with transaction() as session:
        finding = records.locked(session, Finding, finding_id, "finding")
        results = checklist.results_of(session, judging(), finding.entity_ref, now) if finding.check_id else {}
        status = results.get(finding.check_id or "", {}).get("status")
        moved = findings.move(
            session, finding, body["state"], body["reason"], body["evidence"], status, current_principal(), now
        )
        return records.detached(session, moved)


@engagements_blueprint.get(f"{ENGAGEMENT}/improvements")
@engagements_blueprint.arguments(WholeQuery, location="query")
@engagements_blueprint.response(200, ImprovementListSchema)
def list_improvements(query: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """List the improvements of an engagement in the order of work."""
    with reading() as session:
        engagements.get(session, engagement_id)
        return page_of(improvements.of_engagement(session, engagement_id), "improvements", query)


@engagements_blueprint.post(f"{ENGAGEMENT}/improvements")
@engagements_blueprint.arguments(NewImprovementSchema)
@engagements_blueprint.response(201, ImprovementSchema)
def propose_improvement(body: dict[str, Any], engagement_id: str) -> Improvement:
    """Propose an improvement; its priority is computed, and each term of it stated."""
    new, now = NewImprovement(**{**body, "findings": tuple(body["findings"])}), clock.now()
    with transaction() as session:
        engagement = engaged.for_writing(session, engagement_id)
        around = _around(session, engagement.entity_ref)
        place = engaged.place_of(engagement)
        return records.detached(session, improvements.propose(session, around, place, new, current_principal(), now))


@engagements_blueprint.get("/improvements/<string:improvement_id>")
@engagements_blueprint.response(200, ImprovementSchema)
def get_improvement(improvement_id: str) -> Tagged:
    """Read an improvement; its ETag is what If-Match takes."""
    with reading() as session:
        row = records.get(session, Improvement, improvement_id, "improvement")
        return with_tag(row, row.version)


@engagements_blueprint.patch("/improvements/<string:improvement_id>")
@engagements_blueprint.arguments(ImprovementEditSchema)
@engagements_blueprint.response(200, ImprovementSchema)
@engagements_blueprint.alt_response(412, description="It changed since the caller read it.")
def edit_improvement(body: dict[str, Any], improvement_id: str) -> Tagged:
    """Change what an improvement says, or negotiate its priority; the computed one is kept beside it."""
    if_match, now = version_asked_for(), clock.now()
    with transaction() as session:
        row = records.locked(session, Improvement, improvement_id, "improvement")
        records.agree_on_version(row, if_match)
        around = _around(session, row.entity_ref)
        row = improvements.edit(session, around, row, Edit(**body), current_principal(), now)
        _follow(session, row, now)
        row = records.detached(session, row)
        return with_tag(row, row.version)


@engagements_blueprint.post("/improvements/<string:improvement_id>/state")
@engagements_blueprint.arguments(ImprovementMoveSchema)
@engagements_blueprint.response(200, ImprovementSchema)
@engagements_blueprint.alt_response(409, description="What stands in the way, each with its remedy.")
def move_improvement(body: dict[str, Any], improvement_id: str) -> Tagged:
    """Move an improvement. To agree and to reject takes both sides; what a check shows, only the check verifies."""
    if_match, now = version_asked_for(), clock.now()
    wish = Wish(body.pop("state"), body.pop("reason"), body.pop("until"), body.pop("evidence"))
    side = body.pop("side")
    with transaction() as session:
        row = records.locked(session, Improvement, improvement_id, "improvement")
        records.agree_on_version(row, if_match)
        if row.state != wish.to:
            _note_doer(row, wish, body)
            around = _around(session, row.entity_ref)
            row = improvements.edit(session, around, row, Edit(**body), current_principal(), now)
            results = checklist.results_of(session, judging(), row.entity_ref, now) if row.check_id else {}
            row = improvements.move(session, row, wish, side, results, current_principal(), now)
            _follow(session, row, now)
        row = records.detached(session, row)
        return with_tag(row, row.version)


@engagements_blueprint.get(f"{ENGAGEMENT}/plan")
@engagements_blueprint.arguments(WholeQuery, location="query")
@engagements_blueprint.response(200, PlanListSchema)
def list_plans(query: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """List every version of an engagement's improvement plan, the newest first."""
    now = clock.now()
    with reading() as session:
        engagements.get(session, engagement_id)
        states = {row.id: row for row in improvements.of_engagement(session, engagement_id)}
        found = [plans.form(plan, states, now) for plan in plans.versions(session, engagement_id)]
        return page_of(found, "plan-versions", query)


@engagements_blueprint.post(f"{ENGAGEMENT}/plan")
@engagements_blueprint.arguments(NothingSchema, required=False)
@engagements_blueprint.response(200, PlanSchema)
def draft_plan(_body: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """Draw up the plan from the improvements that are agreed; another content is another, unsigned version."""
    now = clock.now()
    with transaction() as session:
        engagement = engaged.for_writing(session, engagement_id)
        return _plan(session, plans.draft(session, engagement, current_principal(), now))


@engagements_blueprint.post(f"{ENGAGEMENT}/plan/signatures")
@engagements_blueprint.arguments(PlanSignatureSchema)
@engagements_blueprint.response(200, PlanSchema)
@engagements_blueprint.alt_response(403, description="Only the leads of the two sides sign.")
@engagements_blueprint.alt_response(409, description="The version was replaced, or one person signs for both sides.")
def sign_plan(body: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """Sign the newest version of the plan for one side."""
    with transaction() as session:
        engagement = engaged.for_writing(session, engagement_id)
        plan = plans.sign(session, engagement, body["version"], body["side"], current_principal(), clock.now())
        return _plan(session, plan)


@engagements_blueprint.get(f"{ENGAGEMENT}/incident-review")
@engagements_blueprint.response(200, IncidentPanelSchema)
def get_incident_review(engagement_id: str) -> Tagged:
    """Read what the service's incidents and postmortems say, and whether they were reviewed."""
    with reading() as session:
        engagement = engagements.get(session, engagement_id)
        found = incident_review.read(session, judging(), review_settings(), engagement, clock.now())
        return found, 200, tag_without(IncidentPanelSchema().dump(found), ("since",))


@engagements_blueprint.post(f"{ENGAGEMENT}/incident-review")
@engagements_blueprint.arguments(IncidentReviewSchema)
@engagements_blueprint.response(200, IncidentPanelSchema)
def complete_incident_review(body: dict[str, Any], engagement_id: str) -> dict[str, Any]:
    """Mark the incident review done; repeated causes and overdue follow-ups become findings."""
    now, settings = clock.now(), review_settings()
    with transaction() as session:
        engagement = engaged.begun(session, engagement_id)
        made = incident_review.complete(session, settings, engagement, body["conclusion"], current_principal(), now)
        found = incident_review.read(session, judging(), settings, engagement, now)
        records.detached(session, made)
        return found


def _sheet(sheet: checklist.Sheet) -> dict[str, Any]:
    engagement, opened = sheet.engagement, sheet.opened
    return {
        "engagement_id": engagement.id,
        "entity_ref": engagement.entity_ref,
        "review_round": engagement.review_round,
        "template": sheet.template,
        "template_version": sheet.template_version,
        "template_digest": sheet.template_digest,
        "opened_at": opened.created_at if opened else None,
        "opened_by": opened.created_by if opened else None,
        "items": [answers.line_form(line) for line in sheet.lines],
        "unanswered": list(checklist.unanswered(sheet)),
        "progress": answers.progress(sheet.lines),
        "effort": answers.effort(sheet.lines, engagement.model, triage_settings()),
    }


def _around(session: Any, ref: str) -> Surroundings:
    found = services(session, judging().service_types, [ref])
    dependents = len(found[0].dependents) if found else 0
    return improvements.surroundings(session, judging(), review_settings(), ref, dependents)


def _note_doer(row: Improvement, wish: Wish, body: dict[str, Any]) -> None:
    """Fill in who did it and for which side, where the request leaves that open."""
    if wish.to != "done":
        return
    principal = current_principal()
    body["done_by"] = body["done_by"] or row.done_by or principal.name
    dev_only = principal.has_role(Role.DEV, Role.DEV_LEAD) and not principal.has_role(Role.SRE, Role.SRE_LEAD)
    inferred = "dev" if dev_only else None if Role.ADMINISTRATOR in principal.roles else "sre"
    body["done_side"] = body["done_side"] or row.done_side or inferred


def _follow(session: Any, row: Improvement, now: Any) -> None:
    """Let the plan of the improvement's engagement follow."""
    if row.engagement_id is not None:
        engagement = engagements.get(session, row.engagement_id)
        plans.refresh(session, engagement, current_principal(), now)


def _plan(session: Any, plan: ImprovementPlan) -> dict[str, Any]:
    states = {row.id: row for row in improvements.of_engagement(session, str(plan.engagement_id))}
    return plans.form(plan, states, clock.now())
