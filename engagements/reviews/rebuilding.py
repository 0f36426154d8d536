"""The records of reviews checked against, and made again from, the history that they follow from."""

from sqlalchemy.orm import Session

from engagements import records
from engagements.reviews.launching.models import DesignReview, Launch, ServiceReview, TradeOff
from engagements.reviews.models import (
    Checklist,
    ChecklistAnswer,
    ChecklistItem,
    Finding,
    Improvement,
    ImprovementPlan,
    IncidentReview,
    ReviewWork,
)

TABLES = (
    *(Checklist, ChecklistAnswer, ChecklistItem, Finding, Improvement, ImprovementPlan, IncidentReview, ReviewWork),
    *(DesignReview, Launch, ServiceReview, TradeOff),
)


def verify(session: Session) -> list[str]:
    """Return the records that are not what the history tells, as `table/id`, sorted."""
    return records.rebuild(session, TABLES, repair=False)


def rebuild(session: Session) -> list[str]:
    """Make the records again what the history tells; return those that were not, as `table/id`, sorted."""
    return records.rebuild(session, TABLES)
