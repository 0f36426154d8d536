"""Tables of a review: checklists, findings, improvements and plans, incident reviews, the work that a review takes.

Every table follows from its events (`details.record`) and can be made again from them.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Float, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engagements.records import Kept
from portal_backend.core.db import Model


class Checklist(Kept, Model):
    """The checklist of one review: the template as it was then."""

    __tablename__ = "review_checklist"
    __table_args__ = (UniqueConstraint("engagement_id", "review_round"),)

    review_round: Mapped[int] = mapped_column(Integer)
    template: Mapped[str]
    template_version: Mapped[int] = mapped_column(Integer)
    template_digest: Mapped[str] = mapped_column(String(64))
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """The template's items as they were when the review began."""
    dependencies: Mapped[list[str]] = mapped_column(JSON)
    """What the service depended on then: a later one is new to the review."""


class ChecklistItem(Kept, Model):
    """An item that only this service's checklist has; it stays for later reviews."""

    __tablename__ = "review_checklist_item"

    key: Mapped[str]
    axis: Mapped[str] = mapped_column(String(16))
    question: Mapped[str]
    guide: Mapped[str]
    checks: Mapped[list[str]] = mapped_column(JSON)
    source: Mapped[str] = mapped_column(String(16))
    source_ref: Mapped[str]
    """The lesson, the service or the incident that it comes from."""
    reason: Mapped[str]


class ChecklistAnswer(Kept, Model):
    """What a person answered to an item; what the sources measure is not stored but read."""

    __tablename__ = "review_checklist_answer"
    __table_args__ = (UniqueConstraint("engagement_id", "review_round", "item"),)

    review_round: Mapped[int] = mapped_column(Integer)
    item: Mapped[str]
    answer: Mapped[str | None] = mapped_column(String(4))
    """None once it was withdrawn: the measured answer counts again."""
    reason: Mapped[str]
    evidence_url: Mapped[str]
    measured: Mapped[str] = mapped_column(String(16))
    """What the facts said when the person answered."""


class Finding(Kept, Model):
    """A defect of a service."""

    __tablename__ = "finding"

    title: Mapped[str]
    description: Mapped[str]
    source: Mapped[str] = mapped_column(String(16))
    axis: Mapped[str] = mapped_column(String(16))
    severity: Mapped[str] = mapped_column(String(8))
    pattern: Mapped[str | None] = mapped_column(index=True)
    """The kind of cause, the same word for the same failure in any service."""
    item: Mapped[str | None]
    """The item of the checklist that it answers."""
    check_id: Mapped[str | None]
    evidence: Mapped[list[str]] = mapped_column(JSON)
    """Addresses of what shows it."""
    state: Mapped[str] = mapped_column(String(8), index=True)
    state_reason: Mapped[str]
    closed_at: Mapped[datetime | None]


class Improvement(Kept, Model):
    """A change that makes a service more reliable."""

    __tablename__ = "improvement"

    title: Mapped[str]
    description: Mapped[str]
    axis: Mapped[str] = mapped_column(String(16))
    findings: Mapped[list[str]] = mapped_column(JSON)
    check_id: Mapped[str | None] = mapped_column(index=True)
    severity: Mapped[str] = mapped_column(String(8))
    """Of the worst finding behind it."""
    linked: Mapped[bool] = mapped_column(Boolean)
    """An objective or an incident is behind it."""
    blocking: Mapped[bool] = mapped_column(Boolean)
    """False for what a consultation recommends: it bars nothing."""
    urgency: Mapped[str | None] = mapped_column(String(2))
    effort: Mapped[str] = mapped_column(String(8))
    priority: Mapped[float] = mapped_column(Float)
    """Computed, 0 to 10."""
    priority_terms: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    negotiated_priority: Mapped[float | None] = mapped_column(Float)
    negotiated_reason: Mapped[str]
    state: Mapped[str] = mapped_column(String(12), index=True)
    state_reason: Mapped[str]
    state_since: Mapped[datetime]
    deferred_until: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    owner_dev: Mapped[str | None]
    owner_sre: Mapped[str | None]
    agreed_by: Mapped[dict[str, str]] = mapped_column(JSON)
    """`{dev: name, sre: name}` of those who agreed."""
    rejected_by: Mapped[dict[str, str]] = mapped_column(JSON)
    done_by: Mapped[str | None]
    done_side: Mapped[str | None] = mapped_column(String(3))
    done_at: Mapped[datetime | None]
    dev_reviewer: Mapped[str | None]
    """The developer who reviewed a change that SRE made."""
    verified_by: Mapped[str | None]
    """The check that passes now, or the SRE who saw the evidence."""
    verification: Mapped[str]
    review_load_hours: Mapped[float] = mapped_column(Float)
    """Hours that developers spent on reviewing the change."""
    reusable_as: Mapped[str] = mapped_column(String(8))
    reusable_link: Mapped[str]


class ImprovementPlan(Kept, Model):
    """A version of an engagement's improvement plan; another content is another version."""

    __tablename__ = "improvement_plan"
    __table_args__ = (UniqueConstraint("engagement_id", "number"),)

    number: Mapped[int] = mapped_column(Integer)
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    content_digest: Mapped[str] = mapped_column(String(64))
    signatures: Mapped[dict[str, dict[str, str]]] = mapped_column(JSON)
    """`{dev_lead: {by, at}, sre_lead: {by, at}}`."""


class IncidentReview(Kept, Model):
    """What a review made of a service's incidents."""

    __tablename__ = "incident_review"
    __table_args__ = (UniqueConstraint("engagement_id", "review_round"),)

    review_round: Mapped[int] = mapped_column(Integer)
    conclusion: Mapped[str]
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Counts, repeated causes and overdue actions as they were seen then."""
    findings: Mapped[list[str]] = mapped_column(JSON)


class ReviewWork(Kept, Model):
    """Hours that a review took somebody."""

    __tablename__ = "review_work"

    kind: Mapped[str] = mapped_column(String(16))
    side: Mapped[str] = mapped_column(String(3))
    person: Mapped[str]
    hours: Mapped[float] = mapped_column(Float)
    worked_at: Mapped[datetime]
    note: Mapped[str]
