"""Reads the deployments of a repository.

GitHub tells the outcome of a deployment only when asked for that one, so what has come to its end is remembered between
pulls.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from plugins.connectors.github.api import MAX_DEPLOYMENTS, Entry, Repository
from plugins.contract import PullFault
from plugins.deployments import (
    FAILED,
    MAX_REMEMBERED,
    PENDING,
    SUCCEEDED,
    WINDOW,
    Deployment,
    with_lead_times,
)
from plugins.moments import moment, rfc3339


def read(
    repository: Repository,
    environments: Sequence[str],
    known: Mapping[int, Deployment],
    now: datetime,
    faults: list[PullFault],
) -> list[Deployment]:
    """Return the production deployments of the window, the oldest first; only unfinished and new ones are asked for.

    Where there are more than can be looked at, the oldest are left out; `faults` says so.
    """
    found: dict[int, Deployment] = {}
    for number, entry in enumerate(repository.deployments()):
        created = moment(entry.get("created_at"))
        if created is None or not isinstance(entry.get("id"), int):
            continue
        if created < now - WINDOW:
            break
        if number >= MAX_DEPLOYMENTS or len(found) >= MAX_REMEMBERED:
            faults.append(
                PullFault("deployments", f"only those since {rfc3339(created)} are counted: there are too many")
            )
            break
        if not _is_production(entry, environments):
            continue
        one = known.get(entry["id"])
        if one is None or one.outcome == PENDING:
            statuses = repository.statuses(entry["id"])
            one = _outcome(entry, created, statuses) if statuses is not None else None
        if one:
            found[one.id] = one
    ordered = sorted(found.values(), key=lambda one: (one.at, one.id))
    return with_lead_times(ordered, repository.commit_times)


def settled(known: Mapping[int, Deployment]) -> dict[int, Deployment]:
    """Return the deployments that no further status can change: one that failed may have been tried again since."""
    return {key: one for key, one in known.items() if one.outcome == SUCCEEDED}


def _is_production(entry: Entry, environments: Sequence[str]) -> bool:
    return bool(entry.get("production_environment")) or str(entry.get("environment") or "").lower() in environments


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
    automated = creator["type"] == "Bot" if creator.get("type") else None  # nobody knows of one who was deleted
    return Deployment(entry["id"], at, outcome, str(entry.get("sha") or ""), str(creator.get("login") or ""), automated)
