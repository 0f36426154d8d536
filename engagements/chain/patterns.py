"""What events of the same sort have in common: the alert's name, the cause, or the named pattern. Pure."""

from collections.abc import Mapping
from typing import Any

TOLD_BY = ("alert", "alertname", "cause", "pattern")
"""The names in an event's details, in this order: while something fires, its alert is all that is known of it."""
MAX_LENGTH = 200


def pattern_of(details: Mapping[str, Any]) -> str | None:
    """Return what similar events are found by, or None. It follows from the details, so no hash needs to cover it."""
    for name in TOLD_BY:
        value = details.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip().replace("\0", "")[:MAX_LENGTH] or None
    return None
