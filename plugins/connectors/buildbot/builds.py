"""What one build was: when it ended, how, of which revision, and who started it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from plugins.deployments import FAILED, SUCCEEDED, Deployment

OUTCOMES: Mapping[int | None, str] = {0: SUCCEEDED, 1: SUCCEEDED, 2: FAILED, 4: FAILED}
"""Buildbot's results: success, warnings, failure, exception. Skipped, retried and cancelled ones count for nothing."""
BY_HAND = "Force Build Form"
"""Where a property comes from that a person filled in."""

Build = Mapping[str, Any]


def run_of(build: Build) -> Deployment | None:
    """Return what a build was, or None when it counts for nothing."""
    number, at, outcome = whole(build.get("buildid")), ended_at(build), OUTCOMES.get(whole(build.get("results")))
    if number is None or at is None or outcome is None:
        return None
    given = build.get("properties")
    properties: Mapping[str, Sequence[Any]] = given if isinstance(given, dict) else {}
    properties = {name: pair for name, pair in properties.items() if isinstance(pair, list) and pair}
    revision = _property(properties, "got_revision") or _property(properties, "revision")
    by_hand = any(len(pair) > 1 and pair[1] == BY_HAND for pair in properties.values())
    by = _property(properties, "owner") or _property(properties, "scheduler")
    return Deployment(number, at, outcome, revision, by, not by_hand)


def ended_at(build: Build) -> datetime | None:
    """Return when a build came to its end: the specification has seconds since 1970."""
    try:
        return datetime.fromtimestamp(int(build["complete_at"]), UTC)
    except (LookupError, TypeError, ValueError, OverflowError, OSError):
        return None


def whole(number: Any) -> int | None:
    """Return a whole number as it is, and None for anything else."""
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _property(properties: Mapping[str, Sequence[Any]], name: str) -> str:
    """Return a property's value; several code bases make a revision of several."""
    value = (properties.get(name) or [""])[0]
    if isinstance(value, dict):
        return ",".join(str(one) for one in value.values())
    return str(value or "")
