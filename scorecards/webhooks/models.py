"""Tables: who wants to be told of what, and every message that was or is to be sent."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal_backend.core.db import Model


class DeliveryState(StrEnum):
    """What became of a message."""

    DUE = "due"
    DELIVERED = "delivered"
    DEAD = "dead"
    """It will not be tried again unless somebody asks for it."""


class WebhookSubscription(Model):
    """An address that is told of changes of levels, over all or of axes, all or some."""

    __tablename__ = "webhook_subscription"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """Made from what is asked for: the same request twice is one subscription."""
    url: Mapped[str]
    secret_reference: Mapped[str | None]
    """`${PORTAL_WEBHOOK_…}`; None where we made the secret."""
    secret: Mapped[str | None]
    """One that we made, shown once, at creation. It signs, so it cannot be kept as a digest."""
    service: Mapped[str | None]
    """Only changes of this service; None: of all. Likewise below."""
    owner: Mapped[str | None]
    axis: Mapped[str | None] = mapped_column(String(16))
    direction: Mapped[str | None] = mapped_column(String(8))
    events: Mapped[str | None] = mapped_column(String(100))
    """The kinds of message, parted by commas; None: changes of the overall level alone."""
    active: Mapped[bool]
    inactive_reason: Mapped[str | None]
    dropped: Mapped[int] = mapped_column(Integer)
    """Messages that were not taken because too many were waiting already."""
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class WebhookDelivery(Model):
    """One message to one subscription, however often it is tried."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("subscription_id", "event_id"),
        Index("ix_webhook_delivery_state_due_at", "state", "due_at"),
        Index("ix_webhook_delivery_subscription_id_created_at", "subscription_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """`webhook-id`: the same on every attempt, so that the receiver can tell a repetition."""
    subscription_id: Mapped[str] = mapped_column(ForeignKey("webhook_subscription.id", ondelete="CASCADE"))
    event_id: Mapped[str]
    """What happened: the same event is sent to a subscription once."""
    type: Mapped[str] = mapped_column(String(40))
    body: Mapped[str]
    """The JSON text, as it is signed and sent."""
    state: Mapped[str] = mapped_column(String(12))
    attempts: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime]
    lease_token: Mapped[str | None] = mapped_column(String(32))
    """Names the attempt under way: only one is, and only it may say how it went."""
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    last_attempt_at: Mapped[datetime | None]
    last_status: Mapped[int | None] = mapped_column(Integer)
    """The HTTP status of the last attempt; None where there was no answer."""
    last_error: Mapped[str | None]
