"""The database's schema, step by step (Alembic)."""

from functools import cache
from http import HTTPStatus
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from portal_backend.core.db import db
from portal_backend.core.errors import PortalError

FOLDER = Path(__file__).parent


class SchemaOutdated(PortalError):
    """The database has not the schema of this release."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "schema_outdated"


@cache
def wanted_revision() -> str | None:
    """Return the revision that this release needs."""
    return ScriptDirectory(str(FOLDER)).get_current_head()


def require_schema() -> None:
    """Raise SchemaOutdated unless the database has this release's schema. Needs an app context."""
    with db.engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    if present != wanted_revision():
        held = f"is at revision {present}" if present else "has no schema yet"
        raise SchemaOutdated(f"The database {held}; run `portal db upgrade`.")
