"""The projects of a GitLab group and of its subgroups, and which of them hold a file.

A page of the list (REST) for a hundred projects, and one question for the files of twenty-five (GraphQL, whose
complexity is limited). The search of a whole group would be one request, but needs a paid edition.
"""

from collections.abc import Sequence
from urllib.parse import quote

from catalog.discovery.asking import Entry, Host, text
from catalog.discovery.repositories import Repository
from catalog.settings import Provider
from portal_backend.core.db import chunks

PAGE = 100
BATCH = 25
GID = "gid://gitlab/Project/"
FILES = """
query ($ids: [ID!], $paths: [String!]!, $ref: String, $first: Int) {
  projects(ids: $ids, first: $first) { nodes { id repository { blobs(paths: $paths, ref: $ref) { nodes { path } } } } }
}
"""


def repositories(host: Host, provider: Provider) -> list[Repository]:
    """Return all projects of the group that the token may see; raises Unreadable."""
    asked = f"include_subgroups=true&with_shared=false&order_by=id&sort=asc&per_page={PAGE}"
    if not provider.include.archived:
        asked += "&archived=false"
    entries = host.entries(f"groups/{quote(provider.owner, safe='')}/projects?{asked}")
    return [_project(entry, provider.owner) for entry in entries]


def with_file(host: Host, some: Sequence[Repository], path: str, branch: str | None) -> set[str]:
    """Return the ids of those projects that hold a file on a branch (None: their default one)."""
    held: set[str] = set()
    for few in chunks([one.id for one in some], BATCH):
        variables = {"ids": few, "paths": [path], "ref": branch, "first": BATCH}
        for node in host.graphql(graphql_url(host.integration.api_url), FILES, variables, "projects"):
            blobs = ((node or {}).get("repository") or {}).get("blobs") or {}
            if any(blob.get("path") == path for blob in blobs.get("nodes") or ()):
                held.add(str(node["id"]))
    return held


def graphql_url(api_url: str) -> str:
    """Return where GraphQL is asked, by the address of the REST API."""
    return f"{api_url.removesuffix('/v4')}/graphql"


def _project(entry: Entry, group: str) -> Repository:
    path = text(entry, "path_with_namespace")
    return Repository(
        id=f"{GID}{text(entry, 'id')}",
        number=text(entry, "id"),
        name=path.removeprefix(f"{group}/"),
        page_url=text(entry, "web_url").rstrip("/"),
        default_branch=None if entry.get("empty_repo") is True else entry.get("default_branch"),
        topics=frozenset(str(topic).lower() for topic in entry.get("topics") or ()),
        archived=entry.get("archived") is True,
        fork=bool(entry.get("forked_from_project")),
    )
