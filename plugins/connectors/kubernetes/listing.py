"""Lists of the Kubernetes API, page by page: one list for the whole cluster, never one for each service."""

from collections.abc import Mapping
from typing import Any

from plugins.contract import FailureKind, PullFailed
from plugins.http_client import SourceClient

PAGE = 500
MAX_PAGES = 2000
"""Of one list: a million objects."""
EXPIRED = 410
ATTEMPTS = 3

Resource = Mapping[str, Any]


def listed(client: SourceClient, path: str) -> list[Resource]:
    """Return every object of a kind in all namespaces.

    A list that takes so long that its continuation expires (410 Gone) is begun again: half of one state of the cluster
    and half of another would count objects twice. Raises PullFailed.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return _all_pages(client, path)
        except PullFailed as failure:
            if failure.status != EXPIRED:
                raise
    return _all_pages(client, path)


def may_list(client: SourceClient, path: str) -> None:
    """Ask for one object of a kind. Raises PullFailed where the credentials may not list it in all namespaces."""
    client.get_json(path, {"limit": "1"})


def _all_pages(client: SourceClient, path: str) -> list[Resource]:
    found: dict[tuple[str, str], Resource] = {}
    token, seen = "", set[str]()
    while len(seen) < MAX_PAGES:
        asked = {"limit": str(PAGE), **({"continue": token} if token else {})}
        answer = client.get_json(path, asked)
        if not isinstance(answer, dict) or "items" not in answer or not isinstance(answer["items"] or [], list):
            raise PullFailed(FailureKind.BAD_ANSWER, f"{path} answered no list of Kubernetes objects")
        items = [item for item in answer["items"] or [] if isinstance(item, dict)]
        found |= {_place(item): item for item in items}  # one that moved to the next page is one
        following = str((answer.get("metadata") or {}).get("continue") or "")
        if not following:
            return list(found.values())
        if following in seen:
            raise PullFailed(FailureKind.BAD_ANSWER, f"{path} answers the same page again and again")
        seen.add(following)
        token = following
    raise PullFailed(FailureKind.BAD_ANSWER, f"{path} names a page behind {MAX_PAGES:,} others")


def _place(resource: Resource) -> tuple[str, str]:
    metadata = resource.get("metadata") or {}
    return str(metadata.get("namespace")), str(metadata.get("name"))
