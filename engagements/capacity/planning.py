"""The plan from what is stored: gathered in a fixed number of queries, made, and told.

What a service would gain comes from the stored triage, who supports it from the tiers, consent and staffing from the
engagements, and what people decided on earlier plans from their decisions.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from engagements.capacity import decisions, ledger, teams
from engagements.capacity.limits import TeamLimits
from engagements.capacity.planner import optimum
from engagements.capacity.planner.plan import Method, Plan, PlanRow, make_plan
from engagements.capacity.planner.problem import CONSULTATION, Option, Pin, PlanInput, PlanService, PlanTeam
from engagements.capacity.settings import CapacitySettings
from engagements.lifecycle.models import Engagement
from engagements.tiers import CONSULTATION_HOURS_PER_QUARTER, ENDING_LIFECYCLES, Tier
from engagements.triage_lists import queue
from engagements.triage_models import TriageResult

OPTION_OF = {
    Tier.DOCUMENTATION: Option.NONE,
    Tier.CONSULTATION: Option.CONSULT,
    Tier.PLATFORM: Option.PLATFORM,
    Tier.FULL_SRE: Option.FULL,
}
TIER_OF = {option: tier.value for tier, option in OPTION_OF.items()}
RUNNING = ledger.REVIEW_STATES | ledger.FRAMEWORK_STATES | {"onboarding"}


@dataclass(frozen=True)
class PlanWish:
    """What kind of plan is asked for."""

    method: Method = Method.GREEDY
    assume_consent: bool = False
    """Plan as if the developers of every service agreed and staffed it: to see whom to ask."""
    one_more: bool = True
    advice_hours: float = CONSULTATION_HOURS_PER_QUARTER
    """Hours of advice that a team may have in a quarter."""
    seconds: float | None = None
    """How long the solver may search; the setting by default."""


@dataclass(frozen=True)
class Engaged:
    """What the open engagement of a service says of it."""

    state: str
    team: str | None
    model: str
    running: bool
    consent: bool
    staffing: bool


def plan(session: Session, settings: CapacitySettings, wish: PlanWish, now: datetime) -> dict[str, Any]:
    """Return a plan as a JSON document with its id. Raises SolverMissing, see `planner.optimum`."""
    if wish.seconds is not None:
        settings = replace(settings, optimum_seconds=wish.seconds)
    given, triaged_at = gather(session, settings, wish, now)
    made = make_plan(given, wish.method, wish.one_more)
    return document_of(given, made, wish, triaged_at)


def gather(
    session: Session, settings: CapacitySettings, wish: PlanWish, now: datetime
) -> tuple[PlanInput, datetime | None]:
    """Return what a plan rests on, and when the oldest triage result in it was computed."""
    known = teams.teams(session, now)
    limits = [team.limits for team in known]
    rows = list(session.scalars(select(TriageResult).order_by(TriageResult.entity_ref)))
    refs = [row.entity_ref for row in rows]
    engaged = engaged_services(session)
    pins, rejected = decisions.standing(session)
    assigned = ledger.team_of_services(session, refs, limits)
    platforms = {row.framework for row in rows if row.framework and row.tier == Tier.PLATFORM}
    ranks = queue.ranks(session, now)
    services = tuple(
        _service(row, engaged.get(row.entity_ref), assigned.get(row.entity_ref), platforms, wish) for row in rows
    )
    services = tuple(
        replace(
            service,
            pin=pins.get(service.ref) or service.pin,
            gates=_with_rejections(service, rejected.get(service.ref, {})),
            queue_rank=ranks.get(service.ref),
        )
        for service in services
    )
    used = ledger.capacity_of(session, settings, now)
    committed = {
        state.team.ref: sum(
            use.sres * min(use.quarters_left, settings.horizon_quarters) for use in state.uses if use.engagement
        )
        for state in used
    }
    plan_teams = tuple(PlanTeam(each, round(committed.get(each.ref, 0.0), 2)) for each in limits)
    given = PlanInput(services, plan_teams, settings, wish.advice_hours)
    return given, min((row.computed_at for row in rows), default=None)


def engaged_services(session: Session) -> dict[str, Engaged]:
    """Return the open engagement of each service that has one."""
    columns = (Engagement.entity_ref, Engagement.state, Engagement.sre_team, Engagement.model, Engagement.paused,
               Engagement.document)  # fmt: skip
    found = {}
    for ref, state, team, model, paused, document in session.execute(
        select(*columns).where(Engagement.closed_at.is_(None)).order_by(Engagement.requested_at, Engagement.id)
    ):
        request = document.get("request") or {}
        found[ref] = Engaged(
            state=state,
            team=team,
            model=model,
            running=state in RUNNING and not paused,
            consent=bool(request.get("consented_by")),
            staffing=bool(request.get("staffing")),
        )
    return found


def _service(
    row: TriageResult, engaged: Engaged | None, team: str | None, platforms: set[str], wish: PlanWish
) -> PlanService:
    current = OPTION_OF[Tier(row.tier)]
    return PlanService(
        ref=row.entity_ref,
        value=row.value,
        confidence=row.confidence,
        owner=row.owner,
        criticality=row.criticality,
        current=current,
        current_team=None if current is Option.NONE else team,
        pages_per_shift=row.pages_per_shift,
        stack=row.framework,
        lifecycle=row.lifecycle,
        on_platform=row.framework in platforms,
        teams=(engaged.team,) if engaged and engaged.team else None,
        gates=_gates(row, engaged, wish),
        hand_back_rules=tuple(rule for rule in row.rules_met.strip("|").split("|") if rule.startswith("D")),
        pin=_running_pin(engaged, current, team),
        engaged=bool(engaged and (engaged.running or engaged.state == "disengaging")),
    )


def _running_pin(engaged: Engaged | None, current: Option, team: str | None) -> Pin | None:
    """Return what an engagement under way leads to: people decided it, the plan does not undo it."""
    if engaged is None:
        return None
    if engaged.state == "disengaging":
        return Pin(Option.NONE, None, "It is being handed back.")
    if not engaged.running:
        return None
    option = Option.PLATFORM if engaged.state in ledger.FRAMEWORK_STATES else Option.FULL
    return Pin(option, engaged.team or team, f"An engagement with it is running ({engaged.model}, {engaged.state}).")


def _gates(row: TriageResult, engaged: Engaged | None, wish: PlanWish) -> dict[Option, tuple[str, ...]]:
    """Return what excludes each option: whatever a service's value, SRE does not take it on without these."""
    common = tuple(
        sentence
        for sentence, applies in (
            ("nobody owns it", row.owner is None),
            (f"its lifecycle is {row.lifecycle}", row.lifecycle in ENDING_LIFECYCLES),
        )
        if applies
    )
    agreed = _agreement_gates(engaged, wish)
    low = ("little availability is needed",) if "low_availability_need" in row.barriers else ()
    framework = () if row.framework else ("it states no framework (annotation sre.portal/framework)",)
    gates = {
        Option.CONSULT: common,
        Option.PLATFORM: (*common, *framework, *agreed[:1]),
        Option.FULL: (*common, *low, *agreed),
    }
    return {option: reasons for option, reasons in gates.items() if reasons}


