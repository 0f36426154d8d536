"""Tables: what was observed of each service, and how it was judged."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    Boolean,
    Dialect,
    Float,
    Index,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    join,
)
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
    """The latest observation of every fact that one source supplies for one entity, as one document.

    Most pulls repeat what the one before said. Then only the columns that begin with `batch_` are written.
    """

    __tablename__ = "entity_facts"

    entity_ref: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    """`{key: {value, observed_at, collected_at, recorded, recorded_at}}`. A rejected value has `fault` instead of
    `value`. An entry without times is of the last batch, whose times the columns tell. `recorded` and `recorded_at` say
    what the history holds last, where that is not the value itself, or where its age counts."""
    batch_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Of the keys and values of the last batch; None while its repetition would be more than that."""
    batch_observed_at: Mapped[datetime | None]
    batch_collected_at: Mapped[datetime | None]
    batch_repeats_until: Mapped[datetime | None]
    """A repetition observed then or later is to be stored as any other batch: a measured number is due for the history.
    None: none is."""
    updated_at: Mapped[datetime]


class FactSubject(Model):
    """An entity in the history of facts: its number stands for its long name."""

    __tablename__ = "fact_subject"

    id: Mapped[int] = mapped_column(primary_key=True)
    entity_ref: Mapped[str] = mapped_column(unique=True)


class FactName(Model):
    """A fact of one source in the history of facts: its number stands for the two names."""

    __tablename__ = "fact_name"
    __table_args__ = (UniqueConstraint("key", "source"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    source: Mapped[str]


class FactValue(Model):
    """A fact's value as it was first seen: one row per change, none for a repeated value; of numbers one a day.

    There are tens of millions of rows, hence the numbers, one index, and no foreign keys: each would cost a look-up for
    every row. They are written by `facts.record` and read as FactChange.
    """

    __tablename__ = "fact_value"
    __table_args__ = {"sqlite_with_rowid": False}

    subject_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    observed_at: Mapped[datetime] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JsonText, nullable=False)


class FactChange(Model):
    """A row of the history of facts with its names. For reading only."""

    __table__ = join(
        join(FactValue.__table__, FactSubject.__table__, FactValue.subject_id == FactSubject.id),
        FactName.__table__,
        FactValue.name_id == FactName.id,
    )

    __mapper_args__ = {
        "primary_key": list(FactValue.__table__.primary_key),
        "exclude_properties": [FactSubject.__table__.c.id, FactName.__table__.c.id],
    }

    subject_id: Mapped[int]
    name_id: Mapped[int]
    entity_ref: Mapped[str]
    key: Mapped[str]
    source: Mapped[str]
    observed_at: Mapped[datetime]
    value: Mapped[Any]


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
        # Room beside each row for its next form: one that is renewed without new levels touches no index then.
        {"postgresql_with": {"fillfactor": 50}},
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
    valid_until: Mapped[datetime | None]
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
    `levels`, each as `changes.stored_move` writes it; `shadow`, those of the checks that were in shadow (older rows do
    not tell); `frozen_until`."""
