"""Engagements as they are shown: lists, one with what stands between it and its next states, the queue."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from engagements.lifecycle import gathering, machines
from engagements.lifecycle.machines import Transition
from engagements.lifecycle.models import Engagement
from engagements.lifecycle.states import CLOSED, Case, EngagementState, Model, Outcome, State, Wish
from engagements.lifecycle.takeover_guards import holders
from engagements.lifecycle.writing import plain, read, state_of
from engagements.numbers import DEFAULTS, Numbers
from engagements.triage_models import TriageResult
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from portal_backend.core.principal import Principal
from scorecards.judging import Judging

OBJECTS = (
    *("request", "agreement", "rotation", "backup", "pager_shadow", "takeover_signatures", "takeover", "gate"),
    *("notice", "hand_back", "pager", "conformance", "exit", "origin", "pause"),
)
LISTS = ("trainings", "escalations", "modules", "conformance_runs")


@dataclass(frozen=True)
class EngagementFilter:
    """Which engagements to list. An empty field lets every one pass."""

    states: Sequence[str] = ()
    models: Sequence[str] = ()
    services: Sequence[str] = ()
    sre_teams: Sequence[str] = ()
    outcomes: Sequence[str] = ()
    open: bool | None = None
    queued: bool | None = None
    among: Collection[str] = ()
    """Services of which one must be."""
    apart_from: Collection[str] = ()
    """Services to leave out."""
    nothing: bool = False
    """Nothing fits."""


def overdue_only(wanted: EngagementFilter, late: Collection[str], yes: bool) -> EngagementFilter:
    """Return a filter for engagements of services that are late, or for all others."""
    if yes:
        return replace(wanted, among=late, open=True, nothing=not late)
    return replace(wanted, apart_from=late)


def show(state: EngagementState) -> dict[str, Any]:
    """Return an engagement as JSON."""
    row = plain(state)
    document = row.pop("document")
    legal = machines.legal(state.model, state.state, state.paused) if state.state not in CLOSED else []
    return {
        **row,
        "success": state.outcome == Outcome.GRADUATED and state.state is State.DISENGAGED,
        "pager_returned": (document.get("pager") or {}).get("carrier") == "dev",
        "reviewers": list(state.reviewers),
        "holders": holders(state),
        **{name: document.get(name) or None for name in OBJECTS},
        **{name: document.get(name) or [] for name in LISTS},
        "legal_next": [each.to for each in legal],
        "links": links_of(state),
    }


def links_of(state: EngagementState) -> dict[str, str]:
    """Return where more stands about an engagement."""
    service = f"/api/services/{state.entity_ref.replace(':', '/')}"
    links = {
        "self": f"/api/engagements/{state.id}",
        "transitions": f"/api/engagements/{state.id}/transitions",
        "model": f"/api/engagements/models/{state.model}",
        "service": service,
        "tier": f"{service}/tier",
        "history": f"{service}/history",
    }
    if state.section("exit").get("alternative_tier"):
        links["take_alternative_tier"] = f"{service}/tier"
    return links


def describe(
    session: Session,
    judging: Judging,
    engagement_id: str,
    principal: Principal,
    now: datetime,
    numbers: Numbers = DEFAULTS,
) -> dict[str, Any]:
    """Return an engagement with its legal next transitions and, for each, every guard: met, or what would meet it."""
    state = read(session, engagement_id)
    shown = show(state)
    if state.state in CLOSED:
        return {**shown, "next": [], "queue": None}
    outside = gathering.outside(session, judging, state, Wish(""), numbers, now)
    case = Case(state, Wish(""), principal, outside, now, numbers.lifecycle)
    steps = [_step(each, case) for each in machines.legal(state.model, state.state, state.paused)]
    place = next((each for each in queue(session, now) if each["engagement"] == state.id), None)
    return {**shown, "next": steps, "queue": place}


def transitions_of(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a described engagement what can be done with it now, and which states it cannot enter from here."""
    model, state = Model(shown["model"]), shown["state"]
    possible = {each["to"] for each in shown["next"]}
    others = [str(each) for each in machines.MACHINES[model].states() if each not in possible and each != state]
    return {
        "engagement": shown["id"],
        "model": model.value,
        "state": state,
        "paused": shown["paused"],
        "version": shown["version"],
        "items": shown["next"],
        "not_from_here": others,
    }


