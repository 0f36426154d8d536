"""What code scanning (CodeQL, or whatever uploads its findings) says of a repository."""

from datetime import datetime

from plugins.connectors.github.api import Repository
from plugins.contract import FactType, FactValue, FailureKind, PullFailed
from plugins.moments import moment
from plugins.repositories import OLD, spec

CRITICAL = spec(
    "code.vuln.critical_over_30d",
    FactType.INTEGER,
    "count",
    "Critical findings of code scanning that are open and older than 30 days.",
)
NO_ANALYSIS = "no analysis found"
NOT_BOUGHT = ("advanced security must be enabled", "code security must be enabled", "code scanning is not enabled")


def read(repository: Repository, now: datetime) -> dict[str, FactValue]:
    """Return how many critical findings are open and older than 30 days.

    Raises PullFailed where the token may not see them, and, in other words, where nothing is scanned: without a finding
    both would look like sound code.
    """
    numbers = set()
    try:
        for alert in repository.critical_findings():
            created = moment(alert.get("created_at"))
            if created and created >= now - OLD:  # the oldest come first
                break
            if created and alert.get("number"):
                numbers.add(alert["number"])
    except PullFailed as failure:
        said = failure.message.lower()
        if (failure.status == 404 and NO_ANALYSIS in said) or any(words in said for words in NOT_BOUGHT):
            missing = "code scanning is not set up there: nobody knows of its findings"
            raise PullFailed(FailureKind.MISCONFIGURED, missing) from None
        raise
    return {CRITICAL.key: len(numbers)}
