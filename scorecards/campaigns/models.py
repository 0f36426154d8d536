"""Tables: campaigns, who is exempt from them, and how far they were on each day."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from portal_backend.core.db import Model


class Campaign(Model):
    """Checks that certain services are to pass by a day."""

    __tablename__ = "campaign"

    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    reason: Mapped[str]
    """Why, in the words that the teams read."""
    owner: Mapped[str]
    """Who answers for it."""
    checks: Mapped[list[str]] = mapped_column(JSON)
    target: Mapped[dict[str, Any]] = mapped_column(JSON)
    """`{owner, system, tag, criticality, tier, ref: […]}`: a service is meant when it fits every one that is given."""
    due_on: Mapped[date]
    """The last day, in UTC."""
    state: Mapped[str] = mapped_column(String(8), index=True)
    """`planned`, `active` or `closed`."""
    started_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(Integer)
    """Counts the changes of this row; what If-Match compares."""
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class CampaignExemption(Model):
    """A service that need not take part for a while."""

    __tablename__ = "campaign_exemption"

    campaign: Mapped[str] = mapped_column(ForeignKey("campaign.name"), primary_key=True)
    entity_ref: Mapped[str] = mapped_column(primary_key=True, index=True)
    reason: Mapped[str]
    until: Mapped[datetime]
    granted_by: Mapped[str]
    granted_at: Mapped[datetime]


class CampaignDay(Model):
    """How far a campaign was at the end of a day, or on the present one when it was last counted."""

    __tablename__ = "campaign_day"

    campaign: Mapped[str] = mapped_column(ForeignKey("campaign.name"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    """In UTC."""
    counted_at: Mapped[datetime]
    done: Mapped[int] = mapped_column(Integer)
    open: Mapped[int] = mapped_column(Integer)
    unknown: Mapped[int] = mapped_column(Integer)
    exempt: Mapped[int] = mapped_column(Integer)
