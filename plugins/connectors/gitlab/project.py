"""What a project's settings, its pipelines and its deployments say."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial

from plugins.connectors.gitlab.api import MAX_DEPLOYMENTS, Entry, Project
from plugins.contract import FactValue, PullFault
from plugins.deployments import FAILED, MAX_REMEMBERED, PENDING, SUCCEEDED, WINDOW, Deployment, with_lead_times
from plugins.moments import moment, rfc3339
from plugins.parts import part
from plugins.repositories import ci_facts

CODEOWNERS = ("CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS")
"""Where GitLab looks, in its order."""
OUTCOMES = {"success": SUCCEEDED, "failed": FAILED}
SKIPPED = frozenset({"canceled", "skipped"})


def settings(
    project: Project, about: Entry, branch: str, now: datetime, faults: list[PullFault]
) -> dict[str, FactValue]:
    """Ask for protection, owners, pipelines and releases; return the facts; add to `faults` what is hidden.

    What is hidden is left out: it is unknown, not missing. An empty project has no branch to ask about (`branch` is
    empty then).
    """
    found = _asked_of_a_change(about)
    questions: list[tuple[str, Callable[[], dict[str, FactValue]]]] = [("releases", partial(_releases, project))]
    if branch:
        questions += [
            (f"protection of {branch}", partial(_protection, project, branch)),
            ("CODEOWNERS", partial(_owners, project, branch)),
            ("pipelines", partial(_pipelines, project, branch, now)),
        ]
    for scope, ask in questions:
        found |= part(scope, ask, faults) or {}
    return found


def _asked_of_a_change(about: Entry) -> dict[str, FactValue]:
    found: dict[str, FactValue] = {}
    if isinstance(about.get("only_allow_merge_if_pipeline_succeeds"), bool):
        found["repo.checks_required"] = about["only_allow_merge_if_pipeline_succeeds"]
    approvals = about.get("approvals_before_merge")  # told by the paid editions only; the document calls it a text
    if str(approvals).isdecimal():
        found["repo.reviews_required"] = int(str(approvals)) >= 1
    return found


def _protection(project: Project, branch: str) -> dict[str, FactValue]:
    """Say whether a branch is protected: by its name, or by a pattern, which a question for the name does not find."""
    protected = project.is_protected(branch) or any(_fits(name, branch) for name in project.protected_branches())
    return {"repo.branch.protected": protected}


def _fits(pattern: str, branch: str) -> bool:
    """Say whether a pattern stands for a branch; `*` stands for anything, slashes too."""
    return re.fullmatch(".*".join(re.escape(text) for text in pattern.split("*")), branch) is not None


def _owners(project: Project, branch: str) -> dict[str, FactValue]:
    return {"repo.codeowners.present": any(project.has_file(path, branch) for path in CODEOWNERS)}


def _pipelines(project: Project, branch: str, now: datetime) -> dict[str, FactValue]:
    pipelines = project.pipelines(branch)
    judged = [(moment(one.get("updated_at")), one["status"]) for one in pipelines if one.get("status") in OUTCOMES]
    ended = [(at, status == "success") for at, status in judged if at]
    return {"ci.enabled": bool(pipelines), **ci_facts(ended, now)}


def _releases(project: Project) -> dict[str, FactValue]:
    release = project.latest_release()
    released = moment(release.get("released_at")) if release else None
    return {"releases.last_at": rfc3339(released)} if released else {}


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
    found: dict[int, Deployment] = {}
    for number, entry in enumerate(project.deployments(now - WINDOW)):
        if number >= MAX_DEPLOYMENTS or len(found) >= MAX_REMEMBERED:
            since = entry.get("updated_at")
            faults.append(PullFault("deployments", f"only those since {since} are counted: there are too many"))
            break
        if not _is_production(entry, environments, tiered):
            continue
        deployment = _deployment(entry)
        if deployment is None or deployment.at < now - WINDOW:
            continue
        before = known.get(deployment.id)
        if before and before.outcome == deployment.outcome:
            deployment = replace(deployment, lead_seconds=before.lead_seconds)
        found[deployment.id] = deployment
    ordered = sorted(found.values(), key=lambda one: (one.at, one.id))
    return with_lead_times(ordered, project.commit_times)


def _tiered(project: Project, faults: list[PullFault]) -> set[str]:
    """Return the environments that are production by their tier."""
    return part("tiers of environments", project.production_environments, faults) or set()


def _is_production(entry: Entry, environments: Sequence[str], tiered: Callable[[], set[str]]) -> bool:
    """Say so by the environment's name, or else by its tier: a deployment does not tell it, so it costs a request."""
    environment = entry.get("environment")
    name = str(environment.get("name") or "") if isinstance(environment, dict) else ""
    return bool(name) and (name.lower() in environments or name in tiered())


def _deployment(entry: Entry) -> Deployment | None:
    status = str(entry.get("status", ""))
    if status in SKIPPED or not isinstance(entry.get("id"), int):
        return None
    job = entry.get("deployable") or {}
    at = moment(job.get("finished_at")) or moment(entry.get("updated_at")) or moment(entry.get("created_at"))
    if at is None:
        return None
    by = str((entry.get("user") or {}).get("username") or "")
    return Deployment(entry["id"], at, OUTCOMES.get(status, PENDING), str(entry.get("sha") or ""), by, None)
