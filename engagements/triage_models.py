"""Tables: what triage found of each service, how the lists changed from day to day, and what people dismissed."""

from datetime import date, datetime

from sqlalchemy import JSON, Date, Float, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portal_backend.core.db import Model


class TriageResult(Model):
    """What triage found of a service, kept so that no request has to judge the fleet. Can be computed again."""

    __tablename__ = "triage_result"
    __table_args__ = (Index("ix_triage_result_direction_place_entity_ref", "direction", "place", "entity_ref"),)

    entity_ref: Mapped[str] = mapped_column(primary_key=True)
    direction: Mapped[str] = mapped_column(String(12))
    """The list it stands on: `onboard`, `hand_back`, or `none`."""
    place: Mapped[float] = mapped_column(Float)
    """Its place in the list, the lowest first: the value negated, or the urgency."""
    value: Mapped[float] = mapped_column(Float)
    """What it would gain from SRE, 0 to 100."""
    confidence: Mapped[float] = mapped_column(Float)
    verdict: Mapped[str] = mapped_column(String(12))
    """`candidate`, `barred`, `undecided` or `stay`; of a service that SRE runs `hand_back` or `keep`."""
    rules_met: Mapped[str]
    """Rules that are met, each between bars: `|R1|value|`."""
    points: Mapped[dict[str, float]] = mapped_column(JSON)
    """The points of each term, by signal: what a change of place is explained by."""
    title: Mapped[str]
    owner: Mapped[str | None]
    criticality: Mapped[str | None] = mapped_column(String(2))
    lifecycle: Mapped[str | None] = mapped_column(String(16))
    tier: Mapped[str] = mapped_column(String(16))
    framework: Mapped[str | None]
    team_ref: Mapped[str | None]
    """The SRE team that its catalog entry names."""
    pages_per_shift: Mapped[float | None] = mapped_column(Float)
    """Pages in each shift of twelve hours; None when nobody measures them."""
    barriers: Mapped[list[str]] = mapped_column(JSON)
    raised: Mapped[dict[str, str]] = mapped_column(JSON)
    """When R1 and R2 last raised it as a candidate, by rule."""
    computed_at: Mapped[datetime]
    refresh_by: Mapped[datetime] = mapped_column(index=True)
    """When it is to be computed again even if nobody reports a change: what it rests on grows stale."""
    inputs_digest: Mapped[str] = mapped_column(String(64))
    document: Mapped[bytes] = mapped_column(LargeBinary)
    """The row as it is answered: JSON."""


class TriageRun(Model):
    """By which settings the lists are made: one row."""

    __tablename__ = "triage_run"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    computed_at: Mapped[datetime]
    settings_digest: Mapped[str] = mapped_column(String(64))


class TriageSnapshot(Model):
    """Where a service stood at the end of a day; a day on which nothing of it changed has no row."""

    __tablename__ = "triage_snapshot"
    __table_args__ = (Index("ix_triage_snapshot_day", "day"),)

    entity_ref: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    """In UTC."""
    direction: Mapped[str] = mapped_column(String(12))
    """`onboard`, `hand_back`, or `none`: it stood on no list, or left the catalog."""
    place: Mapped[float] = mapped_column(Float)
    points: Mapped[dict[str, float]] = mapped_column(JSON)
    rules_met: Mapped[str]


class TriageDismissal(Model):
    """Somebody took a service off a list, for a reason and until a day. Rebuilt from its events."""

    __tablename__ = "triage_dismissal"
    __table_args__ = (Index("ix_triage_dismissal_entity_ref_direction", "entity_ref", "direction"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    entity_ref: Mapped[str]
    direction: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str]
    dismissed_by: Mapped[str]
    dismissed_at: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
    """After this it is back on the list by itself."""
    ended_at: Mapped[datetime | None]
    """When somebody put it back before that."""
    ended_by: Mapped[str | None]
