"""Vulnerable dependencies and images of a project, as GitLab's own scanners report them (edition Ultimate)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from plugins.connectors.gitlab.api import Entry, Project
from plugins.contract import FactValue, FailureKind, PullFailed
from plugins.moments import moment
from plugins.repositories import OLD, VULNERABLE

SCANNERS = frozenset({"DEPENDENCY_SCANNING", "CONTAINER_SCANNING"})
MAX_PAGES = 50
QUESTION = """
query($path: ID!, $after: String) {
  project(fullPath: $path) {
    securityScanners { enabled pipelineRun }
    vulnerabilities(
      reportType: [DEPENDENCY_SCANNING, CONTAINER_SCANNING], severity: [CRITICAL], state: [DETECTED, CONFIRMED],
      sort: detected_asc, first: 100, after: $after
    ) { nodes { id detectedAt } pageInfo { hasNextPage endCursor } }
  }
}
"""


def read(project: Project, path: str, now: datetime) -> dict[str, FactValue]:
    """Return how many critical vulnerabilities are open and older than 30 days.

    Raises PullFailed where the token may not see them, and where nothing looks for them: without a finding both would
    look like a sound project. GraphQL leaves out what a token may not see without a word; the list of REST refuses.
    """
    project.may_list_vulnerabilities()
    ids: set[str] = set()
    scanned = False
    for number, page in enumerate(_pages(project, path)):
        scanned = scanned or _is_scanned(page)
        nodes = [node for node in (page.get("vulnerabilities") or {}).get("nodes") or [] if isinstance(node, dict)]
        scanned = scanned or bool(nodes)
        detected = {str(node.get("id")): moment(node.get("detectedAt")) for node in nodes}
        ids |= {key for key, at in detected.items() if at and at < now - OLD}
        if any(at and at >= now - OLD for at in detected.values()):  # the oldest come first
            break
        if number + 1 == MAX_PAGES:
            raise PullFailed(FailureKind.BAD_ANSWER, f"more than {len(ids):,} critical ones: the list goes on for ever")
    if not scanned:
        missing = "neither dependency nor container scanning runs there: nobody knows of its vulnerabilities"
        raise PullFailed(FailureKind.MISCONFIGURED, missing)
    return {VULNERABLE.key: len(ids)}


def _is_scanned(page: Entry) -> bool:
    scanners: Mapping[str, Any] = page.get("securityScanners") or {}
    return bool(SCANNERS & {*(scanners.get("enabled") or ()), *(scanners.get("pipelineRun") or ())})


def _pages(project: Project, path: str) -> Iterator[Entry]:
    after: str | None = None
    while True:
        found = project.asked(QUESTION, {"path": path, "after": after}).get("project")
        if not isinstance(found, dict):
            raise PullFailed(FailureKind.PERMISSION, f"GraphQL shows no project {path} to this token")
        yield found
        following = (found.get("vulnerabilities") or {}).get("pageInfo") or {}
        if not following.get("hasNextPage") or following.get("endCursor") in (None, after):
            return
        after = str(following["endCursor"])
