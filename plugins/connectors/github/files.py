"""Files of repositories by GraphQL: one question for many files of many repositories."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from plugins.connectors.github.api import HEADERS, WAIT_SECONDS, limits_told
from plugins.contract import FailureKind, PullContext, PullFailed
from plugins.http_client import SourceClient
from plugins.repository_files.reading import Files
from plugins.repository_files.seen import File, Listing, Seen, Wanted, readable

AT_ONCE = 200
"""Files and folders of one question."""
FRAGMENTS = """
fragment found on GitObject { __typename }
fragment read on GitObject { __typename ... on Blob { byteSize isTruncated text } }
fragment listed on GitObject { __typename ... on Tree { entries { name type } } }
"""
UNSEEN = "it is not there, or the token may not see it"
NO_CONTENTS = "the token may not see its content (contents: read)"


def of(context: PullContext, by_slug: Mapping[str, Sequence[str]]) -> Files:
    """Return the files that the option `files` asks for, to be looked at as their repositories' turn comes."""
    return Files.of(context, by_slug, partial(ask, context.client), AT_ONCE)


def ask(client: SourceClient, wanted: Sequence[tuple[str, Wanted]]) -> list[Seen]:
    """Ask for the files of some repositories; raises PullFailed."""
    asked = [_repository(number, slug, one) for number, (slug, one) in enumerate(wanted)]
    used = [line for line in FRAGMENTS.strip().splitlines() if f"...{line.split()[1]}" in "".join(asked)]
    question = "\n".join(["{", *asked, "}", *used])
    with limits_told():
        answer = client.post_json(_path(client), {"query": question}, HEADERS)
    data, faults = _data(answer)
    return [_seen(data.get(f"r{number}"), one, faults.get(f"r{number}", "")) for number, (_, one) in enumerate(wanted)]


def _path(client: SourceClient) -> str:
    """Return where GraphQL is asked: beside the REST API on a server of one's own."""
    return "../graphql" if client.describe().rstrip("/").endswith("/api/v3") else "graphql"


def _repository(number: int, slug: str, wanted: Wanted) -> str:
    owner, _, name = slug.partition("/")
    objects = [
        f"f{position}: object(expression: {_text(f'HEAD:{path}')}) {{ ...{'read' if text else 'found'} }}"
        for position, (path, text) in enumerate(wanted.paths.items())
    ]
    objects += [
        f"d{position}: object(expression: {_text(f'HEAD:{folder}')}) {{ ...listed }}"
        for position, folder in enumerate(sorted(wanted.folders))
    ]
    asked = f"r{number}: repository(owner: {_text(owner)}, name: {_text(name)})"
    return f"{asked} {{ isEmpty defaultBranchRef {{ name }} {' '.join(objects)} }}"


def _text(text: str) -> str:
    """Write a text as GraphQL has it, which is as JSON has it."""
    return json.dumps(text, ensure_ascii=False)


def _data(answer: Any) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Return what was answered, and by repository what could not be. Raises PullFailed where all of it could not be."""
    data, errors = (answer.get("data"), answer.get("errors")) if isinstance(answer, dict) else (None, None)
    faults: dict[str, str] = {}
    for error in errors if isinstance(errors, list) else []:
        told = error if isinstance(error, dict) else {}
        message, path = f"graphql: {told.get('message') or 'an error without words'}", told.get("path")
        if told.get("type") == "RATE_LIMITED":
            raise PullFailed(FailureKind.RATE_LIMITED, message, retry_after_seconds=WAIT_SECONDS)
        if not isinstance(data, dict) or not isinstance(path, list) or not path:
            raise PullFailed(FailureKind.BAD_ANSWER, message)
        faults.setdefault(str(path[0]), UNSEEN if told.get("type") == "NOT_FOUND" else message)
    if not isinstance(data, dict):
        raise PullFailed(FailureKind.BAD_ANSWER, "graphql answered no data")
    return data, faults


def _seen(found: Any, wanted: Wanted, fault: str) -> Seen:
    if fault or not isinstance(found, dict):
        return Seen(hidden=fault or UNSEEN)
    if not found.get("isEmpty") and not found.get("defaultBranchRef"):
        return Seen(hidden=NO_CONTENTS)
    seen = Seen()
    for position, (path, text) in enumerate(wanted.paths.items()):
        seen.files[path] = _file(path, found.get(f"f{position}"), text)
    for position, folder in enumerate(sorted(wanted.folders)):
        seen.folders[folder] = _listing(found.get(f"d{position}"))
    return seen


def _file(path: str, found: Any, needs_text: bool) -> File | None:
    """Return a file; None where there is none, or a folder in its place."""
    if not isinstance(found, dict) or found.get("__typename") != "Blob":
        return None
    if not needs_text:
        return File(path)
    size, text = found.get("byteSize"), found.get("text")
    if not isinstance(size, int):
        return File(path, why="GitHub does not tell its size")
    return readable(path, size, text if isinstance(text, str) else None, bool(found.get("isTruncated")))


def _listing(found: Any) -> Listing:
    entries = found.get("entries") if isinstance(found, dict) else None
    named = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    return Listing([str(one.get("name")) for one in named if one.get("type") == "blob"])
