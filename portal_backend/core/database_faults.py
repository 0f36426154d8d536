"""What a database's error says about the request: repeat it later, somebody was quicker, or a fault of ours."""

import sqlite3
from enum import Enum

LATER = ("08", "40", "53", "55P03", "57", "58")
"""SQLSTATEs of PostgreSQL that go by: no connection, a lost race, full, locked, shutting down, the system's own."""
SQLITE_LATER = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN}
)
KIND = 0xFF
"""Of SQLite's codes: the kind of error; what is above it is the detail."""
OVERTAKEN = frozenset(
    {
        "23505",  # PostgreSQL: there is one already
        "23503",  # PostgreSQL: what it belongs to is gone
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
    }
)

SHOWN = 1_000
"""Characters of an error that a log line holds."""


class DatabaseFault(Enum):
    """What a caller can make of an error of the database's."""

    LATER = "later"
    OVERTAKEN = "overtaken"


def database_fault(error: Exception) -> DatabaseFault | None:
    """Return what an error is to the caller; None when it is none of the database's, or a fault of ours."""
    cause = getattr(error, "orig", None) or error
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorcode", None)
    if code in OVERTAKEN:
        return DatabaseFault.OVERTAKEN
    return DatabaseFault.LATER if _goes_by(cause, code) else None


def traceback_of(error: Exception) -> Exception | None:
    """Return what a log shows the traceback of: none where the database was away, which each try would repeat."""
    return None if database_fault(error) is DatabaseFault.LATER else error


def _goes_by(cause: Exception, code: object) -> bool:
    if isinstance(code, str):
        return code.startswith(LATER)
    if isinstance(code, int):
        return code & KIND in SQLITE_LATER
    names = {kind.__name__ for kind in type(cause).__mro__}
    if type(cause).__module__.startswith("psycopg"):  # not imported: those who use SQLite are spared its driver
        return "OperationalError" in names and "PipelineAborted" not in names
    return type(cause).__module__ == "sqlalchemy.exc" and "TimeoutError" in names  # no connection became free
