"""Tables: attestations, waivers, framework modules and who is built on them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, String, inspect, text
from sqlalchemy.orm import Mapped, mapped_column

from portal_backend.core.clock import format_time
from portal_backend.core.db import Model

IS_CURRENT = text("ended_at IS NULL")
IS_OPEN = text("state = 'requested'")
IS_APPROVED = text("state = 'approved'")


def columns_of(row: Model) -> dict[str, Any]:
    """Return what a row holds, by column."""
    return {attribute.key: getattr(row, attribute.key) for attribute in inspect(type(row)).column_attrs}


def plain_form(row: Model) -> dict[str, Any]:
    """Return what a row holds as JSON values, without the columns that are empty."""
    return {
        name: format_time(value) if isinstance(value, datetime) else value
        for name, value in columns_of(row).items()
        if value is not None
    }


class AttestationRow(Model):
    """An answer that somebody vouches for. Kept for good; of one service and check at most one has not been ended."""

    __tablename__ = "attestation"
    __table_args__ = (
        Index(
            "uq_attestation_current",
            "entity_ref",
            "check_id",
            unique=True,
            sqlite_where=IS_CURRENT,
            postgresql_where=IS_CURRENT,
        ),
        Index("ix_attestation_entity_ref_attested_at", "entity_ref", "attested_at", "id"),
        Index("ix_attestation_expires_at", "expires_at", "id"),
        Index("ix_attestation_current", "expires_at", sqlite_where=IS_CURRENT, postgresql_where=IS_CURRENT),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """A UUID."""
    entity_ref: Mapped[str]
    check_id: Mapped[str]
    check_version: Mapped[int] = mapped_column(Integer)
    """The version of the check that was answered."""
    holds: Mapped[bool] = mapped_column(Boolean)
    statement: Mapped[str]
    evidence_url: Mapped[str | None]
    attested_by: Mapped[str]
    attested_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """When a person ended it before its time, or it ended of itself (`expires_at`; marked soon after)."""
    ended_by: Mapped[str | None]
    end_kind: Mapped[str | None] = mapped_column(String(16))
    """`superseded` (by a newer one), `revoked`, `overturned` (in a spot audit) or `expired`."""
    end_reason: Mapped[str | None]


class WaiverRow(Model):
    """An exemption from a check: asked for, decided on by a second person, and ended. Kept for good."""

    __tablename__ = "waiver"
    __table_args__ = (
        Index("uq_waiver_open", "entity_ref", "check_id", unique=True, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
        Index("ix_waiver_approved", "entity_ref", "check_id", sqlite_where=IS_APPROVED, postgresql_where=IS_APPROVED),
        Index("ix_waiver_until", "until", "id"),
        Index("ix_waiver_requested_at", "requested_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """A UUID."""
    entity_ref: Mapped[str]
    check_id: Mapped[str]
    reason: Mapped[str]
    compensating_control: Mapped[str]
    until: Mapped[datetime]
    """The end that was asked for; after the approval, the end that was approved."""
    renews: Mapped[str | None] = mapped_column(String(36))
    """The waiver that this one continues."""
    state: Mapped[str] = mapped_column(String(16))
    """`requested`, `approved`, `rejected`, `withdrawn`, `ended` or `expired`. An approved one past its end counts as
    expired whether or not that has been written down."""
    requested_by: Mapped[str]
    requested_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    """Who approved or rejected it."""
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    ended_by: Mapped[str | None]
    """Who withdrew it, ended it before its time or renewed it."""
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class FrameworkModule(Model):
    """A piece of the framework that services are built on, with the checks that it answers for them."""

    __tablename__ = "framework_module"

    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    description: Mapped[str]
    kind: Mapped[str] = mapped_column(String(40))
    """`instrumentation_metrics`, `request_logging`, `traffic_load_control` or one of the organisation's own."""
    axis: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str]
    """Who keeps it: an entity reference."""
    capabilities: Mapped[list[str]] = mapped_column(JSON)
    """Which of the platform's uniform capabilities it provides."""
    version: Mapped[int] = mapped_column(Integer)
    """Counts the changes of this row; what If-Match compares."""
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class ModuleRelease(Model):
    """A released version of a module."""

    __tablename__ = "framework_module_release"
    __table_args__ = (Index("ix_framework_module_release_module_released_at", "module", "released_at"),)

    module: Mapped[str] = mapped_column(ForeignKey("framework_module.name"), primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    released_at: Mapped[datetime]
    supported_until: Mapped[datetime | None]
    """None while no end is announced."""
    satisfies_checks: Mapped[list[str]] = mapped_column(JSON)
    """The checks that a service on this version passes by it."""
    follows: Mapped[str | None]
    """The version that this one continues and whose fixes it has."""
    fixes: Mapped[list[str]] = mapped_column(JSON)
    """What this version mends; it has the fixes of all that it continues as well."""
    notes: Mapped[str]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]


class ModuleAdoption(Model):
    """A service is built on a module."""

    __tablename__ = "framework_module_adoption"
    __table_args__ = (Index("ix_framework_module_adoption_module", "module", "version", "entity_ref"),)

    entity_ref: Mapped[str] = mapped_column(primary_key=True)
    module: Mapped[str] = mapped_column(ForeignKey("framework_module.name"), primary_key=True)
    version: Mapped[str]
    follows_releases: Mapped[bool] = mapped_column(Boolean)
    """The platform rolls new versions out to it by itself."""
    local_overrides: Mapped[dict[str, Any]] = mapped_column(JSON)
    """`{check id: reason}`: what the service does in its own way and so does not inherit."""
    revision: Mapped[int] = mapped_column(Integer)
    """Counts the changes of this row; what If-Match compares."""
    adopted_at: Mapped[datetime]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]
