"""Pages of files on GitHub and GitLab: where their text stands, what lies beside them, how they are edited. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote, unquote, urljoin, urlsplit

from catalog.places.faults import Unreadable
from catalog.places.hosts import AllowedHost, fully_unquoted, host_of, split_url

EDIT_URL = "backstage.io/edit-url"
SOURCE_LOCATION = "backstage.io/source-location"
GITHUB_API_VERSION = "2022-11-28"
_GITHUB_PAGE = re.compile(r"/(?P<project>[^/]+/[^/]+)/(?P<kind>blob|tree|raw|edit)/(?P<ref>[^/]+)/(?P<path>.*)")
_GITLAB_PAGE = re.compile(r"/(?P<project>.+?)(?:/-)?/(?P<kind>blob|tree|raw|edit)/(?P<ref>[^/]+)/(?P<path>.*)")


class Scm(StrEnum):
    """Systems that keep source code."""

    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True)
class Integration:
    """A host of source code that we know how to ask."""

    scm: Scm
    host: str
    """As the URLs of its pages have it, with a port that is not the usual one: `github.com`."""
    api_url: str
    """Without a final slash: `https://api.github.com`, `https://gitlab.com/api/v4`."""
    token: str | None = None
    """Goes to the API's own host only."""

    def __repr__(self) -> str:
        """Name the integration without its token."""
        return f"Integration({self.scm.value}, {self.host})"

    @property
    def raw_host(self) -> str | None:
        """The host of raw files, where it is another one that needs no token."""
        return "raw.githubusercontent.com" if self.host == "github.com" else None

    def headers(self) -> dict[str, str]:
        """Return what every request to the API carries."""
        version = {"X-GitHub-Api-Version": GITHUB_API_VERSION} if self.scm is Scm.GITHUB else {}
        return {**version, "Authorization": f"Bearer {self.token}"} if self.token else version

    def trusted(self) -> tuple[AllowedHost, ...]:
        """Return the hosts that being configured permits to read."""
        names = [self.host, urlsplit(self.api_url).netloc.lower(), self.raw_host]
        return tuple(AllowedHost(name) for name in dict.fromkeys(names) if name)


WELL_KNOWN = (
    Integration(Scm.GITHUB, "github.com", "https://api.github.com"),
    Integration(Scm.GITLAB, "gitlab.com", "https://gitlab.com/api/v4"),
)


@dataclass(frozen=True)
class Page:
    """A file, a folder or a pattern of files in a repository, at a branch, a tag or a commit."""

    integration: Integration
    project: str
    """`owner/repository`, or a GitLab path of any depth."""
    ref: str
    path: str
    """Within the repository, decoded."""
    root: str
    """The URL of the page up to the reference, with a final slash."""

    def url(self, path: str) -> str:
        """Return the URL of another file of the same repository and reference."""
        return self.root + quote(path, safe="/*[]!")


@dataclass(frozen=True)
class RawFile:
    """Where the text of a file is asked for."""

    url: str
    headers: Mapping[str, str]


def find_page(url: str, integrations: Iterable[Integration]) -> Page | None:
    """Return what a URL means in a repository; None where no integration knows its host or it is no such page.

    The first step after `blob` is taken for the reference; a slash in a branch's name is written `%2F`.
    """
    parts = split_url(url)
    integration = find_integration(url, integrations)
    if integration is None:
        return None
    pattern = _GITHUB_PAGE if integration.scm is Scm.GITHUB else _GITLAB_PAGE
    match = pattern.fullmatch(parts.path)
    if match is None:
        return None
    root = f"{parts.scheme}://{parts.netloc}{parts.path[: match.start('path')]}"
    return Page(integration, match["project"], unquote(match["ref"]), unquote(match["path"]), root)


def raw_file(page: Page) -> RawFile:
    """Return where the text of a page's file stands: at the API, or without a token at the host of raw files."""
    integration, path = page.integration, quote(page.path, safe="/")
    if integration.scm is Scm.GITLAB:
        url = (
            f"{integration.api_url}/projects/{quote(page.project, safe='')}/repository/files/"
            f"{quote(page.path, safe='')}/raw?ref={quote(page.ref, safe='')}"
        )
        return RawFile(url, integration.headers())
    if integration.token is None and integration.raw_host:
        return RawFile(f"https://{integration.raw_host}/{page.project}/{quote(page.ref, safe='')}/{path}", {})
    url = f"{integration.api_url}/repos/{page.project}/contents/{path}?ref={quote(page.ref, safe='')}"
    return RawFile(url, {**integration.headers(), "Accept": "application/vnd.github.raw+json"})


def resolve(base: str, target: str, integrations: Iterable[Integration]) -> str:
    """Return the URL that a target means where it is named in the file at `base`; raises Unreadable.

    On a known host a path that begins with `/` starts at the root of the repository.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", target):
        return target
    page = find_page(base, integrations)
    if page is None:
        return urljoin(base, target)
    if target.startswith("/") and not target.startswith("//"):
        found = page.url(unquote(target.lstrip("/")))
    else:
        found = urljoin(base, target)
    if not _within(found, page.root):
        raise Unreadable(f"{target!r} leads out of the repository {page.project}; write the whole URL instead")
    return found


@lru_cache(maxsize=1024)
def scm_annotations(target: str, integrations: tuple[Integration, ...]) -> Mapping[str, str]:
    """Return the annotations that a URL on a known host gives an entity: where it is edited, where its source lies."""
    try:
        integration = find_integration(target, integrations)
    except Unreadable:
        return {}
    if integration is None:
        return {}
    folder = urljoin(target, "./")
    if integration.scm is Scm.GITLAB:
        edit = re.sub(r"/-/(blob|tree|edit)/", "/-/edit/", target, count=1)
        return {EDIT_URL: edit, SOURCE_LOCATION: f"url:{folder}"}
    return {EDIT_URL: _github_page(target, "edit"), SOURCE_LOCATION: f"url:{_github_page(folder, 'tree')}"}


def raw_url(url: str) -> str:
    """Return where a file's text stands when the URL is that of its page on a GitLab that is not configured."""
    parts = urlsplit(url)
    if "/-/blob/" in parts.path:
        return parts._replace(path=parts.path.replace("/-/blob/", "/-/raw/", 1), fragment="").geturl()
    return url


def find_integration(url: str, integrations: Iterable[Integration]) -> Integration | None:
    """Return the integration that knows the host of a URL; raises Unreadable for what no server should be asked."""
    parts = split_url(url)
    host, port = host_of(parts), parts.port
    names = {host, f"{host}:{port}"} if port in {None, 80, 443} else {f"{host}:{port}"}
    return next((one for one in integrations if one.host in names), None)


def _within(url: str, root: str) -> bool:
    return url.startswith(root) and not {".", ".."}.intersection(fully_unquoted(urlsplit(url).path).split("/"))


def _github_page(url: str, kind: str) -> str:
    return re.sub(r"//([^/]+)/([^/]+)/([^/]+)/(?:blob|tree|edit)/", rf"//\1/\2/\3/{kind}/", url, count=1)
