"""Tables of early engagement and of continuous review: designs, trade-offs, launches, service reviews."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from engagements.records import Kept
from portal_backend.core.db import Model


class DesignReview(Kept, Model):
    """A review of a service's design, before or while it is built."""

    __tablename__ = "design_review"

    held_at: Mapped[datetime]
    reviewers: Mapped[list[str]] = mapped_column(JSON)
    document_url: Mapped[str]
    summary: Mapped[str]


class TradeOff(Kept, Model):
    """A choice of the design that costs reliability, and who accepted it; or the word that there is none."""

    __tablename__ = "trade_off"

    none: Mapped[bool] = mapped_column(Boolean)
    """True: it was said that the design holds no trade-off."""
    choice: Mapped[str]
    rejected_option: Mapped[str]
    reliability_cost: Mapped[str]
    accepted_by: Mapped[str]
    reason: Mapped[str]


class Launch(Kept, Model):
    """A launch: of a service, or of a large change to one."""

    __tablename__ = "launch"

    name: Mapped[str]
    planned_at: Mapped[datetime | None]
    stage: Mapped[str] = mapped_column(String(8), index=True)
    stages: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Every stage that was entered, in order: stage, traffic_percent, started_at, ended_at, abort_rule, outcome."""
    full_at: Mapped[datetime | None]
    checklist: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The template's name, version, digest and items as they were when the launch was planned."""
    answers: Mapped[dict[str, dict[str, Any]]] = mapped_column(JSON)
    signed_by: Mapped[str | None]
    signed_at: Mapped[datetime | None]


class ServiceReview(Kept, Model):
    """A regular look at the support of a service."""

    __tablename__ = "service_review"

    held_at: Mapped[datetime]
    attendees: Mapped[list[str]] = mapped_column(JSON)
    notes: Mapped[str]
    next_due_at: Mapped[datetime]
    review_kind: Mapped[str] = mapped_column(String(16))
    score: Mapped[int | None] = mapped_column(Integer)
    """How well both sides work together, 1 to 5, as they said."""
