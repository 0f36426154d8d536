"""What a repository's settings and its CI say of the services in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from plugins.connectors.github.api import Entry, Repository
from plugins.contract import FactValue, PullFault
from plugins.moments import moment, rfc3339
from plugins.parts import part
from plugins.repositories import ci_facts

JUDGED = frozenset({"success", "failure", "timed_out", "startup_failure"})
"""Conclusions of a run that say something of the code; a cancelled or skipped one does not."""


def read(repository: Repository, branch: str, now: datetime, faults: list[PullFault]) -> dict[str, FactValue]:
    """Ask for protection, owners, workflows, runs and releases; return the facts; add to `faults` what is hidden.

    What is hidden is left out: it is unknown, not missing.
    """
    questions = (
        ("CODEOWNERS", lambda: owners(repository.codeowners())),
        ("workflows", lambda: workflows(repository.workflows())),
        ("workflow runs", lambda: ci_facts(_ended(repository.runs(branch)), now)),
        ("releases", lambda: release(repository.latest_release())),
    )
    found = protection(repository, branch, faults)
    for scope, ask in questions:
        found |= part(scope, ask, faults) or {}
    return found


def protection(repository: Repository, branch: str, faults: list[PullFault]) -> dict[str, FactValue]:
    """Return what is asked of a change before it is merged.

    Rulesets can be read by anybody who reads the repository, classic protection by its administrators only.
    """
    shown = part(f"branch {branch}", partial(repository.branch, branch), faults)
    if shown is None:
        return {}
    rules = part(f"rules of {branch}", partial(repository.rules, branch), faults)
    reviews, checks = _ruled(rules or [])
    classic: Entry | None = {}
    if shown.get("protected") and not (reviews and checks):
        # Neither classic protection nor a rule, and protected all the same: by something that is not shown.
        classic = repository.classic_protection(branch) or ({} if rules else None)
    reviews = reviews or _reviews((classic or {}).get("required_pull_request_reviews"))
    shown_checks = (shown.get("protection") or {}).get("required_status_checks")
    checks = checks or _names_checks(shown_checks) or _names_checks((classic or {}).get("required_status_checks"))
    all_seen = rules is not None and classic is not None
    checks_seen = rules is not None and (classic is not None or shown_checks is not None)
    told = {
        "repo.branch.protected": bool(shown.get("protected") or rules) or (None if rules is None else False),
        "repo.reviews_required": reviews or (False if all_seen else None),
        "repo.checks_required": checks or (False if checks_seen else None),
    }
    return {key: value for key, value in told.items() if value is not None}


def _ruled(rules: Sequence[Entry]) -> tuple[bool, bool]:
    """Say whether rulesets ask for reviews, and for checks; several of them may speak of either."""
    kinds = [(rule.get("type"), rule.get("parameters") or {}) for rule in rules]
    reviews = any(kind == "pull_request" and _reviews(parameters) for kind, parameters in kinds)
    checks = any(
        (kind == "required_status_checks" and parameters.get("required_status_checks"))
        or (kind == "workflows" and parameters.get("workflows"))
        for kind, parameters in kinds
    )
    return reviews, checks


def _reviews(parameters: Mapping[str, object] | None) -> bool:
    count = (parameters or {}).get("required_approving_review_count")
    return isinstance(count, int) and count >= 1


def _names_checks(required: Mapping[str, object] | None) -> bool:
    """Say whether classic protection names a check; `checks` is the newer list of the two."""
    return bool((required or {}).get("checks") or (required or {}).get("contexts"))


def owners(errors: Entry | None) -> dict[str, FactValue]:
    """Return whether CODEOWNERS is there, and without errors."""
    return {
        "repo.codeowners.present": errors is not None,
        "repo.codeowners.valid": errors is not None and not errors.get("errors"),
    }


def workflows(found: Sequence[Entry]) -> dict[str, FactValue]:
    """Return whether GitHub Actions does anything at all; another CI is not seen here."""
    return {"ci.enabled": any(one.get("state") == "active" for one in found)}


def _ended(runs: Sequence[Entry]) -> list[tuple[datetime, bool]]:
    """Return when each run that tells something ended, and whether it succeeded."""
    judged = [(moment(run.get("updated_at")), run["conclusion"]) for run in runs if run.get("conclusion") in JUDGED]
    return [(at, conclusion == "success") for at, conclusion in judged if at]


def release(latest: Entry | None) -> dict[str, FactValue]:
    """Return when the latest release was published."""
    published: datetime | None = moment(latest.get("published_at")) if latest else None
    return {"releases.last_at": rfc3339(published)} if published else {}
