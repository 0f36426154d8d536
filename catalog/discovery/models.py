"""What discovery remembers: whose a location is, and how each provider's last run went."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal_backend.core.db import Model


class DiscoveredLocation(Model):
    """A location that a provider found; it goes when the provider finds it no more."""

    __tablename__ = "catalog_discovered_location"
    __table_args__ = (Index(None, "provider"),)

    location_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("catalog_location.id", ondelete="CASCADE"), primary_key=True
    )
    provider: Mapped[str]
    repository: Mapped[str | None]
    """Host and number of the repository, `github.com:1296269`, which stay when it is renamed; None: found by a release
    that did not keep them."""


class DiscoveryRun(Model):
    """How the last run of a provider went."""

    __tablename__ = "catalog_discovery_run"

    provider: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    last_attempt_at: Mapped[datetime]
    last_success_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    """Why the last run failed; None after a good one."""
    found: Mapped[int]
    """Files that the last good run found."""
    withheld: Mapped[int]
    """Locations that it found no more, and that wait for a person."""
