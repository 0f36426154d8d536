"""Which repositories of an organisation are looked into, and what their catalog file is called. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from catalog.places.globs import is_pattern
from catalog.places.scm import Scm
from catalog.settings import Include


@dataclass(frozen=True)
class Repository:
    """A repository, or GitLab project, as lists of them tell it."""

    id: str
    """As GraphQL knows it."""
    number: str
    """Stays when the repository is renamed, or moved on its host."""
    name: str
    """What `include.repository` is compared with: GitHub's name, or GitLab's path below the group."""
    page_url: str
    """Of the repository itself, without a final slash."""
    default_branch: str | None
    """None where it is empty."""
    topics: frozenset[str] = frozenset()
    """Lower case."""
    archived: bool = False
    fork: bool = False


def included(found: Iterable[Repository], include: Include) -> list[Repository]:
    """Return the repositories that the rule means, those without a commit left out."""
    return [one for one in found if _is_included(one, include)]


def _is_included(one: Repository, include: Include) -> bool:
    if one.default_branch is None or (one.archived and not include.archived) or (one.fork and not include.forks):
        return False
    if include.repository is not None and not re.fullmatch(include.repository, one.name):
        return False
    if include.topics and include.topics.isdisjoint(one.topics):
        return False
    return include.without_topics.isdisjoint(one.topics)


def names_one_file(include: Include) -> bool:
    """Say whether a repository's catalog file has a fixed path, so that the host can be asked which have one."""
    return not is_pattern(include.path)


def target_of(one: Repository, include: Include, scm: Scm) -> str:
    """Return the URL of a repository's catalog file, or of the pattern that means several."""
    branch = quote(include.branch or one.default_branch or "", safe="")
    steps = "blob" if scm is Scm.GITHUB else "-/blob"
    return f"{one.page_url}/{steps}/{branch}/{quote(include.path, safe='/*[]!')}"