def _step(transition: Transition, case: Case) -> dict[str, Any]:
    stands = machines.obstacles(transition, case)
    guards, required, missing = [], [], False
    for guard in transition.guards:
        failures = [{"message": wrong, "remedy": remedy} for wrong, remedy in guard.failures(case)]
        given_in = guard.given_in if guard.given_in in transition.needs else None
        shown = {"guard": guard.name, "says": guard.says, "met": not failures, "failures": failures}
        guards.append({**shown, "given_in": given_in})
        required += [given_in] if failures and given_in else []
        missing = missing or bool(failures and not given_in and guard.name != "review_lead")
    return {
        "to": transition.to,
        "roles": sorted(transition.roles),
        "yours": case.principal.has_role(*transition.roles),
        "needs": list(transition.needs),
        "required": list(dict.fromkeys(required)),
        "effect": transition.effect,
        "event": transition.event,
        "allowed": not stands,
        "ready": not missing,
        "guards": guards,
    }


def list_engagements(
    session: Session, wanted: EngagementFilter, cursor: str | None, limit: int
) -> Page[dict[str, Any]]:
    """Return a page of engagements, newest request first; raises InvalidInput when the cursor is not of this list."""
    if wanted.nothing:
        return Page([])
    query = select(Engagement).where(*_conditions(wanted))
    if cursor is not None:
        moment, after = _place(cursor)
        earlier = Engagement.requested_at < moment
        query = query.where(or_(earlier, and_(Engagement.requested_at == moment, Engagement.id > after)))
    query = query.order_by(Engagement.requested_at.desc(), Engagement.id).limit(limit + 1)
    found = [state_of(row) for row in session.scalars(query)]
    items = [show(state) for state in found[:limit]]
    if len(found) <= limit:
        return Page(items)
    last = found[limit - 1]
    return Page(items, encode_cursor([format_time(last.requested_at), last.id]))


def _conditions(wanted: EngagementFilter) -> list[ColumnElement[bool]]:
    """Return what a listed engagement fulfils."""
    columns: dict[Any, Collection[str]] = {
        Engagement.state: wanted.states,
        Engagement.model: wanted.models,
        Engagement.entity_ref: wanted.services,
        Engagement.sre_team: wanted.sre_teams,
        Engagement.outcome: wanted.outcomes,
    }
    found: list[ColumnElement[bool]] = [column.in_(values) for column, values in columns.items() if values]
    if wanted.open is not None:
        found.append(Engagement.closed_at.is_(None) if wanted.open else Engagement.closed_at.is_not(None))
    if wanted.queued is not None:
        found.append(Engagement.queued.is_(wanted.queued))
    if wanted.among:
        found.append(Engagement.entity_ref.in_(sorted(wanted.among)))
    if wanted.apart_from:
        others = Engagement.entity_ref.not_in(sorted(wanted.apart_from))
        found.append(or_(Engagement.closed_at.is_not(None), others))
    return found


def queue(session: Session, now: datetime) -> list[dict[str, Any]]:
    """Return the accepted engagements that wait for room: by what triage says they would gain, then by waiting time.

    The rank counts within each team. A plan may take them in another order and then says so.
    """
    query = (
        select(Engagement, TriageResult.value)
        .outerjoin(TriageResult, TriageResult.entity_ref == Engagement.entity_ref)
        .where(Engagement.queued, Engagement.closed_at.is_(None))
    )
    waiting = sorted(
        ((row, value) for row, value in session.execute(query)),
        key=lambda each: (-(each[1] or 0.0), each[0].accepted_at or each[0].requested_at, each[0].id),
    )
    ranks: dict[str | None, int] = {}
    items = []
    for row, value in waiting:
        ranks[row.sre_team] = ranks.get(row.sre_team, 0) + 1
        accepted = row.accepted_at or row.requested_at
        items.append(
            {
                "engagement": row.id,
                "entity_ref": row.entity_ref,
                "sre_team": row.sre_team,
                "rank": ranks[row.sre_team],
                "value": value,
                "accepted_at": format_time(accepted),
                "waiting_days": round((now - accepted).total_seconds() / 86400, 2),
            }
        )
    return items


def _place(cursor: str) -> tuple[datetime, str]:
    match decode_cursor(cursor):
        case [str(moment), str(after)] if "\0" not in after:
            try:
                return parse_time(moment), after
            except (ValueError, OverflowError) as error:
                raise bad_cursor() from error
    raise bad_cursor()
