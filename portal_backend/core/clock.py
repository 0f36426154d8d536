"""The one clock. Nothing else of ours asks the operating system for the time."""

import os
from datetime import UTC, datetime
from pathlib import Path

VARIABLE = "PORTAL_CLOCK"


def now() -> datetime:
    """Return the current time in UTC, or the time that PORTAL_CLOCK fixes (an RFC 3339 time, or a file holding one).

    Raises ValueError when PORTAL_CLOCK is set to something else.
    """
    setting = os.environ.get(VARIABLE)
    if not setting:
        return datetime.now(UTC)
    path = Path(setting)
    text = path.read_text().strip() if path.is_file() else setting
    try:
        return parse_time(text)
    except ValueError as error:
        raise ValueError(
            f"{VARIABLE} must be an RFC 3339 time such as 2026-11-22T10:00:00Z, or a file that holds one"
        ) from error


def is_fixed() -> bool:
    """Say whether PORTAL_CLOCK overrides the time."""
    return bool(os.environ.get(VARIABLE))


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time and return it in UTC; raises ValueError when it is malformed or has no offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write for example {text}Z")
    return moment.astimezone(UTC)


def format_time(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC, as every answer of ours does."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
