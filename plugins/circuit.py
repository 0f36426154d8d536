"""The circuit breaker of a source: one that keeps failing is left alone, then asked once, then read again. Pure.

Closed: it is pulled when it is due. Open: nobody asks it until the time is over. Half open: the next run is a probe,
whose first request is sent once and never again; an answer lets the run go on as any other, and a good end closes the
circuit; a failure opens it for twice as long. What a source itself asks for (Retry-After) and our own faults open none.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from plugins.contract import FailureKind
from plugins.settings import CollectingSettings
from portal_backend.core.clock import format_time

NO_OUTAGE = frozenset({FailureKind.RATE_LIMITED, FailureKind.INTERNAL})
"""The source answered and said when to come back, or it was never asked."""


class CircuitState(StrEnum):
    """Whether a source is asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


def opens(kind: FailureKind, failures: int, is_open: bool, settings: CollectingSettings) -> bool:
    """Say whether the circuit is open after a run that failed as the latest of so many in a row."""
    return kind not in NO_OUTAGE and (is_open or failures >= settings.failures_to_open)


def open_for(failures: int, settings: CollectingSettings) -> timedelta:
    """Return for how long it stays open after so many failures in a row: doubled by each one beyond the first."""
    beyond = max(failures - settings.failures_to_open, 0)
    return min(settings.open_for * 2.0 ** min(beyond, 20), settings.longest_open)


def state_of(opened_at: datetime | None, next_due_at: datetime | None, running: bool, now: datetime) -> CircuitState:
    """Return the state at `now` of a circuit that opened at `opened_at` (None: it is closed)."""
    if opened_at is None:
        return CircuitState.CLOSED
    waits = not running and next_due_at is not None and next_due_at > now
    return CircuitState.OPEN if waits else CircuitState.HALF_OPEN


def in_words(state: CircuitState, opened_at: datetime | None, next_due_at: datetime | None, failures: int) -> str:
    """Say in a sentence what the state means for the source."""
    if opened_at is None or state is CircuitState.CLOSED:
        return "closed: it is asked whenever it is due"
    since = f"since {format_time(opened_at)}, after {failures} failed runs in a row"
    if state is CircuitState.HALF_OPEN:
        return f"half open {since}: the next run asks once, and an answer closes the circuit"
    until = format_time(next_due_at) if next_due_at else "the next run"
    return f"open {since}: it is left alone until {until}, then asked once"
