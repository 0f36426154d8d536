"""GitHub's REST API, as far as a repository's readiness shows in it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote

from plugins.contract import FailureKind, PullFailed
from plugins.http_client import SourceClient
from plugins.moments import moment
from plugins.postmortems import Release
from plugins.repository_stories import decoded

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
PAGE = 100
MAX_DEPLOYMENTS = 2000
"""Entries of one repository, to whichever environment, that a run looks at."""
UNPROTECTED = "Branch not protected"
"""What an administrator is answered; anybody else a 404 that says nothing."""
WAIT_SECONDS = 60.0
"""For how long GitHub wants to be left alone after a secondary rate limit, where it names no time itself."""

LIMITED = ("rate limit", "abuse detection")
"""How GitHub calls it, and how GitHub Enterprise Servers of old do."""

Entry = Mapping[str, Any]


def requests_left(client: SourceClient) -> str:
    """Return in words how many requests of this hour are left; raises PullFailed."""
    try:
        limit = client.get_json("rate_limit", headers=HEADERS)
    except PullFailed as failure:
        if "not enabled" not in failure.message:  # a GitHub Enterprise Server may count none
            raise
        return "without a limit of requests"
    resources = limit.get("resources") if isinstance(limit, dict) else None
    core = resources.get("core") if isinstance(resources, dict) else None
    if not isinstance(core, dict) or "remaining" not in core:
        raise PullFailed(FailureKind.BAD_ANSWER, "rate_limit answered no rate limit of a GitHub")
    return f"{core['remaining']} requests left"


class Repository:
    """Reads one repository; each method is one request, or one for each page."""

    def __init__(self, client: SourceClient, slug: str) -> None:
        self.slug = slug
        self._client = client

    def about(self) -> Entry:
        """Return the repository itself."""
        return self._object("", holding="full_name")

    def branch(self, name: str) -> Entry:
        """Return a branch, with what anybody who may read it is told of its protection."""
        return self._object(f"/branches/{_quoted(name)}")

    def rules(self, branch: str) -> list[Entry]:
        """Return the rules of rulesets that hold for a branch (one page: nobody has a hundred)."""
        return self._list(f"/rules/branches/{_quoted(branch)}", {"per_page": str(PAGE)})

    def classic_protection(self, branch: str) -> Entry | None:
        """Return a branch's classic protection, empty where it has none; None where the token may not see it."""
        try:
            return self._object(f"/branches/{_quoted(branch)}/protection")
        except PullFailed as failure:
            if failure.status == 404:
                return {} if UNPROTECTED in failure.message else None
            if failure.kind is FailureKind.PERMISSION:
                return None
            raise

    def codeowners(self) -> Entry | None:
        """Return the errors in CODEOWNERS; None where there is no such file."""
        return self._optional("/codeowners/errors", holding="errors")

    def workflows(self) -> list[Entry]:
        """Return the workflows of GitHub Actions."""
        return _entries(self._object("/actions/workflows", {"per_page": str(PAGE)}, "workflows"), "workflows")

    def runs(self, branch: str) -> list[Entry]:
        """Return the newest hundred completed runs on a branch."""
        asked = {"branch": branch, "status": "completed", "per_page": str(PAGE)}
        return _entries(self._object("/actions/runs", asked, "workflow_runs"), "workflow_runs")

    def deployments(self) -> Iterator[Entry]:
        """Yield deployments, newest first; the caller stops when it has enough.

        Pages name the next one by `Link`; a full page that names none (some proxies take the header away) is not
        believed to be the last.
        """
        path, page, full = "/deployments", 1, True
        while full:
            asked = {"per_page": str(PAGE), "page": str(page)}
            with limits_told():
                for answer in self._client.get_pages(f"repos/{self.slug}{path}", asked, HEADERS):
                    found = self._entries(path, answer)
                    yield from found
                    page, full = page + 1, len(found) >= PAGE

    def statuses(self, deployment: int) -> list[Entry] | None:
        """Return what became of a deployment, newest first; None where it was deleted."""
        try:
            return self._list(f"/deployments/{deployment}/statuses", {"per_page": str(PAGE)})
        except PullFailed as failure:
            if failure.status == 404:
                return None
            raise

    def commit_times(self, base: str, head: str) -> list[datetime]:
        """Return when the commits between two revisions were authored (at most 250); none where one of them is gone."""
        answer = self._optional(f"/compare/{base}...{head}")
        commits = _entries(answer, "commits") if answer else []
        authored = [moment(((commit.get("commit") or {}).get("author") or {}).get("date")) for commit in commits]
        return [at for at in authored if at]

    def latest_release(self) -> Entry | None:
        """Return the latest release; None where there is none."""
        return self._optional("/releases/latest")

    def critical_findings(self) -> Iterator[Entry]:
        """Yield the open findings of code scanning that are critical, the oldest first."""
        path = "/code-scanning/alerts"
        asked = {"state": "open", "severity": "critical", "sort": "created", "direction": "asc", "per_page": str(PAGE)}
        with limits_told():
            for answer in self._client.get_pages(f"repos/{self.slug}{path}", asked, HEADERS):
                yield from self._entries(path, answer)

    def files(self, folder: str) -> list[tuple[str, str]]:
        """Return path and link of the files right in a folder (at most a thousand); none where there is none."""
        try:
            answer = self._get(f"/contents/{quote(folder)}")
        except PullFailed as failure:
            if failure.status == 404:
                return []
            raise
        entries = answer if isinstance(answer, list) else []
        files = [entry for entry in entries if isinstance(entry, dict) and entry.get("type") == "file"]
        return [(str(entry.get("path")), str(entry.get("html_url") or "")) for entry in files]

    def text(self, path: str) -> str:
        """Return a file's text."""
        return decoded(self._object(f"/contents/{quote(path)}"))

    def first_commit_at(self, path: str) -> datetime | None:
        """Return when a file was put there, as far as its newest hundred commits tell."""
        commits = self._list("/commits", {"path": path, "per_page": str(PAGE)})
        told = (commits[-1].get("commit") or {}).get("committer") or {} if commits else {}
        return moment(told.get("date"))

    def releases(self) -> list[Release]:
        """Return the newest hundred releases that are published."""
        found = []
        for entry in self._list("/releases", {"per_page": str(PAGE)}):
            at, tag = moment(entry.get("published_at")), entry.get("tag_name")
            if at and tag and not entry.get("draft"):
                preview, link = bool(entry.get("prerelease")), str(entry.get("html_url") or "")
                found.append(Release(str(tag), str(entry.get("name") or ""), at, preview, link))
        return found

    def _object(self, path: str, params: Mapping[str, str] | None = None, holding: str = "") -> Entry:
        """Return an object; raises PullFailed for what is none, or lacks what each answer to the question holds."""
        answer = self._get(path, params)
        if not isinstance(answer, dict):
            raise PullFailed(FailureKind.BAD_ANSWER, f"repos/{self.slug}{path} answered no object")
        if holding and holding not in answer:
            raise PullFailed(FailureKind.BAD_ANSWER, f"repos/{self.slug}{path} answered an object without {holding}")
        return answer

    def _list(self, path: str, params: Mapping[str, str]) -> list[Entry]:
        return self._entries(path, self._get(path, params))

    def _entries(self, path: str, answer: Any) -> list[Entry]:
        if not isinstance(answer, list):
            raise PullFailed(FailureKind.BAD_ANSWER, f"repos/{self.slug}{path} answered no list")
        return [entry for entry in answer if isinstance(entry, dict)]

    def _optional(self, path: str, holding: str = "") -> Entry | None:
        try:
            return self._object(path, holding=holding)
        except PullFailed as failure:
            if failure.status == 404:
                return None
            raise

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        with limits_told():
            return self._client.get_json(f"repos/{self.slug}{path}", params, HEADERS)


@contextmanager
def limits_told() -> Iterator[None]:
    """Tell a rate limit from a missing right: GitHub answers both with 403, and may say which in words alone."""
    try:
        yield
    except PullFailed as failure:
        said = failure.message.lower()
        if failure.kind is not FailureKind.PERMISSION or not any(words in said for words in LIMITED):
            raise
        wait = failure.retry_after_seconds or WAIT_SECONDS
        raise PullFailed(FailureKind.RATE_LIMITED, failure.message, status=403, retry_after_seconds=wait) from None


def _entries(answer: Entry, name: str) -> list[Entry]:
    found = answer.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _quoted(branch: str) -> str:
    return quote(branch, safe="")
