"""The ledger of capacity: what uses each team's limits now, and whether there is room for more.

Uses are derived from what is running, never kept apart: steady support from the support tiers, projects from the
engagements that are not closed. What a team can carry stands in its entries (`teams`).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engagements import support
from engagements.capacity import teams
from engagements.capacity.limits import (
    Limit,
    LimitState,
    TeamCapacity,
    TeamKind,
    TeamLimits,
    Use,
    load_share,
    steady_basis,
    steady_hours,
    weigh,
)
from engagements.capacity.settings import DAYS_PER_QUARTER, CapacitySettings
from engagements.lifecycle.models import Engagement
from engagements.tiers import Tier
from engagements.triage_models import TriageResult
from portal_backend.core.db import chunks

RECORDED_SHOWN = 5
"""Teams that are named to whoever named one that is not on record."""
STEADY = {Tier.FULL_SRE: "full", Tier.PLATFORM: "platform", Tier.CONSULTATION: "consult"}
"""What each tier is as an option of the plan."""

REVIEW_STATES = frozenset({"engagement", "analysis", "improvement", "training", "design", "build", "launch",
                           "post_launch"})  # fmt: skip
FRAMEWORK_STATES = frozenset({"adopting", "conformant"})


class DemandKind(StrEnum):
    """What kind of project asks for room."""

    REVIEW = "review"
    ONBOARDING = "onboarding"
    FRAMEWORK = "framework"


@dataclass(frozen=True)
class Demand:
    """What an engagement would take of a team: so many SREs for so many quarters."""

    kind: DemandKind
    sres: float
    quarters: float


@dataclass(frozen=True)
class Room:
    """Whether a team has room for a demand and, where it has not, which limit binds and what to do."""

    fits: bool
    binding: str | None
    """`project_sres`, or `not_recorded` when nobody recorded what the team can carry."""
    sentence: str


def demand_for(kind: DemandKind, settings: CapacitySettings | None = None) -> Demand:
    """Return what a project of a kind takes by the settings (SRE book, chapter 32)."""
    numbers = settings or CapacitySettings()
    return {
        DemandKind.REVIEW: Demand(kind, numbers.review_sres, numbers.onboarding_quarters),
        DemandKind.ONBOARDING: Demand(kind, numbers.onboarding_sres, numbers.onboarding_quarters),
        DemandKind.FRAMEWORK: Demand(kind, numbers.framework_sres, numbers.framework_quarters),
    }[kind]


def room_for(
    session: Session,
    team: str,
    demand: Demand,
    now: datetime,
    settings: CapacitySettings | None = None,
    except_engagement: str | None = None,
) -> Room:
    """Say whether a team has room for a project beside those that it runs.

    A team whose capacity nobody recorded has none that anybody knows of: there is no room until it is recorded.
    `except_engagement` is left out of what runs: the engagement that asks. Read under `lock` (below) when the answer
    decides something: two who ask at once would otherwise both be given the same room.
    """
    found = teams.teams(session, now, [team])
    if not found:
        return Room(False, "not_recorded", _not_recorded(team, [one.limits.ref for one in teams.teams(session, now)]))
    numbers = settings or CapacitySettings()
    projects = _projects(session, numbers, now)
    running = [
        use for use in projects.get(team, ()) if except_engagement is None or use.engagement != except_engagement
    ]
    limits = found[0].limits
    state = LimitState(Limit.PROJECTS, limits.capacity(numbers)[Limit.PROJECTS], sum(use.sres for use in running))
    return _room(limits, state, running, demand)


def _not_recorded(team: str, recorded: Sequence[str]) -> str:
    record = f"record the team's capacity (PUT /api/engagements/teams/{team.replace(':', '/', 1)})"
    some = ", ".join(recorded[:RECORDED_SHOWN]) + (", …" if len(recorded) > RECORDED_SHOWN else "")
    other = f", or name in `sre_team` one of those recorded: {some}" if recorded else ""
    return f"Nobody recorded what {team} can carry: {record}{other}."


def _room(team: TeamLimits, state: LimitState, running: Sequence[Use], demand: Demand) -> Room:
    quarters = f"{demand.quarters:g} quarter{'s' if demand.quarters != 1 else ''}"
    takes = f"takes {demand.sres:g} SRE{'s' if demand.sres != 1 else ''} for {quarters}"
    begins = f"{'An' if demand.kind is DemandKind.ONBOARDING else 'A'} {demand.kind} {takes}"
    has = f"{team.ref} can have {state.cap:g} SREs on projects at once, and {state.used:g} of them are taken"
    if demand.sres <= state.free + 1e-9:
        return Room(True, None, f"{begins}; {has}.")
    by = ", ".join(f"{use.ref} ({use.what}, {use.sres:g})" for use in running)
    what = f"{has}, by {by}: one of these has to end or pause, or" if running else f"{has}:"
    return Room(
        False,
        Limit.PROJECTS.value,
        f"{begins}, but {what} more capacity has to be recorded for the team.",
    )


def capacity_of(
    session: Session, settings: CapacitySettings, now: datetime, refs: Sequence[str] | None = None
) -> list[TeamCapacity]:
    """Return the state of every team's limits (or those of `refs`) and what uses them, in a fixed number of queries."""
    known = [team.limits for team in teams.teams(session, now)]
    steady = steady_uses(session, settings, known)
    projects = _projects(session, settings, now)
    return [
        weigh(team, [*steady.get(team.ref, ()), *projects.get(team.ref, ())], settings)
        for team in known
        if refs is None or team.ref in refs
    ]


