"""When a location is read next, and how much may leave at once. Pure."""

import hashlib
from datetime import datetime, timedelta

FIRST_RETRY = timedelta(minutes=1)
LONGEST_BACKOFF = timedelta(hours=1)


def may_remove(share: float, leaving: int, present: int) -> bool:
    """Say whether so many of the entities of a location may leave in one read without a person; one may always."""
    return leaving <= max(1, int(present * share))


def next_read(
    every: timedelta, jitter: float, location_id: str, now: datetime, chance: float, failing_since: datetime | None
) -> datetime:
    """Return when a location is to be read next.

    Up to the share `jitter` is added to the interval: half of it fixed by the location, half by `chance` (0 to 1), so
    that locations which came together do not stay together. `failing_since` is when the target could last be read, or
    when it was registered; None after a good read. The longer it fails, the longer the wait: a minute to an hour.
    """
    fixed = int.from_bytes(hashlib.sha256(location_id.encode()).digest()[:4]) / 2**32
    spread = 1 + jitter * (0.5 * fixed + 0.5 * chance)
    if failing_since is None:
        return now + every * spread
    return now + min(max(now - failing_since, FIRST_RETRY), max(LONGEST_BACKOFF, every)) * spread
