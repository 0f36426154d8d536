"""Dates that an event names as planned or due, wherever its details keep them. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from portal_backend.core.clock import parse_time

SAID = {
    "due_at": "Due",
    "due_on": "Due",
    "next_due_at": "Review due",
    "review_due_at": "Review due",
    "next_review_at": "Review due",
    "planned_at": "Planned",
    "scheduled_at": "Planned",
    "deferred_until": "Put off until",
    "expires_at": "Ends",
    "until": "Ends",
    "supported_until": "Support ends",
    "frozen_until": "Freeze ends",
    "pause_until": "Pause ends",
    "backup_until": "Back-up ends",
    "notice_until": "Notice ends",
}
"""Names of dates, and what happens then."""
SAID_OF_SECTION = {"backup": "Back-up ends", "notice": "Notice ends", "pause": "Pause ends"}
"""Sections of an engagement's terms that have an `until`."""
OVER = frozenset({"done", "verified", "rejected", "closed", "aborted", "withdrawn", "declined"})
"""States of a record in which its dates no longer matter."""


@dataclass(frozen=True)
class Due:
    """A date to come, as one event tells it; a later event about the same thing replaces it."""

    key: str
    """What it is a date of; empty: of the event itself."""
    name: str
    said: str
    moment: datetime | None
    """None: the date was taken back, or no longer matters."""


def dues_of(details: Mapping[str, Any]) -> Iterator[Due]:
    """Yield the dates in an event's details, in the record that it carries, and in the engagement's terms."""
    yield from _named(details, "")
    record = details.get("record")
    if isinstance(record, Mapping):
        over = record.get("state") in OVER or record.get("stage") in OVER
        yield from _named(record, f"{record.get('table')}/{record.get('id')}", over)
    terms = details.get("engagement_set")
    sections = terms.get("document") if isinstance(terms, Mapping) else None
    for name, section in sections.items() if isinstance(sections, Mapping) else ():
        if name in SAID_OF_SECTION and isinstance(section, Mapping):
            key = f"{details.get('engagement')}/{name}"
            yield Due(key, "until", SAID_OF_SECTION[name], moment_of(section.get("until")))


def _named(values: Mapping[str, Any], key: str, over: bool = False) -> Iterator[Due]:
    for name, said in SAID.items():
        if name in values:
            yield Due(key, name, said, None if over else moment_of(values[name]))


def moment_of(value: Any) -> datetime | None:
    """Read a date (its first moment in UTC) or a time; None when it is neither."""
    if not isinstance(value, str):
        return None
    try:
        if len(value) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(value), time(), UTC)
        return parse_time(value)
    except (ValueError, OverflowError):
        return None
