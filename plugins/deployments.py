"""Deployments of 30 days, whoever reports them: what they say together, and the events that they are. Pure.

Definitions after DORA: a change failed when its deployment failed or the next one took it back; its lead time runs from
a commit to its deployment.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from plugins.contract import Event, EventSpec, FactSpec, FactType, FactValue
from plugins.moments import rfc3339

WINDOW = timedelta(days=30)
MAX_REMEMBERED = 1000
"""Of one repository or builder: 33 a day. Beyond it the oldest of the 30 days are left out, and a fault says so."""
SUCCEEDED, FAILED, PENDING = "success", "failure", "pending"
NO_LEAD_TIME = -1.0
"""Asked for, and cannot be told: a rollback brings no commit."""

CommitTimes = Callable[[str, str], Sequence[datetime]]
"""When the commits between two revisions were authored."""

FINISHED = EventSpec("deploy.finished", "A deployment to production succeeded.")
NOT_DEPLOYED = EventSpec("deploy.failed", "A deployment to production failed.")
ROLLED_BACK = EventSpec("deploy.rolled_back", "A deployment put out again what had been out before.")
EVENTS = (FINISHED, NOT_DEPLOYED, ROLLED_BACK)

_TRUSTED = timedelta(hours=72)


def _spec(key: str, kind: FactType, unit: str, description: str) -> FactSpec:
    return FactSpec(key, kind, unit, description, _TRUSTED)


FACTS = (
    _spec("deploys.count_30d", FactType.INTEGER, "count", "Deployments to production that succeeded within 30 days."),
    _spec("deploys.failed_30d", FactType.INTEGER, "count", "Those that failed."),
    _spec("deploys.rolled_back_30d", FactType.INTEGER, "count", "Deployments that the next one took back."),
    _spec(
        "deploys.change_failure_rate_30d", FactType.NUMBER, "ratio",
        "Share of the deployments of 30 days that failed or were taken back by the next.",
    ),
    _spec("deploys.automated_ratio_30d", FactType.NUMBER, "ratio", "Share of the deployments that no person started."),
    _spec("deploys.last_at", FactType.DATETIME, "", "When one last succeeded."),
    _spec("deploys.rollback.last_at", FactType.DATETIME, "", "When one last put out again what had been out before."),
    _spec(
        "deploys.lead_time_median_30d", FactType.NUMBER, "seconds",
        "Median over the deployments of 30 days of the median time from their commits to them.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Deployment:
    """One deployment to production."""

    id: int
    at: datetime
    """When it succeeded or failed; when it began, while it is under way."""
    outcome: str
    sha: str
    by: str
    automated: bool | None
    """No person started it; None where that cannot be told."""
    lead_seconds: float | None = None
    """Median time from its commits to it; None until it was asked for."""

    def stored(self) -> list[Any]:
        """Return the deployment as it is remembered."""
        return [self.id, rfc3339(self.at), self.outcome, self.sha, self.by, self.automated, self.lead_seconds]


def remembered(stored: Sequence[Sequence[Any]]) -> dict[int, Deployment]:
    """Read what a pull left; raises ValueError or TypeError on anything else."""
    found = [
        Deployment(int(number), datetime.fromisoformat(at), str(outcome), str(sha), str(by), automated, lead)
        for number, at, outcome, sha, by, automated, lead in stored
    ]
    return {deployment.id: deployment for deployment in found}


def with_lead_times(found: Sequence[Deployment], commits: CommitTimes) -> list[Deployment]:
    """Add the lead time of each success that follows another one and has none yet; `commits` is asked once for each."""
    by_id = {deployment.id: deployment for deployment in found}
    succeeded = [deployment for deployment in found if deployment.outcome == SUCCEEDED]
    for before, deployment in pairwise(succeeded):
        if deployment.lead_seconds is None and deployment.sha != before.sha:
            by_id[deployment.id] = _timed(deployment, commits(before.sha, deployment.sha))
    return list(by_id.values())


def _timed(deployment: Deployment, authored: Sequence[datetime]) -> Deployment:
    lags = [lag for at in authored if (lag := (deployment.at - at).total_seconds()) > 0]
    return replace(deployment, lead_seconds=round(median(lags), 1) if lags else NO_LEAD_TIME)


def rollbacks(found: Sequence[Deployment]) -> dict[int, Deployment]:
    """Return what each rollback undid, by its id: it puts out again what had been out before something else was.

    A deployment of no known revision is none.
    """
    undone: dict[int, Deployment] = {}
    seen: set[str] = set()
    succeeded = [deployment for deployment in found if deployment.outcome == SUCCEEDED]
    for before, deployment in pairwise(succeeded):
        seen.add(before.sha)
        if deployment.sha and deployment.sha != before.sha and deployment.sha in seen:
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
    told = [one.automated for one in succeeded if one.automated is not None]
    if told:
        values["deploys.automated_ratio_30d"] = round(sum(told) / len(told), 4)
    if succeeded:
        values["deploys.last_at"] = rfc3339(succeeded[-1].at)
    leads = [lead for one in succeeded if (lead := one.lead_seconds) is not None and lead != NO_LEAD_TIME]
    if leads:
        values["deploys.lead_time_median_30d"] = round(median(leads), 1)
    if back:
        values["deploys.rollback.last_at"] = rfc3339(max(one.at for one in found if one.id in back))
    return values


def events_of(ref: str, slug: str, link: str, found: Sequence[Deployment]) -> Iterator[Event]:
    """Yield an event for each deployment that came to its end, and one for each rollback.

    Their ids are the source's own, which it gives to nothing else: a repository may be renamed.
    """
    back = rollbacks(found)
    for one in found:
        if one.outcome == PENDING:
            continue
        kind, word = (
            ("deploy.finished", "deployed") if one.outcome == SUCCEEDED else ("deploy.failed", "failed to deploy")
        )
        details: dict[str, Any] = {"repository": slug, "revision": one.sha, "by": one.by}
        if one.automated is not None:
            details["automated"] = one.automated
        summary = f"{slug} {word} {one.sha[:8]}"
        yield Event(ref, f"{one.id}:{one.outcome}:{ref}", kind, one.at, summary, link, details)
        if one.id in back:
            undone = {**details, "undone_revision": back[one.id].sha}
            summary = f"{slug} rolled back to {one.sha[:8]}"
            yield Event(ref, f"{one.id}:rolled_back:{ref}", ROLLED_BACK.kind, one.at, summary, link, undone)
