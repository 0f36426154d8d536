"""Tables: SRE teams, the ledger of their capacity, and plans that people decide on."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engagements.models import BigId
from portal_backend.core.db import Model


class SreTeam(Model):
    """A team of SREs. What it can carry stands in its ledger, entry by entry, since it changes with time."""

    __tablename__ = "sre_team"

    ref: Mapped[str] = mapped_column(primary_key=True)
    """Reference of a group, e.g. group:default/storage-sre."""
    title: Mapped[str]
    kind: Mapped[str] = mapped_column(String(8))
    """`service`: runs services; `platform`: keeps a platform, so that its size follows the platform's needs and not
    the number of services on it."""
    version: Mapped[int] = mapped_column(Integer)
    """How many entries its ledger has: what If-Match is compared with."""


class CapacityEntry(Model):
    """One entry of a team's ledger. Never changed and never removed: a correction is an entry of its own."""

    __tablename__ = "capacity_entry"
    __table_args__ = (
        UniqueConstraint("team_ref", "sequence"),
        UniqueConstraint("team_ref", "key"),
        Index("ix_capacity_entry_team_ref_effective_at", "team_ref", "effective_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    team_ref: Mapped[str] = mapped_column(ForeignKey("sre_team.ref"))
    sequence: Mapped[int] = mapped_column(Integer)
    key: Mapped[str]
    """What makes a repeated posting the same one, e.g. the engagement that freed the capacity."""
    kind: Mapped[str] = mapped_column(String(8))
    """`limits`: what the team can carry changed; `freed`: handing a service back gave capacity free."""
    effective_at: Mapped[datetime]
    """From when it holds; may lie in the future."""
    recorded_at: Mapped[datetime]
    actor: Mapped[str]
    reason: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Of `limits`, the limits that changed; of `freed`, what became free."""


class SavedPlan(Model):
    """A plan as it was proposed, kept so that people can decide on its rows."""

    __tablename__ = "capacity_plan"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Digest of what it rests on and how it was made: the same plan saved twice is one."""
    inputs_digest: Mapped[str] = mapped_column(String(64))
    method: Mapped[str] = mapped_column(String(16))
    saved_at: Mapped[datetime] = mapped_column(index=True)
    saved_by: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The plan as it was answered."""


class PlanDecision(Model):
    """What a person decided on a service's row of a plan. The newest decision on a service is its pin."""

    __tablename__ = "plan_decision"
    __table_args__ = (
        UniqueConstraint("entity_ref", "sequence"),
        Index("ix_plan_decision_plan_id_entity_ref", "plan_id", "entity_ref"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("capacity_plan.id"))
    entity_ref: Mapped[str]
    sequence: Mapped[int] = mapped_column(Integer)
    accepted: Mapped[bool] = mapped_column(Boolean)
    option: Mapped[str] = mapped_column(String(8))
    """The option that the plan proposed and the person accepted or rejected."""
    team_ref: Mapped[str | None]
    reason: Mapped[str]
    decided_by: Mapped[str]
    decided_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    """When somebody took the decision back; until then later plans keep to it."""
