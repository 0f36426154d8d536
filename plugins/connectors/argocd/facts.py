"""The facts that Argo CD supplies, and how several applications of one service make one value."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from plugins.connectors.argocd.applications import Application
from plugins.connectors.argocd.deploys import Counts
from plugins.contract import Fact, FactSpec, FactType, FactValue
from plugins.moments import rfc3339

DAYS_3 = timedelta(hours=72)
"""An outage of the source shall not change a level for 72 hours."""
DAY = timedelta(hours=24)

SPECS = (
    FactSpec(
        "deploys.count_30d",
        FactType.INTEGER,
        "count",
        "Finished deploys of the last 30 days, rollbacks among them. A lower bound while deploys.history_days "
        "is below 30.",
        DAYS_3,
    ),
    FactSpec(
        "deploys.history_days",
        FactType.NUMBER,
        "days",
        "For how many of the last 30 days every deploy is known; Argo CD keeps the last ten of an application.",
        DAYS_3,
    ),
    FactSpec(
        "deploys.automated_ratio_30d",
        FactType.NUMBER,
        "ratio",
        "Share of the deploys of the last 30 days that Argo CD began by itself, not a person.",
        DAYS_3,
    ),
    FactSpec(
        "deploys.rolled_back_30d",
        FactType.INTEGER,
        "count",
        "Deploys of the last 30 days that the next deploy rolled back.",
        DAYS_3,
    ),
    FactSpec(
        "deploys.change_failure_rate_30d",
        FactType.NUMBER,
        "ratio",
        "Share of the deploys of the last 30 days that failed to sync or were rolled back.",
        DAYS_3,
    ),
    FactSpec("deploys.rollback.last_at", FactType.DATETIME, "", "When a deploy was last rolled back.", DAYS_3),
    FactSpec("deploys.last_at", FactType.DATETIME, "", "When the last deploy finished.", DAYS_3),
    FactSpec(
        "deploys.sync_status",
        FactType.STRING,
        "",
        "Whether the cluster is as Git says: Synced, OutOfSync or Unknown; the worst of the applications.",
        DAY,
    ),
    FactSpec(
        "deploys.health",
        FactType.STRING,
        "",
        "Health as Argo CD sees it: Healthy, Suspended, Progressing, Missing, Degraded or Unknown; the worst "
        "of the applications.",
        DAY,
    ),
    FactSpec(
        "deploys.auto_sync",
        FactType.BOOLEAN,
        "",
        "Whether every application is deployed by Argo CD itself when Git changes.",
        DAYS_3,
    ),
    FactSpec(
        "iac.coverage_ratio",
        FactType.NUMBER,
        "ratio",
        "Share of the resources that Argo CD manages which are as Git says.",
        DAYS_3,
    ),
)

SYNC_WORST_LAST = ("Synced", "OutOfSync", "Unknown")
HEALTH_WORST_LAST = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")
"""Argo CD's own order, by which it makes one health of many resources."""


def observe(ref: str, applications: Sequence[Application], counts: Sequence[Counts], now: datetime) -> list[Fact]:
    """Return the facts of one service. `counts` holds those of the applications whose history is kept."""
    facts = [Fact(ref, key, value, now) for key, value in _deploy_values(counts).items()]
    facts.append(Fact(ref, "deploys.auto_sync", all(a.auto_sync for a in applications), now))
    compared_at = _compared_at(applications, now)
    facts += [Fact(ref, key, value, compared_at) for key, value in _state_values(applications).items()]
    return facts


def _deploy_values(counts: Sequence[Counts]) -> dict[str, FactValue]:
    if not counts:
        return {}
    deploys = sum(c.deploys for c in counts)
    failed = sum(c.failed for c in counts)
    rolled_back = sum(c.rolled_back for c in counts)
    initiator_known = sum(c.initiator_known for c in counts)
    values: dict[str, FactValue] = {
        "deploys.count_30d": deploys,
        "deploys.history_days": round(min(c.known_for for c in counts) / DAY, 2),
        "deploys.rolled_back_30d": rolled_back,
    }
    if initiator_known:
        values["deploys.automated_ratio_30d"] = sum(c.automated for c in counts) / initiator_known
    if deploys + failed:
        values["deploys.change_failure_rate_30d"] = (rolled_back + failed) / (deploys + failed)
    last = max((c.last_at for c in counts if c.last_at), default=None)
    if last:
        values["deploys.last_at"] = rfc3339(last)
    last_rollback = max((c.last_rollback_at for c in counts if c.last_rollback_at), default=None)
    if last_rollback:
        values["deploys.rollback.last_at"] = rfc3339(last_rollback)
    return values


def _state_values(applications: Sequence[Application]) -> dict[str, FactValue]:
    values: dict[str, FactValue] = {}
    states = [a.sync_status for a in applications if a.sync_status]
    if states:
        values["deploys.sync_status"] = _worst(states, SYNC_WORST_LAST)
    healths = [a.health for a in applications if a.health]
    if healths:
        values["deploys.health"] = _worst(healths, HEALTH_WORST_LAST)
    resources = sum(a.all_resources for a in applications)
    if resources:
        values["iac.coverage_ratio"] = sum(a.synced_resources for a in applications) / resources
    return values


def _compared_at(applications: Sequence[Application], now: datetime) -> datetime:
    """Return when Argo CD last compared the application that it left alone longest: a hung controller shows as age."""
    return min([a.reconciled_at for a in applications if a.reconciled_at] + [now])


def _worst(states: Sequence[str], worst_last: Sequence[str]) -> str:
    """Return the worst of some states; one that is not known to us is the worst of all."""
    return max(states, key=lambda state: worst_last.index(state) if state in worst_last else len(worst_last))
