"""What a project's settings, its pipelines and its deployments say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial

from plugins.connectors.gitlab.api import Entry, Project
from plugins.contract import FactValue, FailureKind, PullFailed, PullFault
from plugins.deployments import FAILED, MAX_REMEMBERED, PENDING, SUCCEEDED, WINDOW, Deployment, with_lead_times
from plugins.moments import moment, rfc3339
from plugins.repositories import ci_facts

CODEOWNERS = ("CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")
"""Where GitLab looks, in its order."""
OUTCOMES = {"success": SUCCEEDED, "failed": FAILED}
SKIPPED = frozenset({"canceled", "skipped"})


def settings(
    project: Project, about: Entry, branch: str, now: datetime, faults: list[PullFault]
) -> dict[str, FactValue]:
    """Ask for protection, owners, pipelines and releases; return the facts; add to `faults` what is hidden."""
    found: dict[str, FactValue] = {
        **_protection(project, branch, faults),
        "repo.codeowners.present": any(project.has_file(path, branch) for path in CODEOWNERS),
        **_pipelines(project.pipelines(branch), now),
    }
    if isinstance(about.get("only_allow_merge_if_pipeline_succeeds"), bool):
        found["repo.checks_required"] = about["only_allow_merge_if_pipeline_succeeds"]
    if isinstance(about.get("approvals_before_merge"), int):  # told by the paid editions only
        found["repo.reviews_required"] = about["approvals_before_merge"] >= 1
    release = project.latest_release()
    released = moment(release.get("released_at")) if release else None
    return {**found, **({"releases.last_at": rfc3339(released)} if released else {})}


def _protection(project: Project, branch: str, faults: list[PullFault]) -> dict[str, FactValue]:
    try:
        return {"repo.branch.protected": project.protection(branch) is not None}
    except PullFailed as failure:
        if failure.kind is FailureKind.PERMISSION:
            faults.append(PullFault(f"protection of {branch}", failure.message))
            return {}
        raise


def _pipelines(pipelines: Sequence[Entry], now: datetime) -> dict[str, FactValue]:
    recent = [one for one in pipelines if (at := moment(one.get("updated_at"))) and at > now - WINDOW]
    judged = [one for one in recent if one.get("status") in OUTCOMES]
    succeeded = [one for one in judged if one["status"] == "success"]
    ended = [at for one in succeeded if (at := moment(one.get("updated_at")))]
    return ci_facts(bool(pipelines), ended, len(judged))


def deployments(
    project: Project,
    environments: Sequence[str],
    known: Mapping[int, Deployment],
    now: datetime,
    faults: list[PullFault],
) -> list[Deployment]:
    """Return the production deployments of the window, the oldest first, with the lead times that are remembered.

    Where the tiers of environments are hidden, those are production that `environments` names; `faults` says so.
    """
    tiered = cache(partial(_tiered, project, faults))
    found: list[Deployment] = []
    for entry in project.deployments(now - WINDOW):
        if not _is_production(entry, environments, tiered):
            continue
        deployment = _deployment(entry)
        if deployment is None or deployment.at < now - WINDOW:
            continue
        before = known.get(deployment.id)
        if before and before.outcome == deployment.outcome:
            deployment = replace(deployment, lead_seconds=before.lead_seconds)
        found.append(deployment)
        if len(found) >= MAX_REMEMBERED:
            break
    found.sort(key=lambda one: (one.at, one.id))
    return with_lead_times(found, project.commit_times)


def _tiered(project: Project, faults: list[PullFault]) -> set[str]:
    """Return the environments that are production by their tier."""
    try:
        return project.production_environments()
    except PullFailed as failure:
        if failure.kind is not FailureKind.PERMISSION:
            raise
        faults.append(PullFault("tiers of environments", failure.message))
        return set()


def _is_production(entry: Entry, environments: Sequence[str], tiered: Callable[[], set[str]]) -> bool:
    """Say so by the environment's name, or else by its tier: a deployment does not tell it, so it costs a request."""
    environment = entry.get("environment")
    name = str(environment.get("name") or "") if isinstance(environment, dict) else ""
    return bool(name) and (name.lower() in environments or name in tiered())


def _deployment(entry: Entry) -> Deployment | None:
    status = str(entry.get("status", ""))
    if status in SKIPPED:
        return None
    job = entry.get("deployable") or {}
    at = moment(job.get("finished_at")) or moment(entry.get("updated_at")) or moment(entry.get("created_at"))
    if at is None:
        return None
    by = str((entry.get("user") or {}).get("username", ""))
    return Deployment(entry["id"], at, OUTCOMES.get(status, PENDING), str(entry.get("sha", "")), by, None)