def steady_uses(
    session: Session, settings: CapacitySettings, known: Sequence[TeamLimits]
) -> dict[str | None, list[Use]]:
    """Return what each team's supported services take of it; under None those whose team nobody knows."""
    supported = {ref: state for ref, state in support.moved(session).items() if state.tier in STEADY}
    assigned = team_of_services(session, supported, known)
    loads = _loads(session, supported)
    uses: dict[str | None, list[Use]] = defaultdict(list)
    for ref, state in sorted(supported.items()):
        load = loads.get(ref, NOTHING_KNOWN)
        uses[assigned.get(ref)].append(steady_use(ref, STEADY[state.tier], load, settings))
    return uses


@dataclass(frozen=True)
class Load:
    """What triage last saw of a service's load."""

    pages_per_shift: float | None = None
    stack: str | None = None
    lifecycle: str | None = None


NOTHING_KNOWN = Load()


def steady_use(ref: str, option: str, load: Load, settings: CapacitySettings) -> Use:
    """Return what supporting a service takes.

    Pages that nobody measures are assumed, and the use says so; so it does where the lifecycle counts less or more.
    """
    pages = load.pages_per_shift
    counted = settings.assumed_pages_per_shift if pages is None else pages
    share, of_load = settings.page_shares[option], load_share(option, load.lifecycle, settings)
    assumed = pages is None and share > 0
    remarks = [f"pages assumed: {counted:g} a shift"] if assumed else []
    if of_load != 1.0:
        remarks.append(f"{load.lifecycle}: {of_load:.0%} of its load counts")
    return Use(
        ref=ref,
        what=option,
        pages_per_shift=round(counted * share * of_load, 6),
        hours_per_quarter=round(steady_hours(option, counted, settings) * of_load, 6),
        stack=load.stack if option in {"full", "platform"} else None,
        basis=steady_basis(option, counted, of_load, settings),
        pages_assumed=assumed,
        remark="; ".join(remarks),
    )


def team_of_services(session: Session, refs: Collection[str], known: Sequence[TeamLimits]) -> dict[str, str]:
    """Return which SRE team each service belongs to, where that can be said.

    What the newest engagement names counts first, then the annotation sre.portal/sre-team. Where neither says so and
    there is one team of service kind that has anybody, it is that one.
    """
    engaged, stated = _engaged_teams(session), {}
    for some in chunks(refs):
        query = select(TriageResult.entity_ref, TriageResult.team_ref).where(
            TriageResult.entity_ref.in_(some), TriageResult.team_ref.is_not(None)
        )
        stated.update({ref: team for ref, team in session.execute(query) if team})
    running = [team.ref for team in known if team.kind is TeamKind.SERVICE and team.headcount > 0]
    only = running[0] if len(running) == 1 else None
    found = {ref: engaged.get(ref) or stated.get(ref) or only for ref in refs}
    return {ref: team for ref, team in found.items() if team}