def _agreement_gates(engaged: Engaged | None, wish: PlanWish) -> tuple[str, ...]:
    if wish.assume_consent:
        return ()
    consent = "its developers did not agree yet: request an engagement that names who of them did"
    staffing = "no staffing is agreed: name it in the request of the engagement"
    found = []
    if not (engaged and engaged.consent):
        found.append(consent)
    if not (engaged and engaged.staffing):
        found.append(staffing)
    return tuple(found)


def _with_rejections(service: PlanService, rejected: Mapping[Option, str]) -> Mapping[Option, tuple[str, ...]]:
    return {
        **service.gates,
        **{option: (*service.gates.get(option, ()), why) for option, why in rejected.items()},
    }


def digest_of(given: PlanInput) -> str:
    """Return the digest of all that a plan rests on."""
    plain = orjson.dumps(asdict(given), option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)
    return hashlib.sha256(plain).hexdigest()


def document_of(given: PlanInput, made: Plan, wish: PlanWish, triaged_at: datetime | None) -> dict[str, Any]:
    """Return a plan as JSON values. The same input gives the same document, whenever it is asked for."""
    digest = digest_of(given)
    document = {
        "method": made.method.value,
        "solver": optimum.solver_version() if made.method is Method.OPTIMUM else None,
        "gap": made.gap,
        "reproducible": made.reproducible,
        "sentence": made.sentence,
        "inputs_digest": digest,
        "assume_consent": wish.assume_consent,
        "horizon_quarters": given.settings.horizon_quarters,
        "value": made.value,
        "value_today": made.value_today,
        "moves": made.moves,
        "moves_cap": made.moves_cap,
        "overruns": list(made.overruns),
        "teams": [_team(team) for team in given.teams],
        "limits": [{**asdict(limit), "binds": limit.binds} for limit in made.limits if limit.limit != CONSULTATION],
        "one_more": [asdict(each) for each in made.one_more],
        "differs_from_queue": _queue_compared(made.rows),
        "rows": [_row(row) for row in made.rows],
    }
    plain = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return {"id": hashlib.sha256(plain).hexdigest()[:20], "triaged_at": triaged_at, **document}


def _team(team: PlanTeam) -> dict[str, Any]:
    limits: TeamLimits = team.limits
    return {
        "ref": limits.ref,
        "title": limits.title,
        "kind": limits.kind.value,
        "headcount": limits.headcount,
        "committed_sre_quarters": team.committed_sre_quarters,
    }


def _row(row: PlanRow) -> dict[str, Any]:
    service = row.service
    return {
        "ref": service.ref,
        "act": row.act,
        "option": row.option.value,
        "tier": TIER_OF[row.option],
        "team": row.team,
        "current": service.current.value,
        "current_team": service.current_team,
        "value": service.value,
        "confidence": service.confidence,
        "points": row.gain,
        "points_basis": row.basis,
        "uses": row.uses,
        "pages_assumed": service.pages_per_shift is None and row.team is not None,
        "stands": row.stands,
        "hand_back_rules": list(service.hand_back_rules),
        "queue_rank": service.queue_rank,
        "rejected": [{**asdict(each), "option": each.option.value} for each in row.rejected],
        "sentence": row.sentence,
    }


def _queue_compared(rows: Sequence[PlanRow]) -> list[dict[str, Any]]:
    """Return where the plan takes a waiting service before another that waits ahead of it in the queue."""
    waiting = sorted((row for row in rows if row.service.queue_rank), key=lambda row: row.service.queue_rank or 0)
    passed: list[PlanRow] = []
    found = []
    for row in waiting:
        if row.act not in {"start", "raise"} or row.option not in {Option.PLATFORM, Option.FULL}:
            passed.append(row)
            continue
        for other in (one for one in passed if one.service.teams == row.service.teams):
            why = other.rejected[-1].sentence if other.rejected else other.sentence
            found.append(
                {
                    "taken": row.service.ref,
                    "taken_rank": row.service.queue_rank,
                    "waits": other.service.ref,
                    "waits_rank": other.service.queue_rank,
                    "sentence": f"The plan takes {row.service.ref}, place {row.service.queue_rank} in the queue, "
                    f"before {other.service.ref}, place {other.service.queue_rank}: {why}",
                }
            )
    return found
