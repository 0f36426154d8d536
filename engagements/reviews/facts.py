"""What the guards of an engagement ask of its review, gathered in a constant number of queries."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engagements.knowledge.models import Lesson, NoLessons
from engagements.lifecycle import engagements
from engagements.lifecycle.circumstances import ReviewFacts
from engagements.lifecycle.models import Engagement
from engagements.reviews import checklist, findings, incident_review, plans
from engagements.reviews.answers import UNANSWERED, Line, failing_blockers
from engagements.reviews.launching.models import DesignReview, Launch, TradeOff
from engagements.reviews.words import LaunchStage
from scorecards.models import Scorecard


def gather(session: Session, engagement_id: str, now: datetime) -> ReviewFacts:
    """Return what the present review of an engagement has come to; raises NotFound when there is no such engagement.

    Measured answers are those of the stored scorecard.
    """
    engagement = engagements.get(session, engagement_id)
    answered = _answers(session, engagement)
    plan = plans.newest(session, engagement.id)
    launch = newest_launch(session, engagement.id)
    stage = launch.stage if launch and launch.stage != LaunchStage.PLANNED else None
    return ReviewFacts(
        unanswered=tuple(line.item.key for line in answered if line.counts == UNANSWERED),
        items=len(answered),
        incident_review_done=incident_review.current(session, engagement) is not None,
        open_blockers=tuple(row.title for row in findings.open_blockers(session, engagement.entity_ref)),
        failing_items=failing_blockers(answered),
        plan_signed_by=frozenset(plan.signatures) if plan else frozenset(),
        design_reviews=_count(session, DesignReview, engagement),
        trade_offs_recorded=_count(session, TradeOff, engagement) > 0,
        launch_checklist_open=launch is not None,
        launch_stage=stage,
        launch_full_at=launch.full_at if launch else None,
        lessons=_count(session, Lesson, engagement),
        lessons_none_declared=_count(session, NoLessons, engagement) > 0,
    )


def newest_launch(session: Session, engagement_id: str) -> Launch | None:
    """Return the launch of an engagement that was planned last."""
    query = select(Launch).where(Launch.engagement_id == engagement_id)
    return session.scalar(query.order_by(Launch.created_at.desc(), Launch.id.desc()).limit(1))


def _answers(session: Session, engagement: Engagement) -> list[Line]:
    """Return the items of the opened checklist with what the stored scorecard and people answered."""
    statuses = session.scalar(select(Scorecard.statuses).where(Scorecard.entity_ref == engagement.entity_ref))
    results = {check: {"status": status[0], "sentence": ""} for check, status in (statuses or {}).items()}
    return checklist.lines_of(session, engagement, results)


def _count(session: Session, table: type[DesignReview | TradeOff | Lesson | NoLessons], engagement: Engagement) -> int:
    query = select(func.count()).select_from(table).where(table.engagement_id == engagement.id)
    return session.scalar(query) or 0
