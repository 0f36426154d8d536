"""Tables: what was observed of each service, and how it was judged."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import JSON, Boolean, Dialect, Float, Index, LargeBinary, String, Text, TypeDecorator
from sqlalchemy.orm import Mapped, mapped_column

from portal_backend.core.db import Model


class JsonText(TypeDecorator[Any]):
    """Any JSON value as text. SQLite's own JSON type turns the text `4` into a number, which is no JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Write the value as JSON."""
        return orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read the value back."""
        return None if value is None else orjson.loads(value)


class EntityFacts(Model):
    """The latest observation of every fact that one source supplies for one entity, as one document."""

    __tablename__ = "entity_facts"

    entity_ref: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    """`{key: {value, observed_at, collected_at, recorded, recorded_at}}`; a rejected value has `fault` instead of
    `value`; the last two say what the history holds last."""
    updated_at: Mapped[datetime]


class FactChange(Model):
    """A fact's value as it was first seen: one row per change, none for a repeated value; of numbers one a day."""

    __tablename__ = "fact_change"
    __table_args__ = (Index("ix_fact_change_entity_ref_key_observed_at", "entity_ref", "key", "observed_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    entity_ref: Mapped[str]
    key: Mapped[str]
    source: Mapped[str]
    value: Mapped[Any] = mapped_column(JsonText, nullable=False)
    observed_at: Mapped[datetime]
    collected_at: Mapped[datetime]


class Scorecard(Model):
    """How ready a service is: every verdict in short, and beside it the columns that lists and roll-ups need.

    What explains a verdict, its sentence and facts, is made from the stored facts when a scorecard is read.
    Levels are `L0` to `L4`; percent and coverage run from 0 to 100. An axis on which no check applies has none of them.
    """

    __tablename__ = "scorecard"
    __table_args__ = (
        Index("ix_scorecard_level", "level", "entity_ref"),
        Index("ix_scorecard_owner", "owner"),
        Index("ix_scorecard_system", "system"),
    )

    entity_ref: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str | None] = mapped_column(String(2))
    percent: Mapped[float | None] = mapped_column(Float)
    coverage: Mapped[float | None] = mapped_column(Float)
    required_level: Mapped[str | None] = mapped_column(String(2))
    """What the service's criticality asks for; None while it has no criticality."""
    next_step: Mapped[str | None]
    """The sentence of the first thing to do; None when nothing is left."""
    owner: Mapped[str | None]
    system: Mapped[str | None]
    type: Mapped[str | None]
    lifecycle: Mapped[str | None] = mapped_column(String(32))
    criticality: Mapped[str | None] = mapped_column(String(2))
    frozen_until: Mapped[datetime | None]
    """Until when a source's outage holds the level or an axis's; None while none does."""

    architecture_level: Mapped[str | None] = mapped_column(String(2))
    architecture_percent: Mapped[float | None] = mapped_column(Float)
    architecture_coverage: Mapped[float | None] = mapped_column(Float)
    observability_level: Mapped[str | None] = mapped_column(String(2))
    observability_percent: Mapped[float | None] = mapped_column(Float)
    observability_coverage: Mapped[float | None] = mapped_column(Float)
    emergency_level: Mapped[str | None] = mapped_column(String(2))
    emergency_percent: Mapped[float | None] = mapped_column(Float)
    emergency_coverage: Mapped[float | None] = mapped_column(Float)
    capacity_level: Mapped[str | None] = mapped_column(String(2))
    capacity_percent: Mapped[float | None] = mapped_column(Float)
    capacity_coverage: Mapped[float | None] = mapped_column(Float)
    change_level: Mapped[str | None] = mapped_column(String(2))
    change_percent: Mapped[float | None] = mapped_column(Float)
    change_coverage: Mapped[float | None] = mapped_column(Float)
    performance_level: Mapped[str | None] = mapped_column(String(2))
    performance_percent: Mapped[float | None] = mapped_column(Float)
    performance_coverage: Mapped[float | None] = mapped_column(Float)

    evaluated_at: Mapped[datetime]
    valid_until: Mapped[datetime | None] = mapped_column(index=True)
    """The earliest moment at which a verdict may change by the passing of time alone: evidence grows stale."""
    awaits_evidence: Mapped[bool] = mapped_column(Boolean)
    """Some check is unknown because its evidence is stale: a fresh observation of the same value matters."""
    catalogue_version: Mapped[str] = mapped_column(String(16))
    sources_version: Mapped[str] = mapped_column(String(16))
    """Digest of the health of the sources at the judgement: causes of unknown verdicts rest on it."""
    fingerprint: Mapped[str] = mapped_column(String(32))
    """Digest of all that may change but times, so that an unchanged scorecard is not written again."""
    statuses: Mapped[dict[str, list[Any]]] = mapped_column(JSON)
    """`{check id: [status, check version, rule digest]}`, and `attested` or `shadow` where it is so: what the next
    judgement is compared with."""
    document: Mapped[bytes] = mapped_column(LargeBinary)
    """JSON: `held`, the checks that count for the levels as before an outage, each `[source, since, until]`."""


class ScorecardChange(Model):
    """What one judgement of a service changed: verdicts, percentages or levels, and why. None for one that did not."""

    __tablename__ = "scorecard_change"
    __table_args__ = (Index("ix_scorecard_change_entity_ref_at", "entity_ref", "at", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    entity_ref: Mapped[str]
    at: Mapped[datetime]
    catalogue_version: Mapped[str] = mapped_column(String(16))
    standings: Mapped[list[list[Any]]] = mapped_column(JSON)
    """`[level, percent, coverage]` after it: over all, then of the six axes in their order."""
    document: Mapped[bytes] = mapped_column(LargeBinary)
    """JSON: `verdicts`, each `[check, from, to, cause, version, rule digest]`; `values` of the facts that they rest on;
    `levels`, each `[axis or null, from, to, cause, checks]`; `frozen_until`."""
