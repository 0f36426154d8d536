"""Tables: what happened to each service, and which support it has."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Float,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    event,
)
from sqlalchemy.orm import Mapped, mapped_column

from engagements.chain.append_only import protect
from portal_backend.core.db import Model

BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column of type INTEGER."""


class HistoryEvent(Model):
    """One thing that happened to a service. Never changed and never removed: a correction is an event of its own."""

    __tablename__ = "history_event"
    __table_args__ = (
        UniqueConstraint("entity_ref", "sequence"),
        UniqueConstraint("source", "source_event_id"),
        Index("ix_history_event_entity_ref_occurred_at_sequence", "entity_ref", "occurred_at", "sequence"),
        Index("ix_history_event_entity_ref_kind_occurred_at_sequence", "entity_ref", "kind", "occurred_at", "sequence"),
        Index("ix_history_event_kind_occurred_at", "kind", "occurred_at"),
        Index("ix_history_event_pattern_occurred_at", "pattern", "occurred_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    entity_ref: Mapped[str]
    sequence: Mapped[int] = mapped_column(Integer)
    """The order in which the service's events were recorded: 1, 2, 3 … without gaps."""
    kind: Mapped[str] = mapped_column(String(40))
    occurred_at: Mapped[datetime]
    """When it happened; a late event lies before others that were recorded earlier."""
    recorded_at: Mapped[datetime]
    actor: Mapped[str]
    """Who did it: a person or a token by name, or the source that reported it."""
    source: Mapped[str]
    source_event_id: Mapped[str]
    """The source's own id: the same id never enters the history twice."""
    simulated: Mapped[bool]
    """Whether the source was no real system when it reported this."""
    schema_version: Mapped[int] = mapped_column(SmallInteger)
    """The version of the shape of `details`."""
    summary: Mapped[str]
    link: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    hash: Mapped[str] = mapped_column(String(66))
    """Of this event and of the service's event before it (`engagements/chain/links.py`)."""
    pattern: Mapped[str | None] = mapped_column(String(200))
    """What similar events are found by, taken from the details: the alert's name, the cause or the pattern."""


@event.listens_for(HistoryEvent.__table__, "after_create")
def _refuse_changes(_table: Table, connection: Connection, **_: Any) -> None:
    protect(connection)


class HistoryHead(Model):
    """The end of a service's history: the row that writers lock."""

    __tablename__ = "history_head"

    entity_ref: Mapped[str] = mapped_column(primary_key=True)
    last_sequence: Mapped[int] = mapped_column(Integer)
    last_hash: Mapped[str] = mapped_column(String(66))
    """The hash of the last event; empty while there is none."""


class Support(Model):
    """Which support a service has now. Follows from its `tier.changed` events and can be rebuilt from them.

    A service without a row has the tier `documentation`, as every registered service does.
    """

    __tablename__ = "support"

    entity_ref: Mapped[str] = mapped_column(primary_key=True)
    tier: Mapped[str] = mapped_column(String(16), index=True)
    since: Mapped[datetime]
    """When the support in this tier began."""
    engagement_model: Mapped[str | None] = mapped_column(String(16))
    phase: Mapped[str | None] = mapped_column(String(16))
    usage_forecast_rps: Mapped[float | None] = mapped_column(Float)
    """The peak traffic, in requests per second, that was forecast when the support was accepted."""
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What the tier rests on: the review's or the conformance run's date and document."""
    reason: Mapped[str]
    origin: Mapped[str] = mapped_column(String(8))
    """`import` as long as the state comes from an import file, `portal` once somebody moved it here."""
    import_hash: Mapped[str | None] = mapped_column(String(64))
    """Digest of the last imported record: the same record is taken once."""
    version: Mapped[int] = mapped_column(Integer)
    """How many times the support changed: what If-Match is compared with."""
