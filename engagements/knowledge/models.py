"""Tables of what is learned: advice, lessons, production meetings. Each follows from its events (`details.record`)."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, String
from sqlalchemy.orm import Mapped, mapped_column

from engagements.records import Kept
from portal_backend.core.db import Model


class Consultation(Kept, Model):
    """Advice that SRE gave to a service's team."""

    __tablename__ = "consultation"

    topic: Mapped[str]
    axis: Mapped[str] = mapped_column(String(16))
    hours: Mapped[float] = mapped_column(Float)
    sres: Mapped[list[str]] = mapped_column(JSON)
    held_at: Mapped[datetime]
    recommendations: Mapped[list[str]] = mapped_column(JSON)
    improvements: Mapped[list[str]] = mapped_column(JSON)
    """The improvements that the recommendations became."""
    team: Mapped[str]
    """The team whose hours it counts against."""


class Lesson(Kept, Model):
    """Something learned that is worth more than the one case."""

    __tablename__ = "lesson"

    title: Mapped[str]
    text: Mapped[str]
    source: Mapped[str] = mapped_column(String(16))
    source_ref: Mapped[str]
    pattern: Mapped[str] = mapped_column(index=True)
    axis: Mapped[str] = mapped_column(String(16))
    checks: Mapped[list[str]] = mapped_column(JSON)
    """Checks that fail where the pattern is still there."""
    state: Mapped[str] = mapped_column(String(8), index=True)
    state_reason: Mapped[str]
    homes: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Where it lives on: `{kind, target, linked_by, linked_at}`."""


class NoLessons(Kept, Model):
    """The word that an engagement taught nothing that others could use."""

    __tablename__ = "no_lessons"

    reason: Mapped[str]


class ProductionMeeting(Kept, Model):
    """The notes of a production meeting of a service's developers with SRE."""

    __tablename__ = "production_meeting"

    held_at: Mapped[datetime]
    services: Mapped[list[str]] = mapped_column(JSON)
    attendees: Mapped[list[str]] = mapped_column(JSON)
    notes: Mapped[str]
    decisions: Mapped[list[str]] = mapped_column(JSON)
    agenda: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What stood on the list when it was held: pages of the last week, launches, turn-downs."""
