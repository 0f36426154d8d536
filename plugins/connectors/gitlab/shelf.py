"""A project's files and releases, as the reading of postmortems and launches wants them."""

from dataclasses import dataclass
from datetime import datetime

from plugins.connectors.gitlab.api import Project
from plugins.moments import moment
from plugins.postmortems import Release
from plugins.repository_stories import decoded


@dataclass(frozen=True)
class Shelf:
    """One branch of a project."""

    project: Project
    branch: str
    web_url: str

    def files(self, folder: str) -> list[tuple[str, str]]:
        """Return path and link of the files right in a folder; none where there is no such folder."""
        blobs = (entry for entry in self.project.tree(folder, self.branch) if entry.get("type") == "blob")
        return [(path, self._link(path)) for path in (str(blob.get("path")) for blob in blobs)]

    def _link(self, path: str) -> str:
        return f"{self.web_url}/-/blob/{self.branch}/{path}" if self.web_url else ""

    def text(self, path: str) -> str:
        """Return a file's text."""
        return decoded(self.project.file(path, self.branch))

    def first_commit_at(self, path: str) -> datetime | None:
        """Return when a file was put there, as far as its newest hundred commits tell."""
        commits = self.project.commits(path, self.branch)
        return moment(commits[-1].get("committed_date")) if commits else None

    def releases(self) -> list[Release]:
        """Return the newest hundred releases that are out. GitLab marks none as a preview."""
        found = []
        for entry in self.project.releases():
            at, tag = moment(entry.get("released_at")), entry.get("tag_name")
            if at and tag and not entry.get("upcoming_release"):
                link = str((entry.get("_links") or {}).get("self") or "")
                found.append(Release(str(tag), str(entry.get("name") or ""), at, False, link))
        return found
