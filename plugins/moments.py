"""Moments as systems write them: read without trust, written as RFC 3339 in UTC."""

from datetime import UTC, datetime
from typing import Any


def rfc3339(at: datetime) -> str:
    """Write a moment in UTC, to the second: `2026-11-22T10:00:00Z`."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def required_moment(text: Any) -> datetime:
    """Read a moment into UTC; raises ValueError where there is none, or one without a UTC offset."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time") from None
    raise ValueError(f"{text!r} has no time zone")


def moment(text: Any) -> datetime | None:
    """Read a moment into UTC; None where there is none, or one without a UTC offset."""
    try:
        return required_moment(text)
    except ValueError:
        return None
