"""GitLab's REST API, version 4, as far as a project's readiness shows in it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from plugins.contract import FailureKind, PullFailed
from plugins.http_client import SourceClient
from plugins.moments import moment, rfc3339

PAGE = 100
MAX_PAGES = 10

Entry = Mapping[str, Any]


class Project:
    """Reads one project, by its path; each method is one request, or one for each page."""

    def __init__(self, client: SourceClient, path: str) -> None:
        self._base = f"api/v4/projects/{quote(path, safe='')}"
        self._client = client

    def about(self) -> Entry:
        """Return the project itself."""
        return self._object("")

    def protection(self, branch: str) -> Entry | None:
        """Return how a branch is protected; None where it is not. Raises PullFailed where the token may not see it."""
        return self._optional(f"/protected_branches/{quote(branch, safe='')}")

    def has_file(self, path: str, ref: str) -> bool:
        """Say whether there is a file of this path on a branch."""
        return self._optional(f"/repository/files/{quote(path, safe='')}", {"ref": ref}) is not None

    def pipelines(self, ref: str) -> list[Entry]:
        """Return the newest hundred finished pipelines of a branch."""
        return self._list("/pipelines", {"ref": ref, "scope": "finished", "per_page": str(PAGE)})

    def latest_release(self) -> Entry | None:
        """Return the release that was released last; None where there is none."""
        return next(iter(self._list("/releases", {"per_page": "1"})), None)

    def deployments(self, since: datetime) -> Iterator[Entry]:
        """Yield the deployments that changed since a moment, newest first."""
        fixed = {"updated_after": rfc3339(since), "order_by": "updated_at", "sort": "desc", "per_page": str(PAGE)}
        for page in range(1, MAX_PAGES + 1):
            found = self._list("/deployments", {**fixed, "page": str(page)})
            yield from found
            if len(found) < PAGE:
                return

    def production_environments(self) -> set[str]:
        """Return the names of the environments whose tier is production; none where the project has no environments."""
        names: set[str] = set()
        for page in range(1, MAX_PAGES + 1):
            try:
                found = self._list("/environments", {"per_page": str(PAGE), "page": str(page)})
            except PullFailed as failure:
                if failure.status == 404:
                    return names
                raise
            names |= {str(one["name"]) for one in found if one.get("tier") == "production" and one.get("name")}
            if len(found) < PAGE:
                break
        return names

    def commit_times(self, base: str, head: str) -> list[datetime]:
        """Return when the commits between two revisions were authored; none where one of them is gone."""
        answer = self._optional("/repository/compare", {"from": base, "to": head})
        commits = answer.get("commits") if answer else None
        found = [moment(one.get("authored_date")) for one in commits or [] if isinstance(one, dict)]
        return [at for at in found if at]

    def tree(self, folder: str, ref: str) -> Iterator[Entry]:
        """Yield what lies right in a folder; nothing where there is no such folder."""
        for page in range(1, MAX_PAGES + 1):
            asked = {"path": folder, "ref": ref, "per_page": str(PAGE), "page": str(page)}
            try:
                found = self._list("/repository/tree", asked)
            except PullFailed as failure:
                if failure.status == 404:
                    return
                raise
            yield from found
            if len(found) < PAGE:
                return

    def file(self, path: str, ref: str) -> Entry:
        """Return a file with its content in base64."""
        return self._object(f"/repository/files/{quote(path, safe='')}", {"ref": ref})

    def commits(self, path: str, ref: str) -> list[Entry]:
        """Return the newest hundred commits that touched a file, the newest first."""
        return self._list("/repository/commits", {"path": path, "ref_name": ref, "per_page": str(PAGE)})

    def releases(self) -> list[Entry]:
        """Return the newest hundred releases."""
        return self._list("/releases", {"per_page": str(PAGE)})

    def _object(self, path: str, params: Mapping[str, str] | None = None) -> Entry:
        answer = self._client.get_json(f"{self._base}{path}", params)
        if not isinstance(answer, dict):
            raise PullFailed(FailureKind.BAD_ANSWER, f"{self._base}{path} answered no object")
        return answer

    def _list(self, path: str, params: Mapping[str, str]) -> list[Entry]:
        answer = self._client.get_json(f"{self._base}{path}", params)
        if not isinstance(answer, list):
            raise PullFailed(FailureKind.BAD_ANSWER, f"{self._base}{path} answered no list")
        return [entry for entry in answer if isinstance(entry, dict)]

    def _optional(self, path: str, params: Mapping[str, str] | None = None) -> Entry | None:
        try:
            return self._object(path, params)
        except PullFailed as failure:
            if failure.status == 404:
                return None
            raise
