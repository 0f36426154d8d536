"""The deployments of 30 days: what became of each, and what they say together. Pure but for `read`.

GitHub tells the outcome of a deployment only when asked for that one, so what has come to its end is remembered between
pulls. Definitions after DORA: a change failed when its deployment failed or the next one took it back; its lead time
runs from a commit to its deployment.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from plugins.connectors.github.api import Entry, Repository, moment, rfc3339
from plugins.contract import Event, FactValue

WINDOW = timedelta(days=30)
MAX_REMEMBERED = 300
SUCCEEDED, FAILED, PENDING = "success", "failure", "pending"


@dataclass(frozen=True)
class Deployment:
    """One deployment to production."""

    id: int
    at: datetime
    """When it succeeded or failed; when it began, while it is under way."""
    outcome: str
    sha: str
    by: str
    automated: bool
    lead_seconds: float | None = None
    """Median time from its commits to it; None where that cannot be told."""

    def stored(self) -> list[Any]:
        """Return the deployment as it is remembered."""
        return [self.id, rfc3339(self.at), self.outcome, self.sha, self.by, self.automated, self.lead_seconds]


def remembered(stored: Sequence[Sequence[Any]]) -> dict[int, Deployment]:
    """Read what a pull left; raises ValueError or TypeError on anything else."""
    found = [
        Deployment(int(number), datetime.fromisoformat(at), str(outcome), str(sha), str(by), bool(automated), lead)
        for number, at, outcome, sha, by, automated, lead in stored
    ]
    return {deployment.id: deployment for deployment in found}


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
    found.reverse()
    return _with_lead_times(repository, found)


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


def _with_lead_times(repository: Repository, found: Sequence[Deployment]) -> list[Deployment]:
    """Add the lead time of each new success that follows another one; one comparison each."""
    by_id = {deployment.id: deployment for deployment in found}
    succeeded = [deployment for deployment in found if deployment.outcome == SUCCEEDED]
    for before, deployment in pairwise(succeeded):
        if deployment.lead_seconds is None and deployment.sha != before.sha:
            by_id[deployment.id] = _timed(deployment, repository.commits_between(before.sha, deployment.sha))
    return list(by_id.values())


def _timed(deployment: Deployment, commits: Sequence[Entry]) -> Deployment:
    authored = [moment(((commit.get("commit") or {}).get("author") or {}).get("date")) for commit in commits]
    lags = [lag for at in authored if at and (lag := (deployment.at - at).total_seconds()) > 0]
    # -1 is remembered as "asked, and cannot be told": a rollback brings no commit.
    lead = round(median(lags), 1) if lags else -1.0
    return Deployment(
        deployment.id, deployment.at, deployment.outcome, deployment.sha, deployment.by, deployment.automated, lead
    )


def rollbacks(found: Sequence[Deployment]) -> dict[int, Deployment]:
    """Return what each rollback undid, by its id: it puts out again what had been out before something else was."""
    undone: dict[int, Deployment] = {}
    seen: set[str] = set()
    succeeded = [deployment for deployment in found if deployment.outcome == SUCCEEDED]
    for before, deployment in pairwise(succeeded):
        seen.add(before.sha)
        if deployment.sha != before.sha and deployment.sha in seen:
            undone[deployment.id] = before
    return undone


def facts_of(found: Sequence[Deployment]) -> dict[str, FactValue]:
    """Return the facts of the window; ratios only where there is something to divide by."""
    succeeded = [deployment for deployment in found if deployment.outcome == SUCCEEDED]
    failed = sum(deployment.outcome == FAILED for deployment in found)
    back = rollbacks(found)
    values: dict[str, FactValue] = {
        "deploys.count_30d": len(succeeded),
        "deploys.failed_30d": failed,
        "deploys.rolled_back_30d": len(back),
    }
    if succeeded or failed:
        values["deploys.change_failure_rate_30d"] = round((failed + len(back)) / (len(succeeded) + failed), 4)
    if succeeded:
        values["deploys.automated_ratio_30d"] = round(sum(one.automated for one in succeeded) / len(succeeded), 4)
        values["deploys.last_at"] = rfc3339(succeeded[-1].at)
    leads = [one.lead_seconds for one in succeeded if one.lead_seconds is not None and one.lead_seconds >= 0]
    if leads:
        values["deploys.lead_time_median_30d"] = round(median(leads), 1)
    if back:
        values["deploys.rollback.last_at"] = rfc3339(max(one.at for one in found if one.id in back))
    return values


def events_of(ref: str, slug: str, link: str, found: Sequence[Deployment]) -> Iterator[Event]:
    """Yield an event for each deployment that came to its end, and one for each rollback."""
    back = rollbacks(found)
    for one in found:
        if one.outcome == PENDING:
            continue
        kind, word = (
            ("deploy.finished", "deployed") if one.outcome == SUCCEEDED else ("deploy.failed", "failed to deploy")
        )
        details = {"repository": slug, "revision": one.sha, "by": one.by, "automated": one.automated}
        summary = f"{slug} {word} {one.sha[:8]}"
        yield Event(ref, f"{slug}:{one.id}:{one.outcome}:{ref}", kind, one.at, summary, link, details)
        if one.id in back:
            undone = {**details, "undone_revision": back[one.id].sha}
            summary = f"{slug} rolled back to {one.sha[:8]}"
            yield Event(ref, f"{slug}:{one.id}:rolled_back:{ref}", "deploy.rolled_back", one.at, summary, link, undone)
