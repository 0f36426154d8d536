"""Asking for an engagement, and completing what was asked with what accepting it takes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engagements import history, support
from engagements.lifecycle import engagements
from engagements.lifecycle.models import Engagement
from engagements.lifecycle.states import INITIAL, Criterion, EngagementState, Model, State
from engagements.lifecycle.terms.amending import opened, write
from engagements.lifecycle.writing import new_id, save, state_of
from engagements.tiers import Tier
from portal_backend.core.errors import Conflict, Fault, NotAllowed
from portal_backend.core.principal import Principal, Role

ASKING = {
    Model.SIMPLE_PRR: (Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER),
    Model.EARLY: (Role.DEV_LEAD, Role.DEV, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER),
    Model.FRAMEWORK: (Role.DEV_LEAD, Role.PLATFORM_OWNER),
}
COMPLETING = (Role.DEV, Role.DEV_LEAD, Role.SRE, Role.SRE_LEAD, Role.SRE_MANAGER, Role.PLATFORM_OWNER)
NOT_RUN_YET = tuple(state for state in State if state not in {State.DISENGAGING, State.ACTIVE})


def ask(
    session: Session,
    ref: str,
    model: Model,
    request: Mapping[str, Any],
    principal: Principal,
    now: datetime,
    engagement_id: str | None = None,
    sre_team: str | None = None,
) -> EngagementState:
    """Ask for an engagement with a service and return it. The same request under the same id makes one engagement.

    `request` holds reason, consented_by, usage_forecast_rps, staffing and criteria, as far as they are known.
    Raises NotAllowed when only the role is missing, Conflict when anything else stands in the way.
    """
    history.lock(session, [ref])
    session.expire_all()
    terms = _terms(request, principal, model)
    known = session.get(Engagement, engagement_id) if engagement_id else None
    if known is not None:
        return _same(known, ref, model, principal)
    _refuse_unless_possible(session, ref, model, terms, principal)
    asked = EngagementState(
        id=engagement_id or new_id(),
        entity_ref=ref,
        model=model,
        state=INITIAL[model],
        state_since=now,
        requested_by=principal.name,
        requested_at=now,
        sre_team=sre_team,
        document={"request": terms},
    )
    words = {"simple_prr": "a production readiness review", "early": "early engagement", "framework": "a framework"}
    summary = f"{principal.name} asked for {words[model]}" + (f": {terms['reason']}" if terms["reason"] else ".")
    return save(session, None, asked, "engagement.requested", summary, principal, now)


def complete(
    session: Session,
    engagement_id: str,
    request: Mapping[str, Any],
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
) -> EngagementState:
    """Change what was asked: only what `request` names. Raises as `opened` does."""
    before = opened(session, engagement_id, principal, "request", COMPLETING, NOT_RUN_YET, if_match)
    present = before.section("request")
    if principal.has_role(Role.DEV_LEAD) and not present.get("consented_by"):
        present["consented_by"] = principal.name
    terms = {**present, **request}
    named = ", ".join(sorted(request)) or "consent"
    return write(
        session,
        before,
        "engagement.terms_changed",
        f"The request was completed: {named}.",
        principal,
        now,
        request=terms,
    )


def _terms(request: Mapping[str, Any], principal: Principal, model: Model) -> dict[str, Any]:
    consent = request.get("consented_by") or ""
    if not consent and principal.has_role(Role.DEV_LEAD):
        consent = principal.name
    criteria = list(request.get("criteria") or ())
    team_asks = not principal.roles.isdisjoint({Role.DEV, Role.DEV_LEAD})
    if model is Model.EARLY and team_asks and Criterion.TEAM_ASKED not in criteria:
        criteria.append(Criterion.TEAM_ASKED.value)
    return {
        "reason": request.get("reason") or "",
        "consented_by": consent,
        "usage_forecast_rps": request.get("usage_forecast_rps"),
        "staffing": request.get("staffing"),
        "criteria": criteria,
    }


def _same(known: Engagement, ref: str, model: Model, principal: Principal) -> EngagementState:
    if (known.entity_ref, known.requested_by) == (ref, principal.name) and model.value in _models(known):
        return state_of(known)
    message = f"The id {known.id} stands for another engagement already; leave `id` out or give a new one."
    raise Conflict(message, [Fault("id", "is taken")])


def _models(known: Engagement) -> set[str]:
    return {known.model, (known.document.get("origin") or {}).get("model", known.model)}


def _refuse_unless_possible(
    session: Session, ref: str, model: Model, terms: Mapping[str, Any], principal: Principal
) -> None:
    faults = []
    for present in engagements.open_of(session, ref):
        remedy = f"go on with it at /api/engagements/{present.id}, or end it first"
        faults.append(
            Fault("open_engagement", f"{ref} has the engagement {present.id} ({present.state}) already: {remedy}.")
        )
    if not faults and support.current(session, [ref])[ref].tier is Tier.FULL_SRE:
        faults.append(
            Fault(
                "tier", f"SRE runs {ref} already. Its engagement is not on record: POST /api/engagements/adopt puts it."
            )
        )
    if model is Model.SIMPLE_PRR and not terms["consented_by"]:
        faults.append(
            Fault(
                "development_agrees",
                "Nobody has said that the development lead agrees, and support that is imposed fails. "
                "Let the development lead ask, or name in `consented_by` who of them agreed.",
            )
        )
    roles = ASKING[model]
    if not principal.has_role(*roles):
        faults.append(Fault("role", f"{principal.name} may not ask: it takes one of {', '.join(sorted(roles))}."))
    if faults:
        only_role = [fault.path for fault in faults] == ["role"]
        message = f"No engagement ({model}) of {ref} can begin: " + " ".join(fault.message for fault in faults)
        raise (NotAllowed if only_role else Conflict)(message, faults)
