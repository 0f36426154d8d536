"""The repositories of a GitHub organisation, and which of them hold a file.

Two requests for a hundred repositories: a page of the list (REST), and one question for their files (GraphQL).
Code search would be one request for a hundred files, but it answers a thousand at most and lags behind.
"""

from collections.abc import Sequence
from urllib.parse import quote

from catalog.discovery.asking import Entry, Host, text
from catalog.discovery.repositories import Repository
from catalog.places.faults import Unreadable
from catalog.settings import Provider
from portal_backend.core.db import chunks

PAGE = 100
FILES = """
query ($ids: [ID!]!, $file: String!) {
  nodes(ids: $ids) { ... on Repository { object(expression: $file) { __typename } } }
}
"""


def repositories(host: Host, provider: Provider) -> list[Repository]:
    """Return all repositories of the organisation that the token may see; raises Unreadable."""
    return [_repository(entry) for entry in host.entries(f"orgs/{quote(provider.owner)}/repos?per_page={PAGE}")]


def with_file(host: Host, some: Sequence[Repository], path: str, branch: str | None) -> set[str]:
    """Return the ids of those repositories that hold a file on a branch (None: their default one)."""
    held: set[str] = set()
    for few in chunks([one.id for one in some], PAGE):
        variables = {"ids": few, "file": f"{branch or 'HEAD'}:{path}"}
        nodes = host.graphql(graphql_url(host.integration.api_url), FILES, variables, "nodes")
        if len(nodes) != len(few):
            raise Unreadable(f"{host.integration.host} answers for {len(nodes)} of {len(few)} repositories")
        for id_, node in zip(few, nodes, strict=True):
            if isinstance(node, dict) and (node.get("object") or {}).get("__typename") == "Blob":
                held.add(id_)
    return held


def graphql_url(api_url: str) -> str:
    """Return where GraphQL is asked, by the address of the REST API: beside it on a server of one's own."""
    return f"{api_url.removesuffix('/v3')}/graphql"


def _repository(entry: Entry) -> Repository:
    return Repository(
        id=text(entry, "node_id"),
        number=text(entry, "id"),
        name=text(entry, "name"),
        page_url=text(entry, "html_url").rstrip("/"),
        default_branch=entry.get("default_branch"),
        topics=frozenset(str(topic).lower() for topic in entry.get("topics") or ()),
        archived=entry.get("archived") is True,
        fork=entry.get("fork") is True,
    )
