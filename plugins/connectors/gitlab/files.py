"""Files of projects by GraphQL: one question for many files of some projects, as far as GitLab's complexity lets."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from plugins.connectors.gitlab.api import asked
from plugins.contract import PullContext
from plugins.grouping import in_groups
from plugins.http_client import SourceClient
from plugins.repository_files.reading import Files
from plugins.repository_files.seen import File, Listing, Seen, Wanted, readable

AT_ONCE = 100
"""Files and folders of one question."""
PAGE = 100
"""Entries that GitLab answers of one list."""
GID = "gid://gitlab/Project/"
UNSEEN = "it is not there, or the token may not see its files (read_api, and reporter of a private project)"


def of(context: PullContext, names: Mapping[str, Sequence[str]]) -> Files:
    """Return the files that the option `files` asks for, to be looked at as their projects' turn comes."""
    return Files.of(context, names, partial(ask, context.client), AT_ONCE)


def ask(client: SourceClient, wanted: Sequence[tuple[str, Wanted]]) -> list[Seen]:
    """Ask for the files of some projects, by their paths or numbers; raises PullFailed."""
    question = " ".join(_project(number, name, one) for number, (name, one) in enumerate(wanted))
    data = asked(client, f"{{ {question} }}", {})
    return [_seen(data.get(f"p{number}"), one) for number, (_, one) in enumerate(wanted)]


def _project(number: int, name: str, wanted: Wanted) -> str:
    lists = [
        f"b{position}: blobs(paths: {_json(group)}) {{ nodes {{ path {'rawSize rawTextBlob' if text else ''} }} }}"
        for position, (group, text) in enumerate(_groups(wanted))
    ]
    lists += [
        f"t{position}: tree(path: {_json(folder)}) "
        f"{{ blobs(first: {PAGE}) {{ nodes {{ name }} pageInfo {{ hasNextPage }} }} }}"
        for position, folder in enumerate(sorted(wanted.folders))
    ]
    shown = f"{{ repository {{ empty rootRef {' '.join(lists)} }} }}"
    if name.isdecimal():
        return f"p{number}: projects(ids: [{_json(GID + name)}], first: 1) {{ nodes {shown} }}"
    return f"p{number}: project(fullPath: {_json(name)}) {shown}"


def _groups(wanted: Wanted) -> Iterator[tuple[list[str], bool]]:
    """Yield the files that are only looked for, and those that are read, as many at once as one list answers."""
    for text in (False, True):
        for group in in_groups([path for path, needed in wanted.paths.items() if needed is text], PAGE):
            yield list(group), text


def _json(value: Any) -> str:
    """Write a text, or a list of texts, as GraphQL has it, which is as JSON has it."""
    return json.dumps(value, ensure_ascii=False)


def _seen(found: Any, wanted: Wanted) -> Seen:
    if isinstance(found, dict) and "nodes" in found:
        found = next(iter(_nodes(found)), None)
    repository = found.get("repository") if isinstance(found, dict) else None
    if not isinstance(repository, dict) or not (repository.get("empty") or repository.get("rootRef")):
        return Seen(hidden=UNSEEN)
    seen = Seen(dict.fromkeys(wanted.paths))
    for position, (group, text) in enumerate(_groups(wanted)):
        for node in _nodes(repository.get(f"b{position}")):
            if node.get("path") in group:
                seen.files[node["path"]] = _file(node, text)
    for position, folder in enumerate(sorted(wanted.folders)):
        tree = repository.get(f"t{position}")
        seen.folders[folder] = _listing(tree.get("blobs") if isinstance(tree, dict) else None)
    return seen


def _file(node: Mapping[str, Any], needs_text: bool) -> File:
    path, text, size = str(node["path"]), node.get("rawTextBlob"), str(node.get("rawSize"))
    if not needs_text:
        return File(path)
    if not size.isdecimal():
        return File(path, why="GitLab does not tell its size")
    return readable(path, int(size), text if isinstance(text, str) else None, is_cut=False)


def _listing(blobs: Any) -> Listing:
    page = blobs.get("pageInfo") if isinstance(blobs, dict) else None
    more = isinstance(page, dict) and page.get("hasNextPage") is True
    return Listing([str(node.get("name")) for node in _nodes(blobs)], is_whole=not more)


def _nodes(found: Any) -> list[Mapping[str, Any]]:
    nodes = found.get("nodes") if isinstance(found, dict) else None
    return [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
