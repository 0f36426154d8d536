"""GitLab's REST API, version 4, as far as a project's readiness shows in it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from plugins.contract import FailureKind, PullFailed
from plugins.http_client import SourceClient
from plugins.moments import moment, rfc3339

PAGE = 100
MAX_PAGES = 100
"""Of one list."""
MAX_DEPLOYMENTS = 2000
"""Entries of one project, to whichever environment, that a run looks at."""

Entry = Mapping[str, Any]


def version(client: SourceClient) -> str:
    """Return the number of the GitLab that answers. Raises PullFailed, also where it is none."""
    answer = client.get_json("api/v4/version")
    if not isinstance(answer, dict) or "version" not in answer:
        raise PullFailed(FailureKind.BAD_ANSWER, "api/v4/version answered no version of a GitLab")
    return str(answer["version"])


class Project:
    """Reads one project, by its path; each method is one request, or one for each page."""

    def __init__(self, client: SourceClient, path: str) -> None:
        self._base = f"api/v4/projects/{quote(path, safe='')}"
        self._client = client

    def about(self) -> Entry:
        """Return the project itself."""
        return self._object("", holding="id")

    def is_protected(self, branch: str) -> bool:
        """Say whether a branch is protected by its name. Raises PullFailed where the token may not see it."""
        return self._optional(f"/protected_branches/{quote(branch, safe='')}", holding="name") is not None

    def protected_branches(self) -> set[str]:
        """Return the names and patterns of the protected branches. Raises PullFailed where the token may not see it."""
        return {str(one.get("name") or "") for one in self._pages_if_any("/protected_branches", {})}

    def has_file(self, path: str, ref: str) -> bool:
        """Say whether there is a file of this path on a branch."""
        found = self._optional(f"/repository/files/{quote(path, safe='')}", {"ref": ref}, holding="file_path")
        return found is not None

    def pipelines(self, ref: str) -> list[Entry]:
        """Return the newest hundred finished pipelines of a branch."""
        return self._list("/pipelines", {"ref": ref, "scope": "finished", "per_page": str(PAGE)})

    def latest_release(self) -> Entry | None:
        """Return the release that was released last; None where there is none."""
        return next(iter(self._list("/releases", {"per_page": "1"})), None)

    def deployments(self, since: datetime) -> Iterator[Entry]:
        """Yield the deployments that changed since a moment, newest first."""
        fixed = {"updated_after": rfc3339(since), "order_by": "updated_at", "sort": "desc"}
        yield from self._pages("/deployments", fixed)

    def production_environments(self) -> set[str]:
        """Return the names of the environments whose tier is production; none where the project has no environments."""
        found = self._pages_if_any("/environments", {})
        return {str(one["name"]) for one in found if one.get("tier") == "production" and one.get("name")}

    def commit_times(self, base: str, head: str) -> list[datetime]:
        """Return when the commits between two revisions were authored; none where one of them is gone."""
        answer = self._optional("/repository/compare", {"from": base, "to": head})
        commits = answer.get("commits") if answer else None
        found = [moment(one.get("authored_date")) for one in commits or [] if isinstance(one, dict)]
        return [at for at in found if at]

    def tree(self, folder: str, ref: str) -> Iterator[Entry]:
        """Yield what lies right in a folder; nothing where there is no such folder."""
        yield from self._pages_if_any("/repository/tree", {"path": folder, "ref": ref})

    def file(self, path: str, ref: str) -> Entry:
        """Return a file with its content in base64."""
        return self._object(f"/repository/files/{quote(path, safe='')}", {"ref": ref})

    def commits(self, path: str, ref: str) -> list[Entry]:
        """Return the newest hundred commits that touched a file, the newest first."""
        return self._list("/repository/commits", {"path": path, "ref_name": ref, "per_page": str(PAGE)})

    def releases(self) -> list[Entry]:
        """Return the newest hundred releases."""
        return self._list("/releases", {"per_page": str(PAGE)})

    def may_list_vulnerabilities(self) -> None:
        """Raise PullFailed where the token may not see the project's vulnerabilities, or the edition has none."""
        self._list("/vulnerabilities", {"per_page": "1"})

    def asked(self, question: str, variables: Mapping[str, Any]) -> Entry:
        """Return the data that GraphQL answers. Raises PullFailed, also for errors beside an answer."""
        return asked(self._client, question, variables)

    def _pages(self, path: str, params: Mapping[str, str]) -> Iterator[Entry]:
        """Yield the entries of a list, page by page, as `Link` names them.

        A full page that names no next one (some proxies take the header away) is not believed to be the last.
        """
        page, full = 1, True
        while full and page <= MAX_PAGES:
            asked = {**params, "per_page": str(PAGE), "page": str(page)}
            for answer in self._client.get_pages(f"{self._base}{path}", asked):
                found = self._entries(path, answer)
                yield from found
                page, full = page + 1, len(found) >= PAGE

    def _pages_if_any(self, path: str, params: Mapping[str, str]) -> Iterator[Entry]:
        """Yield the entries of a list; none where there is no such list."""
        try:
            yield from self._pages(path, params)
        except PullFailed as failure:
            if failure.status != 404:
                raise

    def _object(self, path: str, params: Mapping[str, str] | None = None, holding: str = "") -> Entry:
        """Return an object; raises PullFailed for what is none, or lacks what each answer to the question holds."""
        answer = self._client.get_json(f"{self._base}{path}", params)
        if not isinstance(answer, dict):
            raise PullFailed(FailureKind.BAD_ANSWER, f"{self._base}{path} answered no object")
        if holding and holding not in answer:
            raise PullFailed(FailureKind.BAD_ANSWER, f"{self._base}{path} answered an object without {holding}")
        return answer

    def _list(self, path: str, params: Mapping[str, str]) -> list[Entry]:
        return self._entries(path, self._client.get_json(f"{self._base}{path}", params))

    def _entries(self, path: str, answer: Any) -> list[Entry]:
        if not isinstance(answer, list):
            raise PullFailed(FailureKind.BAD_ANSWER, f"{self._base}{path} answered no list")
        return [entry for entry in answer if isinstance(entry, dict)]

    def _optional(self, path: str, params: Mapping[str, str] | None = None, holding: str = "") -> Entry | None:
        try:
            return self._object(path, params, holding)
        except PullFailed as failure:
            if failure.status == 404:
                return None
            raise


def asked(client: SourceClient, question: str, variables: Mapping[str, Any]) -> Entry:
    """Return the data that GraphQL answers. Raises PullFailed, also for errors beside an answer."""
    answer = client.post_json("api/graphql", {"query": question, "variables": variables})
    errors, data = (answer.get("errors"), answer.get("data")) if isinstance(answer, dict) else (None, None)
    if errors or not isinstance(data, dict):
        first = errors[0] if isinstance(errors, list) and errors else None
        told = first.get("message") if isinstance(first, dict) else "answered no data"
        raise PullFailed(FailureKind.BAD_ANSWER, f"api/graphql: {told}")
    return data
