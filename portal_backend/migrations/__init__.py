"""The database's schema, step by step (Alembic).

Whether a database has this release's schema is asked without Alembic, whose import takes longer than most commands.
"""

import re
from functools import cache
from http import HTTPStatus
from pathlib import Path

from sqlalchemy import inspect, text

from portal_backend.core.db import db
from portal_backend.core.errors import PortalError

FOLDER = Path(__file__).parent
REVISION = re.compile(r"""^(revision|down_revision)\b[^=\n]*=\s*["']([^"']+)["']""", re.MULTILINE)


class SchemaOutdated(PortalError):
    """The database has not the schema of this release."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "schema_outdated"


@cache
def wanted_revision() -> str | None:
    """Return the revision that this release needs: the one that no other comes after."""
    named: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for step in FOLDER.glob("versions/*.py"):
        for name, revision in REVISION.findall(step.read_text(encoding="utf-8")):
            named[name].add(revision)
    return next(iter(named["revision"] - named["down_revision"]), None)


def require_schema() -> None:
    """Raise SchemaOutdated unless the database has this release's schema. Needs an app context."""
    with db.engine.connect() as connection:
        known = inspect(connection).has_table("alembic_version")
        present = connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
    if present != wanted_revision():
        held = f"is at revision {present}" if present else "has no schema yet"
        raise SchemaOutdated(f"The database {held}; run `portal db upgrade`.")
