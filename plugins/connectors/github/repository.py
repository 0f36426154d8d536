"""What a repository's settings and its CI say of the services in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from plugins.connectors.github.api import Entry, Repository
from plugins.contract import FactValue
from plugins.moments import moment, rfc3339
from plugins.repositories import WINDOW, ci_facts


def read(repository: Repository, branch: str, now: datetime) -> dict[str, FactValue]:
    """Ask for protection, owners, workflows, runs and releases; return the facts."""
    return {
        **protection(repository, branch),
        **owners(repository.codeowners()),
        **ci(repository.workflows(), _recent(repository.runs(branch), now)),
        **release(repository.latest_release()),
    }


def protection(repository: Repository, branch: str) -> dict[str, FactValue]:
    """Return what is asked of a change before it is merged.

    Rulesets can be read by anybody who reads the repository, classic protection by its administrators only. What a
    token may not see is left out: it is unknown, not missing.
    """
    shown, rules = repository.branch(branch), repository.rules(branch)
    kinds = {str(rule.get("type")): rule.get("parameters") or {} for rule in rules}
    protected = bool(shown.get("protected")) or bool(rules)
    reviews: bool | None = _reviews(kinds.get("pull_request"))
    checks = _has_checks(kinds) or bool(_contexts(shown))
    if shown.get("protected") and not (reviews and checks):
        classic = repository.classic_protection(branch)
        if classic is None:
            reviews = reviews or None
        else:
            reviews = reviews or _reviews(classic.get("required_pull_request_reviews"))
            checks = checks or bool(classic.get("required_status_checks"))
    found: dict[str, FactValue] = {"repo.branch.protected": protected, "repo.checks_required": checks}
    if reviews is not None:
        found["repo.reviews_required"] = reviews
    return found


def _reviews(parameters: Mapping[str, object] | None) -> bool:
    count = (parameters or {}).get("required_approving_review_count")
    return isinstance(count, int) and count >= 1


def _has_checks(kinds: Mapping[str, Mapping[str, object]]) -> bool:
    return bool((kinds.get("required_status_checks") or {}).get("required_status_checks"))


def _contexts(branch: Entry) -> Sequence[str]:
    required = (branch.get("protection") or {}).get("required_status_checks") or {}
    return required.get("contexts") or []


def owners(errors: Entry | None) -> dict[str, FactValue]:
    """Return whether CODEOWNERS is there, and without errors."""
    return {
        "repo.codeowners.present": errors is not None,
        "repo.codeowners.valid": errors is not None and not errors.get("errors"),
    }


def ci(workflows: Sequence[Entry], runs: Sequence[Entry]) -> dict[str, FactValue]:
    """Return what GitHub Actions did on the default branch; another CI is not seen here."""
    succeeded = [run for run in runs if run.get("conclusion") == "success"]
    judged = [run for run in runs if run.get("conclusion") in ("success", "failure", "timed_out", "startup_failure")]
    ended = [at for run in succeeded if (at := moment(run.get("updated_at")))]
    return ci_facts(any(one.get("state") == "active" for one in workflows), ended, len(judged))


def _recent(runs: Sequence[Entry], now: datetime) -> list[Entry]:
    return [run for run in runs if (at := moment(run.get("updated_at"))) and at > now - WINDOW]


def release(latest: Entry | None) -> dict[str, FactValue]:
    """Return when the latest release was published."""
    published: datetime | None = moment(latest.get("published_at")) if latest else None
    return {"releases.last_at": rfc3339(published)} if published else {}
