"""Tables: engagements, what was agreed on call, the revisions of services, and requests that were answered already."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal_backend.core.db import Model

_OPEN = text("closed_at IS NULL")


class Engagement(Model):
    """One engagement of SRE with one service. Follows from its events (`details.engagement`) and is rebuilt from them.

    A service has at most one that is not closed.
    """

    __tablename__ = "engagement"
    __table_args__ = (
        Index("ux_engagement_open", "entity_ref", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_engagement_state", "state", "requested_at", "id"),
        Index("ix_engagement_requested_at", "requested_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    entity_ref: Mapped[str] = mapped_column(index=True)
    model: Mapped[str] = mapped_column(String(16))
    """`simple_prr`, `early` or `framework`."""
    state: Mapped[str] = mapped_column(String(16))
    state_since: Mapped[datetime]
    """When it entered its state; a pause does not change it."""
    paused: Mapped[bool] = mapped_column(Boolean)
    sre_team: Mapped[str | None]
    requested_by: Mapped[str]
    requested_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    queued: Mapped[bool] = mapped_column(Boolean)
    """Accepted, and waiting until the team has room."""
    review_round: Mapped[int] = mapped_column(Integer)
    """1 for the first review, one more with each re-review of a service that SRE runs already."""
    review_completed_at: Mapped[datetime | None]
    review_revision: Mapped[str | None]
    """The major revision of the service that was reviewed, where it names one."""
    outcome: Mapped[str | None] = mapped_column(String(24))
    closed_at: Mapped[datetime | None]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The terms: request, agreement, trainings, transfers and the like, one section each."""
    version: Mapped[int] = mapped_column(Integer)
    """How many times it changed: what If-Match is compared with."""


class OnCallSplit(Model):
    """Which alerts of a service are the platform's and which the developers'. Rebuilt from `oncall.split_changed`."""

    __tablename__ = "oncall_split"

    entity_ref: Mapped[str] = mapped_column(primary_key=True)
    routes: Mapped[dict[str, str]] = mapped_column(JSON)
    """`{alert: platform_infra or service_function}`."""
    agreed_by: Mapped[str]
    agreed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer)


class ServiceRevision(Model):
    """The major revision of a service as its development lead set it. Rebuilt from `service.revision_changed`."""

    __tablename__ = "service_revision"

    entity_ref: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[str]
    annotation: Mapped[str | None]
    """What the catalog said then: when it says something else since, the catalog is newer and counts."""
    set_by: Mapped[str]
    set_at: Mapped[datetime]


class AnsweredRequest(Model):
    """A request that carried an Idempotency-Key, and its answer: repeated, it is answered the same again."""

    __tablename__ = "engagement_request"

    actor: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    """Of the method, the path and the body: a key is good for one request."""
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[int] = mapped_column(Integer)
    answered_at: Mapped[datetime] = mapped_column(index=True)
