"""Reads the deployments of a repository.

GitHub tells the outcome of a deployment only when asked for that one, so what has come to its end is remembered between
pulls.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from plugins.connectors.github.api import Entry, Repository
from plugins.deployments import (
    FAILED,
    MAX_REMEMBERED,
    PENDING,
    SUCCEEDED,
    WINDOW,
    Deployment,
    with_lead_times,
)
from plugins.moments import moment


def read(
    repository: Repository, environments: Sequence[str], known: Mapping[int, Deployment], now: datetime
) -> list[Deployment]:
    """Return the production deployments of the window, the oldest first; only unfinished and new ones are asked for."""
    found: list[Deployment] = []
    for entry in repository.deployments():
        created = moment(entry.get("created_at"))
        if created is None or created < now - WINDOW or len(found) >= MAX_REMEMBERED:
            break
        if not _is_production(entry, environments):
            continue
        before = known.get(entry["id"])
        done = before is not None and before.outcome != PENDING
        found.append(before if before and done else _outcome(entry, created, repository.statuses(entry["id"])))
    found.sort(key=lambda one: (one.at, one.id))
    return with_lead_times(found, repository.commit_times)


def settled(known: Mapping[int, Deployment]) -> dict[int, Deployment]:
    """Return the deployments that no further status can change: one that failed may have been tried again since."""
    return {key: one for key, one in known.items() if one.outcome == SUCCEEDED}


def _is_production(entry: Entry, environments: Sequence[str]) -> bool:
    return bool(entry.get("production_environment")) or str(entry.get("environment", "")).lower() in environments


def _outcome(entry: Entry, created: datetime, statuses: Sequence[Entry]) -> Deployment:
    """A success stays one when the next deployment makes it inactive."""
    creator = entry.get("creator") or {}
    successes = [moment(status.get("created_at")) for status in statuses if status.get("state") == "success"]
    failures = [moment(one.get("created_at")) for one in statuses if one.get("state") in ("failure", "error")]
    outcome, at = PENDING, created
    if successes:
        outcome, at = SUCCEEDED, successes[-1] or created
    elif failures:
        outcome, at = FAILED, failures[-1] or created
    automated = creator.get("type") == "Bot"
    return Deployment(entry["id"], at, outcome, str(entry.get("sha", "")), str(creator.get("login", "")), automated)