def _engaged_teams(session: Session) -> dict[str, str]:
    query = (
        select(Engagement.entity_ref, Engagement.sre_team)
        .where(Engagement.sre_team.is_not(None), Engagement.accepted_at.is_not(None))
        .order_by(Engagement.requested_at, Engagement.id)
    )
    return {ref: team for ref, team in session.execute(query) if team}


def _loads(session: Session, refs: Collection[str]) -> dict[str, Load]:
    """Return the load of services, as triage last saw it."""
    found: dict[str, Load] = {}
    columns = (TriageResult.pages_per_shift, TriageResult.framework, TriageResult.lifecycle)
    for some in chunks(refs):
        query = select(TriageResult.entity_ref, *columns).where(TriageResult.entity_ref.in_(some))
        for ref, pages, stack, lifecycle in session.execute(query):
            found[ref] = Load(pages, stack, lifecycle)
    return found


def _projects(session: Session, settings: CapacitySettings, now: datetime) -> dict[str, list[Use]]:
    """Return the running projects of each team. A queued or paused engagement takes nobody."""
    states = sorted({*REVIEW_STATES, *FRAMEWORK_STATES, "onboarding"})
    query = (
        select(Engagement)
        .where(Engagement.closed_at.is_(None), Engagement.state.in_(states), Engagement.sre_team.is_not(None))
        .order_by(Engagement.requested_at, Engagement.id)
    )
    found: dict[str, list[Use]] = defaultdict(list)
    for engagement in session.scalars(query):
        if not engagement.paused and not engagement.queued and engagement.sre_team:
            found[engagement.sre_team].append(_project(engagement, settings, now))
    return found


def _project(engagement: Engagement, settings: CapacitySettings, now: datetime) -> Use:
    kind = project_kind(engagement.model, engagement.state)
    demand = demand_for(kind, settings)
    named = len(reviewers_of(engagement.document)) if kind is DemandKind.REVIEW else 0
    spent = (now - (engagement.accepted_at or engagement.requested_at)).total_seconds() / 86400 / DAYS_PER_QUARTER
    return Use(
        ref=engagement.entity_ref,
        what=kind.value,
        sres=float(named or demand.sres),
        quarters_left=round(max(0.0, demand.quarters - spent), 2),
        engagement=engagement.id,
        basis="the reviewers that it names" if named else f"what the settings take for the kind {kind}",
    )


def project_kind(model: str, state: str) -> DemandKind:
    """Return which kind of project an engagement is in a state."""
    if state == "onboarding":
        return DemandKind.ONBOARDING
    return DemandKind.FRAMEWORK if model == "framework" or state in FRAMEWORK_STATES else DemandKind.REVIEW


def reviewers_of(document: Mapping[str, Any]) -> list[str]:
    """Return the reviewers that an engagement's agreement names."""
    reviewers = (document.get("agreement") or {}).get("reviewers") or document.get("reviewers") or []
    return [str(each) for each in reviewers] if isinstance(reviewers, list) else []


def freed_by(session: Session, entity_ref: str, settings: CapacitySettings | None = None) -> dict[str, Any]:
    """Return what handing a service back gives free, for `teams.post_freed`; ask before its tier moves."""
    state = support.current(session, [entity_ref])[entity_ref]
    if state.tier not in STEADY:
        return {"pages_per_shift": 0.0, "hours_per_quarter": 0.0, "stack": None}
    load = _loads(session, [entity_ref]).get(entity_ref, NOTHING_KNOWN)
    use = steady_use(entity_ref, STEADY[state.tier], load, settings or CapacitySettings())
    return {
        "pages_per_shift": use.pages_per_shift,
        "hours_per_quarter": use.hours_per_quarter,
        "stack": use.stack,
        "remark": use.remark,
    }


def loads_seen_at(session: Session) -> datetime | None:
    """Return when the oldest page load of a supported service was seen; None while there is none."""
    tiers = [tier.value for tier in STEADY]
    return session.scalar(select(func.min(TriageResult.computed_at)).where(TriageResult.tier.in_(tiers)))
