"""Files of repositories by GraphQL, executed against excerpts of GitHub's and GitLab's published schemas.

A question that theirs would refuse is refused here.
"""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError, build_schema, graphql_sync

GITHUB = build_schema("""
    scalar GitObjectID
    type Query { repository(owner: String!, name: String!, followRenames: Boolean = true): Repository }
    type Repository { id: ID!, isEmpty: Boolean!, defaultBranchRef: Ref,
                      object(expression: String, oid: GitObjectID): GitObject }
    type Ref { name: String! }
    interface GitObject { id: ID!, oid: GitObjectID! }
    type Blob implements GitObject { id: ID!, oid: GitObjectID!, byteSize: Int!, isBinary: Boolean,
                                     isTruncated: Boolean!, text: String }
    type Tree implements GitObject { id: ID!, oid: GitObjectID!, entries: [TreeEntry!] }
    type TreeEntry { name: String!, path: String, type: String!, mode: Int!, size: Int!, object: GitObject }
""")
GITLAB = """
    scalar BigInt
    extend type Query { projects(ids: [ID!], first: Int): ProjectConnection }
    type ProjectConnection { nodes: [Project] }
    extend type Project { repository: Repository }
    type Repository {
      empty: Boolean!, rootRef: String, blobs(paths: [String!]!, ref: String): RepositoryBlobConnection
      tree(path: String = "", recursive: Boolean = false, ref: String): Tree
    }
    type RepositoryBlobConnection { nodes: [RepositoryBlob] }
    type RepositoryBlob { path: String!, rawSize: BigInt, rawTextBlob: String }
    type Tree { blobs(first: Int, after: String): BlobConnection! }
    type BlobConnection { nodes: [Blob], pageInfo: PageInfo! }
    type Blob { name: String!, path: String! }
"""
NOT_FOUND = "Could not resolve to a Repository with the name '{}'."
FORBIDDEN = "Resource not accessible by personal access token"


def github_answer(asked: Mapping[str, Any], repositories: Mapping[str, Any]) -> dict[str, Any]:
    """Answer for repositories whose `files` are texts by path, and which may be `empty` or `hidden` from the token."""

    def repository(_info: Any, owner: str, name: str, **_: Any) -> Any:
        slug = f"{owner}/{name}"
        if slug not in repositories:
            raise GraphQLError(NOT_FOUND.format(slug), extensions={"type": "NOT_FOUND"})
        found = repositories[slug]
        texts = {path: kept[0] if isinstance(kept, tuple) else kept for path, kept in found["files"].items()}
        shown = not (found.get("hidden") or found.get("empty"))
        return {
            "isEmpty": bool(found.get("empty")),
            "defaultBranchRef": {"name": found["branch"]} if shown else None,
            "object": lambda _info, expression: _git_object(expression.removeprefix("HEAD:"), texts) if shown else None,
        }

    answer = graphql_sync(GITHUB, asked["query"], {"repository": repository}).formatted
    errors = [{**one, **one.pop("extensions", {})} for one in map(dict, answer.get("errors", []))]
    return {"data": answer["data"], **({"errors": errors} if errors else {})}


def _git_object(path: str, texts: Mapping[str, str | bytes]) -> Any:
    if path in texts:
        kept = texts[path]
        text = kept if isinstance(kept, str) else None
        size = len(kept.encode()) if isinstance(kept, str) else len(kept)
        return {"__typename": "Blob", "id": "B", "oid": "0", "byteSize": size, "isBinary": text is None,
                "isTruncated": False, "text": text}  # fmt: skip
    names = _right_in(path, texts)
    entries = [{"name": name, "type": kind, "mode": 33188, "size": 1} for name, kind in names.items()]
    return {"__typename": "Tree", "id": "T", "oid": "0", "entries": entries} if names else None


def _right_in(folder: str, texts: Mapping[str, Any]) -> dict[str, str]:
    """Return what lies right in a folder: files, and further folders."""
    below = f"{folder}/" if folder else ""
    rest = [path.removeprefix(below) for path in texts if path.startswith(below)]
    return {path.partition("/")[0]: "tree" if "/" in path else "blob" for path in sorted(rest)}


def gitlab_repository(found: Mapping[str, Any]) -> Any:
    """Return a project's repository: None where `files_hidden`; its `texts` are kept as (text, when) by path."""
    if found.get("files_hidden"):
        return None
    texts: dict[str, Any] = dict.fromkeys(found["files"]) | {path: kept[0] for path, kept in found["texts"].items()}

    def blobs(_info: Any, paths: list[str]) -> Any:
        there = [path for path in paths if path in texts]
        assert len(paths) <= 100, "one list answers a hundred"
        return {"nodes": [_blob(path, texts[path]) for path in there]}

    def tree(_info: Any, path: str, **_: Any) -> Any:
        names = [name for name, kind in _right_in(path, texts).items() if kind == "blob"]
        return {
            "blobs": lambda _info, first: {
                "nodes": [{"name": name, "path": f"{path}/{name}"} for name in names[:first]],
                "pageInfo": {"hasNextPage": len(names) > first},
            }
        }

    return {"empty": not texts, "rootRef": "main" if texts else None, "blobs": blobs, "tree": tree}


def _blob(path: str, kept: Any) -> dict[str, Any]:
    text = kept if isinstance(kept, str) else None
    size = len(kept.encode()) if isinstance(kept, str) else len(kept or b"")
    return {"path": path, "rawSize": str(size), "rawTextBlob": text}
