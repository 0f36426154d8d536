"""Transitions as they are made: judged by the machines, written with their events and their effect on the tier.

All of one transition is one transaction: a process that dies in it leaves nothing behind.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engagements import support
from engagements.lifecycle import gathering, machines
from engagements.lifecycle.machines import Transition
from engagements.lifecycle.states import CLOSED, PAUSED, Case, EngagementState, Model, Outcome, Outside, State, Wish
from engagements.lifecycle.takeover_guards import tier_after
from engagements.lifecycle.writing import locked, save, with_section
from engagements.numbers import DEFAULTS, Numbers
from engagements.tiers import Tier
from portal_backend.core.clock import format_time
from portal_backend.core.errors import Conflict, Fault, NotAllowed
from portal_backend.core.principal import Principal
from scorecards.judging import Judging


def make(
    session: Session,
    judging: Judging,
    engagement_id: str,
    wish: Wish,
    principal: Principal,
    now: datetime,
    if_match: int | None = None,
    numbers: Numbers = DEFAULTS,
) -> EngagementState:
    """Make a transition and return the engagement. One that is in the wanted state already stays as it is.

    Raises NotFound; PreconditionFailed when it is not at the version that the caller saw; NotAllowed when nothing but
    the role is missing; Conflict when no such transition exists or any guard fails, naming every one and its remedy.
    """
    before = locked(session, engagement_id, if_match)
    if wish.to == (PAUSED if before.paused else before.state):
        _refuse_another_team(before, wish)
        return before
    outside = Outside()
    if machines.way(before, wish.to):  # where none leads, there is nothing to look at
        gathering.lock_room(session, wish.sre_team or before.sre_team)
        outside = gathering.outside(session, judging, before, wish, numbers, now)
    case = Case(before, wish, principal, outside, now, numbers.lifecycle)
    decision = machines.judge(case)
    if decision.transition is None or not decision.allowed:
        raise refusal(case, decision)
    after, details = _after(case, decision.transition)
    details = {"from": before.state.value, "to": wish.to, "reason": wish.reason, **details}
    summary = _summary(before, after, wish)
    after = save(session, before, after, decision.transition.event, summary, principal, now, details)
    _move_tier(session, case, after)
    return after


def _refuse_another_team(engagement: EngagementState, wish: Wish) -> None:
    """Raise Conflict when somebody asks again and means another team: nothing would change, and nobody would notice."""
    if wish.sre_team in (None, engagement.sre_team):
        return
    message = f"it is {engagement.state} already, for {engagement.sre_team}"
    if engagement.state is State.ACCEPTED:
        message += "; another team is named when it starts"
    raise Conflict(f"{engagement.id} cannot go to {wish.sre_team} by this: {message}.", [Fault("sre_team", message)])


def refusal(case: Case, decision: machines.Decision) -> Conflict | NotAllowed:
    """Return the error that names everything which stands in the way of a transition."""
    faults = [Fault(each.guard, f"{each.message} {each.remedy}") for each in decision.obstacles]
    engagement = case.engagement
    message = f"{engagement.id} ({engagement.entity_ref}) cannot go from {engagement.state} to {case.wish.to}: "
    message += " ".join(f"{each.message} {each.remedy}" for each in decision.obstacles)
    return NotAllowed(message, faults) if decision.only_role_missing else Conflict(message, faults)


def _after(case: Case, transition: Transition) -> tuple[EngagementState, dict[str, Any]]:
    """Return the engagement after a transition, and what its event tells besides."""
    before, wish, now = case.engagement, case.wish, case.now
    if transition.to == PAUSED:
        until = wish.pause_until or now + case.settings.pause_due
        pause = {"at": format_time(now), "by": case.principal.name, "reason": wish.reason, "until": format_time(until)}
        return with_section(replace(before, paused=True), pause=pause), {"until": format_time(until)}
    if before.paused and transition.to == before.state:
        return with_section(replace(before, paused=False), pause=None), {}
    entered = replace(before, state=State(transition.to), state_since=now, paused=False)
    if before.paused:
        entered = with_section(entered, pause=None)
    change = _CHANGES.get(entered.state)
    return change(case, entered) if change else (entered, {})


Changed = tuple[EngagementState, dict[str, Any]]


def _accepted(case: Case, entered: EngagementState) -> Changed:
    queued = case.outside.room is not True
    team = case.wish.sre_team or entered.sre_team
    told = {"queued": queued, "sre_team": team, "room": case.outside.room_sentence}
    return replace(entered, accepted_at=case.now, sre_team=team, queued=queued), told


def _started(case: Case, entered: EngagementState) -> Changed:
    team = case.wish.sre_team or entered.sre_team
    started = replace(entered, queued=False, sre_team=team)
    if case.wish.reviewers:
        started = with_section(started, reviewers=list(case.wish.reviewers))
    return started, {"sre_team": team}


def _analysed(case: Case, entered: EngagementState) -> Changed:
    if case.engagement.state is not State.ACTIVE:
        return entered, {}
    again = with_section(replace(entered, review_round=entered.review_round + 1), takeover_signatures={})
    return again, {"review_round": again.review_round}


def _reviewed(case: Case, entered: EngagementState) -> Changed:
    """A review is complete when its service goes on to training."""
    gate = _gate(case)
    revision = case.outside.tiers.major_revision
    reviewed = replace(entered, review_completed_at=case.now, review_revision=revision)
    return with_section(reviewed, gate=gate), {"review_completed": True, "revision": revision, **gate}


def _onboarding(_case: Case, entered: EngagementState) -> Changed:
    return with_section(entered, takeover_signatures={}), {}


def _active(case: Case, entered: EngagementState) -> Changed:
    gate = _gate(case)
    taken = {**gate, "at": format_time(case.now), "by": case.principal.name}
    agreed = entered.section("takeover_signatures")
    return with_section(entered, takeover=taken), {**gate, "agreed_by": agreed}


def _gate(case: Case) -> dict[str, Any]:
    """Return what a decision about readiness rested on."""
    named = sorted(set(case.wish.waivers) & set(case.outside.waived))
    return {"level": case.outside.level, "waivers": named}


def _disengaging(case: Case, entered: EngagementState) -> Changed:
    wish = case.wish
    until = (wish.notice_until or case.now + case.settings.notice) if case.taken_over else None
    notice = {
        "by": case.principal.name,
        "at": format_time(case.now),
        "until": until and format_time(until),
        "reason": wish.reason,
        "outcome": str(wish.outcome),
        "tier": (wish.tier or Tier.DOCUMENTATION).value if case.taken_over else case.outside.tier.value,
        "forced": wish.forced,
        "evidence": wish.evidence,
    }
    announced = with_section(replace(entered, outcome=str(wish.outcome)), notice=notice, hand_back={})
    return announced, {"outcome": str(wish.outcome), "notice_until": notice["until"], "forced": wish.forced}


def _disengaged(case: Case, entered: EngagementState) -> Changed:
    tier = tier_after(case) if case.taken_over else case.outside.tier
    told = {
        "outcome": entered.outcome,
        "success": entered.outcome == Outcome.GRADUATED,
        "taken_over": case.taken_over,
        "tier": tier.value,
        "lessons": case.outside.review.lessons,
        "forced": case.wish.forced,
    }
    return replace(entered, closed_at=case.now, queued=False), told


def _left(case: Case, entered: EngagementState) -> Changed:
    alternative = case.wish.alternative_tier
    exit_ = {
        "by": case.principal.name,
        "reason": case.wish.reason,
        "alternative_tier": alternative and alternative.value,
    }
    left = replace(entered, outcome=entered.state.value, closed_at=case.now, queued=False)
    return with_section(left, exit=exit_), {"alternative_tier": exit_["alternative_tier"]}


def _requested(case: Case, entered: EngagementState) -> Changed:
    """Full support for a service on a platform: the engagement goes on as a review."""
    request = {**entered.section("request"), "reason": case.wish.reason}
    origin = {"model": case.engagement.model.value, "state": case.engagement.state.value}
    asked = replace(
        entered,
        model=Model.SIMPLE_PRR,
        requested_by=case.principal.name,
        requested_at=case.now,
        accepted_at=None,
        queued=False,
    )
    return with_section(asked, request=request, origin=origin), {"from_model": origin["model"]}


_CHANGES = {
    State.ACCEPTED: _accepted,
    State.ENGAGEMENT: _started,
    State.DESIGN: _started,
    State.ANALYSIS: _analysed,
    State.TRAINING: _reviewed,
    State.ONBOARDING: _onboarding,
    State.ACTIVE: _active,
    State.DISENGAGING: _disengaging,
    State.DISENGAGED: _disengaged,
    State.DECLINED: _left,
    State.WITHDRAWN: _left,
    State.REQUESTED: _requested,
}
"""What entering a state changes besides the state."""


def _move_tier(session: Session, case: Case, after: EngagementState) -> None:
    """Let the tier follow, by the one way that there is for it."""
    wanted = _wanted_tier(case, after)
    if wanted is None:
        return
    terms: dict[str, Any] = {"engagement_model": after.model.value, "phase": after.state.value}
    if after.state is State.ACTIVE:
        forecast = after.section("request").get("usage_forecast_rps")
        terms |= {"evidence": _evidence(after), "usage_forecast_rps": forecast}
    if after.state in {State.WITHDRAWN, State.DECLINED}:
        terms = {"engagement_model": None, "phase": None}
    reason = case.wish.reason or f"Engagement {after.id}: {after.state}."
    support.move(session, after.entity_ref, wanted, reason, case.principal, case.outside.tiers, case.now, terms=terms)


def _wanted_tier(case: Case, after: EngagementState) -> Tier | None:
    if case.engagement.paused or after.paused:
        return None
    if after.state is State.ACTIVE:
        return Tier.FULL_SRE
    if after.state is State.PLATFORM_ACTIVE:
        return Tier.PLATFORM
    if after.state is State.DISENGAGED and case.taken_over:
        return tier_after(case)
    left_platform = after.model is Model.FRAMEWORK and after.state in {State.WITHDRAWN, State.DECLINED}
    return Tier.DOCUMENTATION if left_platform and case.outside.tier is Tier.PLATFORM else None


def _evidence(after: EngagementState) -> dict[str, Any]:
    completed = after.review_completed_at
    return {
        "prr_completed_at": completed and format_time(completed),
        "prr_revision": after.review_revision,
        "engagement": after.id,
    }


def _summary(before: EngagementState, after: EngagementState, wish: Wish) -> str:
    if after.paused:
        text = f"The engagement is paused in {after.state}"
    elif before.paused and after.state is before.state:
        text = f"The engagement goes on in {after.state}"
    elif after.state in CLOSED or after.state is State.DISENGAGING:
        text = f"The engagement went from {before.state} to {after.state} ({after.outcome})"
    else:
        text = f"The engagement went from {before.state} to {after.state}"
    return f"{text}: {wish.reason}" if wish.reason else f"{text}."
