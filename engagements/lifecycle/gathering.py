"""Gathers what the guards of an engagement look at: catalog, scorecard, history, ledger, review, tier."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.services import Service, services
from engagements import circumstances, support, triage_inputs
from engagements.capacity import ledger
from engagements.lifecycle.signals import candidates
from engagements.lifecycle.states import (
    CLOSED,
    Criterion,
    EngagementState,
    Outcome,
    Outside,
    Rule,
    State,
    Wish,
)
from engagements.models import HistoryEvent
from engagements.numbers import Numbers
from engagements.reviews import facts as reviews
from engagements.support import SupportState
from engagements.tiers import Cause, Circumstances, Tier
from engagements.triage.hand_back import judge_rules
from engagements.triage.hand_back_terms import State as TermState
from engagements.triage.settings import TriageSettings
from engagements.triage_models import TriageResult
from portal_backend.core.db import serialise
from scorecards.checks.definitions import Criticality, Status
from scorecards.judging import Judging
from scorecards.models import Scorecard

ASKING_FOR_ROOM = {
    State.REQUESTED,
    State.CANDIDATE,
    State.ACCEPTED,
    *(State.ENGAGEMENT, State.ANALYSIS, State.IMPROVEMENT, State.TRAINING, State.ONBOARDING),
    *(State.DESIGN, State.BUILD, State.LAUNCH, State.POST_LAUNCH),
}
"""States in which somebody may ask whether a team has room."""


def outside(
    session: Session,
    judging: Judging,
    engagement: EngagementState,
    wish: Wish,
    numbers: Numbers,
    now: datetime,
) -> Outside:
    """Return what the guards look at, in a constant number of queries; an entity that left the catalog has little."""
    ref = engagement.entity_ref
    found = services(session, judging.service_types, [ref])
    state = support.current(session, [ref])[ref]
    room, sentence = _room(session, engagement, wish, numbers, now)
    level, failing, waived = _readiness(session, judging, ref)
    if not found:
        gone = Circumstances(cause=_cause(engagement, state))
        review = reviews.gather(session, engagement.id, now)
        return Outside(tier=state.tier, tiers=gone, level=level, review=review)
    return Outside(
        tier=state.tier,
        tiers=tier_circumstances(session, judging, engagement, state, now),
        criticality=found[0].criticality,
        triage_candidate=_raised(session, ref),
        criteria=_criteria(session, found[0], engagement, numbers),
        room=room,
        room_sentence=sentence,
        level=level,
        failing_blockers=failing,
        waived=waived,
        slo_declared=_slo_declared(session, judging, ref, now),
        review=reviews.gather(session, engagement.id, now),
        rule=_rule(session, judging, ref, wish, numbers.triage, now),
    )


def tier_circumstances(
    session: Session, judging: Judging, engagement: EngagementState, state: SupportState, now: datetime
) -> Circumstances:
    """Return what the tier's guards look at, when this engagement brings the move about."""
    consented = engagement.section("request").get("consented_by", "")
    found = circumstances.gather(session, judging, engagement.entity_ref, consented, now)
    found, cause = replace(found, framework_engagement=""), _cause(engagement, state)
    if engagement.review_completed_at is None:
        return replace(found, cause=cause)
    return replace(
        found,
        cause=cause,
        prr_completed_on=engagement.review_completed_at.date(),
        prr_revision=engagement.review_revision,
    )


def _cause(engagement: EngagementState, state: SupportState) -> Cause:
    """Return what the next transition of the engagement would be for the tier."""
    if engagement.state is State.ONBOARDING:
        return Cause.ONBOARDED
    if engagement.state is State.DISENGAGING and state.tier is Tier.FULL_SRE:
        return Cause.DISENGAGED
    return Cause.REQUEST


def _room(
    session: Session, engagement: EngagementState, wish: Wish, numbers: Numbers, now: datetime
) -> tuple[bool | None, str]:
    team = wish.sre_team or engagement.sre_team
    if team is None or engagement.state not in ASKING_FOR_ROOM or engagement.state in CLOSED:
        return None, ""
    demand = ledger.demand_for(ledger.project_kind(engagement.model, engagement.state), numbers.capacity)
    if wish.reviewers:
        demand = replace(demand, sres=float(len(wish.reviewers)))
    found = ledger.room_for(session, team, demand, now, numbers.capacity, except_engagement=engagement.id)
    return found.fits, found.sentence


def lock_room(session: Session, team: str | None) -> None:
    """Keep two who start engagements of a team at once from being given the same room."""
    if team:
        serialise(session, f"room/{team}")


def _readiness(
    session: Session, judging: Judging, ref: str
) -> tuple[str | None, Mapping[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the level, the failing blockers by axis and the waived checks, as last judged."""
    row = session.execute(select(Scorecard.level, Scorecard.statuses).where(Scorecard.entity_ref == ref)).first()
    if row is None:
        return None, {}, ()
    level, statuses = row
    failing: dict[str, list[str]] = defaultdict(list)
    for check_id, (status, *_) in sorted(statuses.items()):
        check = judging.catalogue.checks.get(check_id)
        if check and status == Status.FAIL and check.criticality is Criticality.BLOCKER:
            failing[check.axis.value].append(check_id)
    waived = tuple(sorted(check_id for check_id, (status, *_) in statuses.items() if status == Status.WAIVED))
    return level, {axis: tuple(checks) for axis, checks in failing.items()}, waived


def _raised(session: Session, ref: str) -> bool:
    """Say whether triage names the service, or named it and nobody dismissed it since."""
    verdict = session.scalar(select(TriageResult.verdict).where(TriageResult.entity_ref == ref))
    if verdict == "candidate":
        return True
    kinds = ("triage.candidate_raised", "triage.candidate_dismissed", "triage.candidate_returned")
    query = select(HistoryEvent.kind).where(HistoryEvent.entity_ref == ref, HistoryEvent.kind.in_(kinds))
    newest = session.scalars(query.order_by(HistoryEvent.sequence.desc()).limit(1)).first()
    return newest is not None and newest != "triage.candidate_dismissed"


def _criteria(
    session: Session, service: Service, engagement: EngagementState, numbers: Numbers
) -> tuple[Criterion, ...]:
    if engagement.state is not State.CANDIDATE:
        return ()
    return tuple(candidates.reasons(session, [service], numbers.lifecycle)[service.ref])


def _slo_declared(session: Session, judging: Judging, ref: str, now: datetime) -> bool:
    return circumstances.fresh_value(session, judging, ref, "slo.availability.target", now) is not None


def _rule(session: Session, judging: Judging, ref: str, wish: Wish, settings: TriageSettings, now: datetime) -> Rule:
    """Return what is known for and against a graduation, and against usage below the forecast.

    The other outcomes are for people to judge.
    """
    if wish.outcome not in (Outcome.GRADUATED, Outcome.USAGE_BELOW_FORECAST):
        return Rule()
    evidences = triage_inputs.gather(session, judging, settings, now, [ref])
    graduated, little_used = judge_rules(evidences[0], settings, now)[:2]
    terms = (graduated if wish.outcome is Outcome.GRADUATED else little_used).terms
    against = tuple(term.sentence for term in terms if term.state is TermState.NOT_MET)
    if wish.outcome is not Outcome.GRADUATED:
        return Rule(against=against)
    return Rule(against=against, unknown=tuple(term.signal for term in terms if term.state is TermState.UNKNOWN))
