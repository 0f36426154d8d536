"""What follows from a judgement: improvements that their check verifies, drift of services that SRE runs."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from engagements.reviews import improvements
from engagements.reviews.launching import continuous
from engagements.reviews.settings import ReviewSettings
from scorecards.judging import Judging


def after_judging(
    session: Session, judging: Judging, settings: ReviewSettings, refs: Collection[str], now: datetime
) -> None:
    """Let reviews follow services that were judged at `now`, in the same transaction; to repeat it changes nothing.

    It verifies what is done where the check passes now, tells of blockers that began to fail, and proposes to review
    new dependencies. It moves no engagement: people do.
    """
    improvements.verify_by_checks(session, sorted(refs), now)
    continuous.drift(session, judging, sorted(refs), now, now)
    continuous.propose_for_new_dependencies(session, judging, settings, now, sorted(refs))
