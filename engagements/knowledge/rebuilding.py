"""The records of what was learned checked against, and made again from, the history that they follow from."""

from sqlalchemy.orm import Session

from engagements import records
from engagements.knowledge.models import Consultation, Lesson, NoLessons, ProductionMeeting

TABLES = (Consultation, Lesson, NoLessons, ProductionMeeting)


def verify(session: Session) -> list[str]:
    """Return the records that are not what the history tells, as `table/id`, sorted."""
    return records.rebuild(session, TABLES, repair=False)


def rebuild(session: Session) -> list[str]:
    """Make the records again what the history tells; return those that were not, as `table/id`, sorted."""
    return records.rebuild(session, TABLES)
