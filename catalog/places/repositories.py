"""The catalog files of one repository, told from the address of any of its pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from catalog.places import trees
from catalog.places.exchange import Limits, Question
from catalog.places.faults import Unreadable
from catalog.places.hosts import UrlPolicy, split_url
from catalog.places.scm import Integration, Scm, find_integration

PAGES = frozenset({"-", "blob", "edit", "raw", "tree"})
"""Steps of an address that stand behind the repository's own."""


@dataclass(frozen=True)
class Repository:
    """A repository on a host that is configured."""

    integration: Integration
    project: str
    """`owner/repository`, or a GitLab path of any depth."""
    url: str
    """Of its page, without a final slash."""

    def about(self) -> str:
        """Return where the host's API tells of it."""
        if self.integration.scm is Scm.GITHUB:
            return f"{self.integration.api_url}/repos/{self.project}"
        return f"{self.integration.api_url}/projects/{quote(self.project, safe='')}"


def find_repository(target: str, integrations: Iterable[Integration]) -> Repository | None:
    """Return the repository that an address leads to; None where no integration knows its host, or it names none."""
    try:
        parts = split_url(target)
        integration = find_integration(target, integrations)
    except Unreadable:
        return None
    if integration is None:
        return None
    steps = [unquote(step) for step in parts.path.split("/") if step]
    if integration.scm is Scm.GITHUB:
        steps = steps[:2]
    end = next((at for at, step in enumerate(steps) if at >= 2 and step in PAGES), len(steps))
    project = "/".join(steps[:end]).removesuffix(".git")
    if end < 2:
        return None
    return Repository(integration, project, f"{parts.scheme}://{parts.netloc}/{quote(project)}")


def catalog_files(repository: Repository, name: str, policy: UrlPolicy, limits: Limits) -> list[str]:
    """Return the URLs of all files of a name on the default branch of a repository, in order; raises Unreadable.

    An empty repository has none.
    """
    api = repository.integration
    about: Any = trees.ask_json(Question(repository.about(), api.headers()), policy, limits)[0]
    branch = about.get("default_branch") if isinstance(about, dict) else None
    if not isinstance(branch, str) or not branch:
        return []
    steps = "blob" if api.scm is Scm.GITHUB else "-/blob"
    pattern = f"{repository.url}/{steps}/{quote(branch, safe='')}/**/{quote(name)}"
    return list(trees.matching(pattern, (api,), policy, limits))
