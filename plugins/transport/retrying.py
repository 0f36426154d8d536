"""When a request may be sent again, and after how long."""

import math
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

import requests

from portal_backend.core.clock import now

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 15.0
MAX_ASKED_SECONDS = 24 * 3600.0
EARLIEST_EPOCH = 1e8
"""From this number on a reset is a moment (1973 and later), below it a number of seconds (up to three years)."""


def asks_to_wait(response: requests.Response) -> float | None:
    """Return how many seconds the source asks to be left alone, or None when it does not.

    `Retry-After` (seconds or a date) counts first, for every status that may be retried; then, for 403 and 429,
    `ratelimit-reset` (seconds as PagerDuty sends it, epoch as GitLab does) and `x-ratelimit-reset` (epoch as GitHub
    sends it, seconds as some proxies do).
    """
    headers = response.headers
    if response.status_code in RETRIED_STATUSES | {403} and "retry-after" in headers:
        return _bounded(_seconds_or_date(headers["retry-after"], headers))
    if response.status_code not in {403, 429}:
        return None
    if "ratelimit-reset" in headers:
        return _reset(headers["ratelimit-reset"], headers)
    spent = headers.get("x-ratelimit-remaining", "0").strip() == "0"
    return _reset(headers["x-ratelimit-reset"], headers) if spent and "x-ratelimit-reset" in headers else None


def _reset(text: str, headers: Mapping[str, str]) -> float | None:
    given = _number(text)
    if given is None or given < EARLIEST_EPOCH:
        return _bounded(given)
    return _bounded(given - _server_time(headers).timestamp())


def backoff_seconds(attempt: int, chance: float) -> float:
    """Return the pause after the `attempt`-th try (from 1), spread by `chance` (0 to 1) over its upper half."""
    longest = min(FIRST_BACKOFF_SECONDS * 2.0 ** (attempt - 1), LONGEST_BACKOFF_SECONDS)
    return longest * (0.5 + chance / 2)


def _seconds_or_date(value: str, headers: Mapping[str, str]) -> float | None:
    seconds = _number(value)
    if seconds is not None:
        return seconds
    moment = _date(value)
    return None if moment is None else (moment - _server_time(headers)).total_seconds()


def _server_time(headers: Mapping[str, str]) -> datetime:
    """Return the answer's own time: its dates count from the server's clock, not from ours."""
    return _date(headers.get("date", "")) or now()


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None else min(max(seconds, 0.0), MAX_ASKED_SECONDS)
