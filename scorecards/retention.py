"""How long the history of facts is kept: every change for a while, then one value a day, then nothing.

What is pruned never changes an answer about the time that is kept: of each fact the last value before the horizon
stays, however old it is, for it still held when the kept time began.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema
from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.orm import Session

from portal_backend.core.db import chunks
from scorecards.models import FactChange

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


def prune(session: Session, settings: RetentionSettings, now: datetime, limit: int = 10_000) -> int:
    """Delete at most `limit` values that the policy does not keep; return how many went.

    Fewer than `limit` means that nothing is left to do. Safe to repeat and to interrupt: each call stands for itself,
    and as-of readings within the kept time are the same before, between and after. A large installation takes
    `prune_step` by `prune_step` instead, each in a transaction of its own: that reads the history once in all.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    gone, last = 0, ""
    while gone < limit:
        step = prune_step(session, settings, now, last, limit - gone)
        gone += step.gone
        if step.last is None:
            break
        last = step.last
    return gone


def prune_step(
    session: Session, settings: RetentionSettings, now: datetime, after: str = "", limit: int = 100_000
) -> Step:
    """Prune the services that follow `after` by name, SERVICES_PER_STEP of them; delete at most `limit` values."""
    following = select(FactChange.entity_ref).where(FactChange.entity_ref > after).distinct()
    refs = list(session.scalars(following.order_by(FactChange.entity_ref).limit(SERVICES_PER_STEP)))
    if not refs:
        return Step(0, None)
    ids = list(session.scalars(_superfluous(session, settings, now, refs).limit(limit)))
    for chunk in chunks(ids):
        gone = delete(FactChange).where(FactChange.id.in_(chunk))
        session.execute(gone, execution_options={"synchronize_session": False})
    if len(ids) == limit:
        return Step(len(ids), after)  # there may be more of the same services
    return Step(len(ids), refs[-1] if len(refs) == SERVICES_PER_STEP else None)


def _superfluous(session: Session, settings: RetentionSettings, now: datetime, refs: Sequence[str]) -> Select[int]:
    """Select the ids of services' values that the policy does not keep.

    A value goes when the next one of the same fact stands in for it: past the horizon when that lies past it too,
    before it when that is of the same day (UTC). Of two values of one moment the one that arrived later is the next, as
    as-of readings have it.
    """
    horizon = now - timedelta(days=settings.daily_days)
    whole_days = (now - timedelta(days=settings.changes_days)).replace(hour=0, minute=0, second=0, microsecond=0)
    following = func.lead(FactChange.observed_at).over(
        partition_by=(FactChange.entity_ref, FactChange.key, FactChange.source),
        order_by=(FactChange.observed_at, FactChange.id),
    )
    old = (
        select(FactChange.id, FactChange.observed_at, following.label("following"))
        .where(FactChange.entity_ref.in_(refs), FactChange.observed_at < whole_days)
        .subquery()
    )
    same_day = _day(session, old.c.following) == _day(session, old.c.observed_at)
    return select(old.c.id).where(or_(old.c.following <= horizon, (old.c.observed_at >= horizon) & same_day))


def _day(session: Session, at: Any) -> ColumnElement[str]:
    """Return the day in UTC: PostgreSQL would take the connection's own time zone."""
    return func.date(func.timezone("UTC", at) if session.get_bind().dialect.name == "postgresql" else at)
