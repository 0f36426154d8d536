"""Patterns of files in a repository: the tree is listed by the host's API, and compared with the pattern here."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from catalog.places.exchange import Answer, Limits, Question, origin
from catalog.places.faults import Unreadable
from catalog.places.globs import PathPattern, is_pattern
from catalog.places.hosts import UrlPolicy
from catalog.places.scm import Integration, Page, Scm, find_page
from catalog.places.web import ask

PAGE_SIZE = 100
MAX_PAGES = 200
MAX_MATCHES = 5_000
CONFLICT = 409
"""What GitHub answers for the tree of a repository without a commit, saying that it is empty."""
MAX_KNOWN, MAX_KNOWN_PATHS = 200, 5_000
"""Pages of trees that a process remembers, and the paths of one."""


def is_url_pattern(target: str) -> bool:
    """Say whether a URL means several files; `?` begins its query, and only `*` makes a pattern of it."""
    return "*" in urlsplit(target).path


def matching(target: str, integrations: Iterable[Integration], policy: UrlPolicy, limits: Limits) -> Iterator[str]:
    """Yield the URLs of the files that a pattern in a repository means, in order; raises Unreadable."""
    refused = policy.refusal(target)
    if refused:
        raise Unreadable(refused)
    page = find_page(target, integrations)
    if page is None:
        raise Unreadable(
            f"{target} is a pattern, which can be followed in repositories of configured integrations only; "
            "name each file, or configure the host under catalog.integrations"
        )
    pattern = PathPattern(page.path)
    found = sorted(path for path in _files(page, policy, limits) if pattern.fits(path))
    if len(found) > MAX_MATCHES:
        raise Unreadable(f"{target} means more than {MAX_MATCHES} files; narrow it")
    yield from map(page.url, found)


def require_good(url: str, answer: Answer) -> None:
    """Raise Unreadable for an answer that is no success, in words that say what to do."""
    if answer.status == 200:
        return
    said = f"{url} answers {answer.status} {answer.reason}".rstrip()
    if answer.wait_seconds is not None or answer.status == 429:
        wait = f" It asks to wait {answer.wait_seconds:.0f} s." if answer.wait_seconds else ""
        raise Unreadable(f"{said}: too many requests were made; a token, or reading less often, helps.{wait}")
    if answer.status in {401, 403}:
        raise Unreadable(f"{said}; check the token of this host under catalog.integrations")
    if answer.status == 404:
        raise Unreadable(f"{said}; it does not exist, or a token under catalog.integrations is needed to see it")
    raise Unreadable(said)


def ask_json(question: Question, policy: UrlPolicy, limits: Limits) -> tuple[Any, Answer]:
    """Return the JSON of a good answer, and the answer; raises Unreadable."""
    answer = ask(question, policy, limits)
    return read_json(question.url, answer), answer


def read_json(url: str, answer: Answer) -> Any:
    """Return the JSON of a good answer; raises Unreadable."""
    require_good(url, answer)
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"{url} answers no JSON; check api_url under catalog.integrations") from error


def next_page(answer: Answer) -> str | None:
    """Return the URL of the following page, as the `Link` header names it; raises Unreadable if on another host."""
    from requests.utils import parse_header_links  # a check of files does without the HTTP library

    for link in parse_header_links(answer.headers.get("Link", "")):
        if link.get("rel") == "next":
            if origin(link["url"]) != origin(answer.url):
                raise Unreadable(f"{answer.url} continues on another host, which is not followed")
            return link["url"]
    return None


def _files(page: Page, policy: UrlPolicy, limits: Limits) -> Iterable[str]:
    if page.integration.scm is Scm.GITHUB:
        return _github_files(page, policy, limits)
    return _gitlab_files(page, policy, limits)


def _github_files(page: Page, policy: UrlPolicy, limits: Limits) -> Sequence[str]:
    api = page.integration
    url = f"{api.api_url}/repos/{page.project}/git/trees/{quote(page.ref, safe='')}?recursive=1"
    return _listed(url, {**api.headers(), "Accept": "application/vnd.github+json"}, policy, limits).paths


def _gitlab_files(page: Page, policy: UrlPolicy, limits: Limits) -> Iterator[str]:
    api = page.integration
    steps = page.path.split("/")
    fixed = steps[: next((index for index, step in enumerate(steps) if is_pattern(step)), 0)]
    given = {"ref": page.ref, "path": "/".join(fixed), "recursive": "true", "per_page": str(PAGE_SIZE)}
    asked = urlencode({name: value for name, value in given.items() if value} | {"pagination": "keyset"})
    url: str | None = f"{api.api_url}/projects/{quote(page.project, safe='')}/repository/tree?{asked}"
    for _ in range(MAX_PAGES):
        if url is None:
            return
        listed = _listed(url, api.headers(), policy, limits)
        yield from listed.paths
        url = listed.following
    raise Unreadable(f"{page.project} has more than {MAX_PAGES * PAGE_SIZE} files; give a folder further down")


@dataclass(frozen=True)
class _Listed:
    """What a page of a tree said last, for the next time that it is asked."""

    etag: str
    paths: tuple[str, ...]
    following: str | None


_known: OrderedDict[tuple[str, str], _Listed] = OrderedDict()
_lock = Lock()


def _listed(url: str, headers: Mapping[str, str], policy: UrlPolicy, limits: Limits) -> _Listed:
    """Return a page of a tree; one that has not changed since this process asked costs its host nothing."""
    key = (url, headers.get("Authorization", ""))
    with _lock:
        known = _known.get(key)
    condition = {"If-None-Match": known.etag} if known else {}
    answer = ask(Question(url, {**headers, **condition}), policy, limits)
    return known if known and answer.status == 304 else _learnt(key, answer)


def _learnt(key: tuple[str, str], answer: Answer) -> _Listed:
    if answer.status == CONFLICT and b"empty" in answer.body:
        return _Listed("", (), None)
    tree = read_json(key[0], answer)
    if isinstance(tree, dict) and tree.get("truncated"):
        raise Unreadable(f"{key[0]} does not tell all files, there are too many; name the catalog files one by one")
    entries = tree.get("tree") if isinstance(tree, dict) else tree
    if not isinstance(entries, list):
        raise Unreadable(f"{key[0]} answers no tree")
    listed = _Listed(answer.headers.get("ETag", ""), tuple(_blobs(entries)), next_page(answer))
    with _lock:
        _known.pop(key, None)
        if listed.etag and len(listed.paths) <= MAX_KNOWN_PATHS:
            _known[key] = listed
        while len(_known) > MAX_KNOWN:
            _known.popitem(last=False)
    return listed


def _blobs(entries: Sequence[Any]) -> list[str]:
    return [
        entry["path"]
        for entry in entries
        if isinstance(entry, dict) and entry.get("type") == "blob" and isinstance(entry.get("path"), str)
    ]
