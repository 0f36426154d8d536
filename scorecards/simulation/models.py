"""Tables: the catalogues by which services were ever judged."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from portal_backend.core.db import Model


class CatalogueVersion(Model):
    """A catalogue of checks, kept when it is first judged by: what a stored verdict's version stands for."""

    __tablename__ = "catalogue_version"

    version: Mapped[str] = mapped_column(primary_key=True)
    first_used_at: Mapped[datetime] = mapped_column(index=True)
    definitions: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Every check as its files had it, overrides applied, in the catalogue's order."""
    disabled: Mapped[dict[str, str]] = mapped_column(JSON)
    levels_by_points: Mapped[dict[str, float] | None] = mapped_column(JSON(none_as_null=True))
    """Percent of the points that each level asks for; None where the checks alone make the levels."""
