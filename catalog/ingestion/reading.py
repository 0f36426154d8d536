"""Reading a location's target: files, folders, patterns, http(s) URLs; bounded in size, number and time.

This is the one place where the catalog opens files and addresses: what may be read is decided here.
"""

import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

FILE, URL = "file", "url"
SUFFIXES = (".yaml", ".yml")
MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_TARGET_CHARACTERS = 2000
MAX_FOLDERS = 100_000
SKIPPED_FOLDERS = frozenset({".git", "node_modules"})
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 5.0, 10.0, 30.0
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
CHUNK_BYTES = 64 * 1024
GLOB = re.compile(r"[*?\[]")
WILDCARD = re.compile(r"\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


class Unreadable(Exception):
    """A target cannot be read; the message says why and, where one can, what to do."""


class TooMuch(Unreadable):
    """A limit on the whole of a location is reached; nothing more of it is read."""


@dataclass(frozen=True)
class Place:
    """One file or one URL."""

    type: str
    target: str


@dataclass(frozen=True)
class Content:
    """What stands at a place."""

    digest: str
    """SHA-256 of the bytes; what was known before when the server says that nothing changed."""
    data: bytes | None
    """None when it is known to be unchanged."""
    http_etag: str | None = None


@dataclass(frozen=True)
class Known:
    """What an earlier read remembers of a place."""

    digest: str
    http_etag: str | None = None


@dataclass(frozen=True)
class Reader:
    """Opens targets, within its limits."""

    allowed_hosts: frozenset[str] | None = None
    """Hosts that may be asked; None allows all."""
    max_file_bytes: int = MAX_FILE_BYTES
    total_seconds: float = TOTAL_SECONDS
    """How long one URL may take from the first byte of the request to the last of the answer."""

    def places(self, type_: str, target: str) -> Iterator[Place]:
        """Yield the files that a target means, sorted; raises Unreadable when there is no such target."""
        if type_ == URL:
            yield Place(URL, target)
            return
        for path in _files(Path(target)):
            yield Place(FILE, path)

    def read(self, place: Place, known: Known | None = None) -> Content:
        """Return what stands at a place; raises Unreadable."""
        if place.type == URL:
            return self._fetch(place.target, known)
        data = self._load(Path(place.target))
        digest = hashlib.sha256(data).hexdigest()
        return Content(digest, None if known and known.digest == digest else data)

    def _load(self, path: Path) -> bytes:
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(f"{path} is not a regular file")
            if status.st_size > self.max_file_bytes:
                raise Unreadable(f"{path} {self._too_large(status.st_size)}")
            with path.open("rb") as file:
                data = file.read(self.max_file_bytes + 1)
        except (OSError, ValueError) as error:
            raise Unreadable(f"{path} cannot be read: {_reason(error)}") from error
        if len(data) > self.max_file_bytes:
            raise Unreadable(f"{path} {self._too_large(len(data))}")
        return data

    def _too_large(self, size: int) -> str:
        return f"has {size} bytes; at most {self.max_file_bytes} are read, so split it"

    def _fetch(self, url: str, known: Known | None) -> Content:
        headers = {"Accept": "application/yaml, text/yaml, text/plain, */*;q=0.1"}
        if known and known.http_etag:
            headers["If-None-Match"] = known.http_etag
        deadline = time.monotonic() + self.total_seconds
        try:
            with requests.Session() as session, self._open(session, raw_url(url), headers, deadline) as response:
                if response.status_code == 304 and known:
                    return Content(known.digest, None, known.http_etag)
                _require_yaml(url, response)
                data = self._body(url, response, deadline)
                etag = response.headers.get("ETag")
        except (requests.RequestException, OSError, ValueError) as error:
            raise Unreadable(f"{url} cannot be read: {_reason(error)}") from error
        digest = hashlib.sha256(data).hexdigest()
        return Content(digest, None if known and known.digest == digest else data, etag)

    def _open(self, session: requests.Session, url: str, headers: dict[str, str], deadline: float) -> requests.Response:
        """Follow redirects one by one: each new address must be allowed like the first."""
        for _ in range(MAX_REDIRECTS + 1):
            self._require_allowed(url)
            wait = max(0.1, min(READ_SECONDS, deadline - time.monotonic()))
            response = session.get(
                url, headers=headers, stream=True, allow_redirects=False, timeout=(min(CONNECT_SECONDS, wait), wait)
            )
            if response.status_code not in REDIRECTS or "Location" not in response.headers:
                return response
            response.close()
            url = urljoin(url, response.headers["Location"])
        raise Unreadable(f"{url} redirects more than {MAX_REDIRECTS} times")

    def _require_allowed(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Unreadable(f"{url} is no http or https URL")
        if self.allowed_hosts is not None and parts.hostname not in self.allowed_hosts:
            raise Unreadable(f"{url} may not be read: {parts.hostname} is not among the allowed hosts")

    def _body(self, url: str, response: requests.Response, deadline: float) -> bytes:
        """Read as the bytes arrive, so that a server that drips them cannot hold us past the deadline."""
        data = bytearray()
        while True:
            part = response.raw.read1(CHUNK_BYTES, decode_content=True)
            if not part:
                return bytes(data)
            data += part
            if len(data) > self.max_file_bytes:
                raise Unreadable(f"{url} has more than the {self.max_file_bytes} bytes that are read; split it")
            if time.monotonic() > deadline:
                raise Unreadable(f"{url} took longer than {self.total_seconds:g} seconds")


def raw_url(url: str) -> str:
    """Return where a file's text stands when the URL is that of its page on GitHub or GitLab; else the URL itself."""
    parts = urlsplit(url)
    steps = parts.path.split("/")
    if parts.hostname == "github.com" and len(steps) > 5 and steps[3] in {"blob", "tree", "raw"}:
        path = "/".join([*steps[:3], *steps[4:]])
        return parts._replace(netloc="raw.githubusercontent.com", path=path, query="", fragment="").geturl()
    if "/-/blob/" in parts.path:
        return parts._replace(path=parts.path.replace("/-/blob/", "/-/raw/", 1), fragment="").geturl()
    return url


def _require_yaml(url: str, response: requests.Response) -> None:
    if response.status_code != 200:
        raise Unreadable(f"{url} answers {response.status_code} {response.reason or ''}".rstrip())
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "text/html":
        raise Unreadable(f"{url} answers a web page, not YAML; give the address of the raw file")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _files(target: Path) -> Iterator[str]:
    if target.is_dir():
        yield from _walk(target, None)
    elif GLOB.search(str(target)) and not target.exists():
        parts = target.parts
        fixed = next(index for index, part in enumerate(parts) if GLOB.search(part))
        yield from _walk(Path(*parts[:fixed]), _pattern(target))
    else:
        yield str(target)


def _walk(folder: Path, pattern: re.Pattern[str] | None) -> Iterator[str]:
    """Yield the YAML files below a folder in order; links to folders are left out."""
    errors: list[OSError] = []
    for count, (parent, names, files) in enumerate(os.walk(folder, onerror=errors.append)):
        # A folder that starts with `..` is how Kubernetes keeps the versions of a mounted ConfigMap.
        names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS and not name.startswith(".."))
        if count >= MAX_FOLDERS:
            raise TooMuch(f"{folder} has more than {MAX_FOLDERS} folders; give one further down")
        for name in sorted(files):
            path = os.path.join(parent, name)
            wanted = name.lower().endswith(SUFFIXES) if pattern is None else pattern.fullmatch(path)
            if wanted and _stays_inside(path, folder):
                yield path
    if errors:
        raise Unreadable(f"{errors[0].filename} cannot be read: {_reason(errors[0])}")


def _stays_inside(path: str, folder: Path) -> bool:
    """Say whether a file is not a link that leads out of the folder."""
    return not os.path.islink(path) or Path(path).resolve().is_relative_to(folder.resolve())


def _pattern(target: Path) -> re.Pattern[str]:
    """Translate a path with `*`, `?`, `[…]` in a step, and `**` for any number of folders."""
    expression = re.escape(target.parts[0].rstrip(os.sep))
    for step in target.parts[1:]:
        expression += r"(?:/[^/]+)*" if step == "**" else "/" + WILDCARD.sub(_wildcard, step)
    try:
        return re.compile(expression)
    except re.error as error:
        raise Unreadable(f"{target} is no pattern that can be understood: {error}") from error


def _wildcard(match: re.Match[str]) -> str:
    text = match.group()
    if text == "*":
        return "[^/]*"
    if text == "?":
        return "[^/]"
    if len(text) > 1:
        return "[" + ("^" if text[1] == "!" else "") + text[1:].removeprefix("!").replace("\\", "\\\\")
    return re.escape(text)
