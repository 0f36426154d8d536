"""How long the history of facts is kept: every change for a while, then one value a day, then nothing.

What is pruned never changes an answer about the time that is kept: of each fact the last value before the horizon
stays, however old it is, for it still held when the kept time began.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema
from sqlalchemy import ColumnElement, Select, delete, func, or_, select, tuple_
from sqlalchemy.orm import Session

from scorecards.models import FactSubject, FactValue

LONGEST_DAYS = 3650
SERVICES_PER_STEP = 100


@dataclass(frozen=True)
class RetentionSettings:
    """For how long what is kept, counted back from now."""

    changes_days: int = 90
    """Days with every change."""
    daily_days: int = 400
    """Days with at least one value of each day on which something changed: a year and the month to compare it with."""


class RetentionSettingsSchema(Schema):
    """`retention:` in portal.yaml."""

    changes_days = fields.Integer(
        load_default=RetentionSettings.changes_days,
        validate=validate.Range(1, LONGEST_DAYS),
        metadata={"description": "Days for which every change of a fact is kept."},
    )
    daily_days = fields.Integer(
        load_default=RetentionSettings.daily_days,
        validate=validate.Range(1, LONGEST_DAYS),
        metadata={"description": "Days for which the last value of each day is kept."},
    )

    @validates_schema
    def check_order(self, data: dict[str, Any], **_: object) -> None:
        """Refuse daily values that end before the changes do."""
        if data["daily_days"] < data["changes_days"]:
            raise ValidationError("must be at least changes_days", "daily_days")

    @post_load
    def build(self, data: dict[str, Any], **_: object) -> RetentionSettings:
        """Return the settings."""
        return RetentionSettings(**data)


@dataclass(frozen=True)
class Step:
    """What one step of pruning did."""

    gone: int
    """Values that were deleted."""
    last: str | None
    """The service at which the next step goes on; None when this was the last one."""


def prune_step(
    session: Session, settings: RetentionSettings, now: datetime, after: str = "", limit: int = 100_000
) -> Step:
    """Prune the services that follow `after` by name, SERVICES_PER_STEP of them; delete at most `limit` values.

    Safe to repeat and to interrupt: each step stands for itself, and as-of readings within the kept time are the same
    before, between and after.
    """
    following = select(FactSubject.id, FactSubject.entity_ref).where(FactSubject.entity_ref > after)
    subjects = session.execute(following.order_by(FactSubject.entity_ref).limit(SERVICES_PER_STEP)).all()
    if not subjects:
        return Step(0, None)
    numbers = [subject.id for subject in subjects]
    superfluous = _superfluous(session, settings, now, numbers).limit(limit)
    deleted = session.connection().execute(delete(FactValue).where(tuple_(*_KEY).in_(superfluous)))
    gone = deleted.rowcount
    if gone == limit:
        return Step(gone, after)  # there may be more of the same services
    return Step(gone, subjects[-1].entity_ref if len(subjects) == SERVICES_PER_STEP else None)


_KEY = (FactValue.subject_id, FactValue.name_id, FactValue.observed_at)


def _superfluous(
    session: Session, settings: RetentionSettings, now: datetime, subjects: Sequence[int]
) -> Select[int, int, datetime]:
    """Select the services' values that the policy does not keep.

    A value goes when the next one of the same fact stands in for it: past the horizon when that lies past it too,
    before it when that is of the same day (UTC).
    """
    horizon = now - timedelta(days=settings.daily_days)
    whole_days = (now - timedelta(days=settings.changes_days)).replace(hour=0, minute=0, second=0, microsecond=0)
    following = func.lead(FactValue.observed_at).over(
        partition_by=(FactValue.subject_id, FactValue.name_id), order_by=FactValue.observed_at
    )
    old = (
        select(*_KEY, following.label("following"))
        .where(FactValue.subject_id.in_(subjects), FactValue.observed_at < whole_days)
        .subquery()
    )
    same_day = _day(session, old.c.following) == _day(session, old.c.observed_at)
    superfluous = or_(old.c.following <= horizon, (old.c.observed_at >= horizon) & same_day)
    return select(old.c.subject_id, old.c.name_id, old.c.observed_at).where(superfluous)


def _day(session: Session, at: Any) -> ColumnElement[str]:
    """Return the day in UTC: PostgreSQL would take the connection's own time zone."""
    return func.date(func.timezone("UTC", at) if session.get_bind().dialect.name == "postgresql" else at)
