"""Which questions can be asked about the fleet."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from engagements.fleet import coverage, engagements, readiness, repetition
from engagements.fleet.numbers import Answer, Period
from portal_backend.core.errors import NotFound

Asked = Callable[[Session, Period, datetime], Answer]

QUESTIONS: dict[str, tuple[str, Asked]] = {
    "engagement_durations": ("How long does an engagement take, by model? Do platforms cut it?", engagements.durations),
    "review_cost": ("What does a review cost?", engagements.review_cost),
    "queue": ("How long do engagements wait?", engagements.waiting),
    "same_failure": ("What is mended separately in several services?", repetition.same_failure),
    "repeated_patterns": ("Which patterns of failure do several services have?", repetition.repeated_patterns),
    "services_and_sres": ("How many services are there for each SRE, over time?", coverage.services_and_sres),
    "shares": ("Who has which support, by criticality?", coverage.shares),
    "claimed_importance": ("Does everybody claim to be important?", coverage.claimed_importance),
    "readiness": ("How ready are services before and after an engagement?", readiness.before_and_after),
}


def ask(session: Session, question: str, period: Period, now: datetime) -> Answer:
    """Return the answer to a question; raises NotFound when there is no such question."""
    if question not in QUESTIONS:
        raise NotFound(f"There is no question {question!r}; ask one of {', '.join(QUESTIONS)}.")
    return QUESTIONS[question][1](session, period, now)
