"""Reading a location's target: files, folders, patterns, http(s) URLs; bounded in size, number and time.

This is the one place where the catalog opens files and addresses. What may be read is decided by its policies.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.format.custom_kinds import CustomKind
from catalog.ingestion.place import FILE, URL, Place
from catalog.places import trees
from catalog.places.exchange import MAX_BYTES, TOTAL_SECONDS, Answer, Limits, Question
from catalog.places.faults import TooMuch, Unreadable
from catalog.places.files import FilePolicy, files_of, load
from catalog.places.globs import GLOB
from catalog.places.hosts import UrlPolicy
from catalog.places.rules import Rules
from catalog.places.scm import WELL_KNOWN, Integration, RawFile, find_page, raw_file, raw_url, resolve
from catalog.places.web import ask
from plugins.transport.deadline import Deadline

__all__ = ["FILE", "GLOB", "URL", "Content", "Known", "Place", "Reader", "TooMuch", "Unreadable"]

MAX_FILE_BYTES = MAX_BYTES
MAX_TARGET_CHARACTERS = 2000
LOCATION_SECONDS = 600.0
"""For all the URLs that one registered location leads to."""
JUDGEMENT = 5
"""Raised when files are judged in another way: what was remembered of them is then forgotten."""
ACCEPT = "application/yaml, text/yaml, text/plain, */*;q=0.1"


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
    """Opens targets, within its policies and limits. `catalog.settings.current().reader()` is the configured one."""

    urls: UrlPolicy = UrlPolicy()
    files: FilePolicy = FilePolicy()
    integrations: tuple[Integration, ...] = WELL_KNOWN
    rules: Rules | None = None
    """Which kinds may come from where; None: all from everywhere."""
    kinds: tuple[CustomKind, ...] = ()
    """Kinds beside Backstage's."""
    max_file_bytes: int = MAX_FILE_BYTES
    total_seconds: float = TOTAL_SECONDS
    """How long one URL may take from the first byte of the request to the last of the answer."""
    deadline: Deadline | None = None
    """Of all that one registered location leads to."""

    def basis(self) -> str:
        """Return what a verdict rests on beside the content: where it differs, the content is judged again."""
        return hashlib.sha256(repr((JUDGEMENT, self.rules, self.kinds)).encode()).hexdigest()[:16]

    def for_operator(self) -> "Reader":
        """Return the reader for what an operator registered: it may hold every kind, but where it has own rules."""
        return replace(self, rules=replace(self.rules, others_unbound=True)) if self.rules else self

    def within(self, type_: str, target: str, seconds: float | None = None) -> "Reader":
        """Return the reader for all that a registered target leads to, read within so many seconds or the usual."""
        files = self.files.within(target) if type_ == FILE else self.files
        return replace(self, files=files, deadline=Deadline(seconds or LOCATION_SECONDS))

    def places(self, type_: str, target: str) -> Iterator[Place]:
        """Yield the files that a target means, sorted; raises Unreadable when there is no such target."""
        if type_ == FILE:
            for path in files_of(target, self.files):
                yield Place(FILE, path)
        elif trees.is_url_pattern(target):
            for url in trees.matching(target, self.integrations, self.urls, self._limits()):
                yield Place(URL, url)
        else:
            yield Place(URL, target)

    def resolve(self, base: Place, target: str) -> str:
        """Return the URL that a target means where it is named in a file; raises Unreadable."""
        return resolve(base.target, target, self.integrations)

    def read(self, place: Place, known: Known | None = None) -> Content:
        """Return what stands at a place; raises Unreadable."""
        if place.type == URL:
            return self._fetch(place.target, known)
        data = load(Path(place.target), self.files, self.max_file_bytes)
        return _content(data, known, None)

    def _fetch(self, url: str, known: Known | None) -> Content:
        refused = self.urls.refusal(url)
        if refused:
            raise Unreadable(refused)
        source = self._source(url)
        headers = {"Accept": ACCEPT, **source.headers}
        if known and known.http_etag:
            headers["If-None-Match"] = known.http_etag
        answer = ask(Question(source.url, headers), self.urls, self._limits())
        if answer.status == 304 and known:
            return Content(known.digest, None, known.http_etag)
        _require_text(url, answer)
        return _content(answer.body, known, answer.headers.get("ETag"))

    def _source(self, url: str) -> RawFile:
        page = find_page(url, self.integrations)
        return raw_file(page) if page else RawFile(raw_url(url), {})

    def _limits(self) -> Limits:
        if self.deadline is None:
            return Limits(self.max_file_bytes, self.total_seconds)
        left = self.deadline.remaining()
        if left <= 0:
            raise TooMuch(f"It takes longer than {self.deadline.seconds:g} s; make locations of their own of its parts")
        return Limits(self.max_file_bytes, min(self.total_seconds, left))


def _content(data: bytes, known: Known | None, etag: str | None) -> Content:
    digest = hashlib.sha256(data).hexdigest()
    return Content(digest, None if known and known.digest == digest else data, etag)


def _require_text(url: str, answer: Answer) -> None:
    trees.require_good(url, answer)
    if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "text/html":
        raise Unreadable(f"{url} answers a web page, not YAML; give the address of the raw file")
