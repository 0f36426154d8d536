"""What a code host shows of the files of a repository, and where in it a service lives. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit

from plugins.repository_files.entries import WILD, Entry

SOURCE_LOCATION = "backstage.io/source-location"
MAX_BYTES = 512 * 1024
"""Of a file that is read."""
MAX_MATCHED = 50
"""Files that a path with `*` may stand for."""
LFS = "version https://git-lfs.github.com/spec/"
_BELOW = re.compile(r"^/(?P<slug>.+?)/(?:-/)?(?P<how>tree|blob)/[^/]+(?:/(?P<path>.*))?$")


@dataclass(frozen=True)
class File:
    """A file that is there."""

    path: str
    text: str | None = None
    """None where it was not asked for, or cannot be had."""
    why: str = ""
    """Why its text cannot be had."""


@dataclass(frozen=True)
class Listing:
    """The files right in a folder; none where there is no such folder."""

    names: Sequence[str]
    is_whole: bool = True


@dataclass
class Wanted:
    """What to ask of one repository."""

    paths: dict[str, bool] = field(default_factory=dict)
    """Files by their path from the root, and whether their text is needed."""
    folders: set[str] = field(default_factory=set)
    """Folders whose files are to be listed; the root is empty."""

    def want(self, path: str, text: bool) -> None:
        """Add a file."""
        self.paths[path] = self.paths.get(path, False) or text

    def __len__(self) -> int:
        return len(self.paths) + len(self.folders)


@dataclass
class Seen:
    """What was answered of one repository."""

    files: dict[str, File | None] = field(default_factory=dict)
    """By path; None where there is none."""
    folders: dict[str, Listing] = field(default_factory=dict)
    hidden: str = ""
    """Why nothing can be said of its files; empty where something can."""

    def add(self, other: "Seen") -> None:
        """Take in what a further question was answered."""
        self.files |= other.files
        self.folders |= other.folders
        self.hidden = self.hidden or other.hidden


def readable(path: str, size: int, text: str | None, is_cut: bool) -> File:
    """Return a file with its text, or with the reason why that is not to be had; `size` is in bytes.

    Lines end alike, whoever wrote them.
    """
    if size > MAX_BYTES or is_cut:
        return File(path, why=f"it has {size:,} bytes; at most {MAX_BYTES:,} are read")
    if text is None and size:
        return File(path, why="it holds no text")
    text = (text or "").removeprefix("\ufeff").replace("\r\n", "\n")
    if text.startswith(LFS):
        return File(path, why="its content lies in Git LFS, which is not read")
    return File(path, text)


def folder_of(annotations: Mapping[str, str], slug: str) -> str:
    """Return the folder of a repository that a service lives in, by its source location; empty for the root.

    A folder that is hidden, such as `.backstage`, holds the catalog file alone: the one that it lies in counts.
    """
    location = annotations.get(SOURCE_LOCATION, "").strip().removeprefix("url:")
    try:
        found = _BELOW.match(unquote(urlsplit(location).path))
    except ValueError:
        return ""
    if not found or not found["path"] or (not slug.isdecimal() and found["slug"].lower() != slug.lower()):
        return ""
    steps = [step for step in found["path"].split("/") if step not in ("", ".")]
    if ".." in steps:
        return ""
    if found["how"] == "blob" and not found["path"].endswith("/"):
        steps = steps[:-1]
    while steps and steps[-1].startswith("."):
        steps.pop()
    return "/".join(steps)


def is_wild(path: str) -> bool:
    """Say whether a path stands for the files of a folder that fit it. Signs in the names of folders are no pattern."""
    return WILD.search(path.rpartition("/")[2]) is not None


def path_in(path: str, folder: str) -> str:
    """Return an entry's path from the root of the repository."""
    return path[1:] if path.startswith("/") else f"{folder}/{path}".lstrip("/")


def first_wanted(entries: Sequence[Entry], folders: Iterable[str]) -> Wanted:
    """Return what to ask first, for services that live in these folders: files by name, and folders to list."""
    wanted = Wanted()
    for folder in set(folders):
        for entry in entries:
            for path in (path_in(one, folder) for one in entry.paths):
                if is_wild(path):
                    wanted.folders.add(path.rpartition("/")[0])
                else:
                    wanted.want(path, entry.needs_text)
    return wanted


def then_wanted(entries: Sequence[Entry], folders: Iterable[str], seen: Seen) -> Wanted:
    """Return the files that are to be read now that the folders are listed."""
    wanted = Wanted()
    for folder in set(folders):
        for entry in entries:
            if entry.needs_text:
                for path in (path_in(one, folder) for one in entry.paths):
                    for matched in fitting(path, seen)[0]:
                        wanted.want(matched, True)
    wanted.paths = {path: text for path, text in wanted.paths.items() if path not in seen.files}
    return wanted


def fitting(path: str, seen: Seen) -> tuple[list[str], bool]:
    """Return the files that a path with `*` stands for, as many as are read (none of another), and if these are all."""
    if not is_wild(path):
        return [], True
    names, whole = listed(path, seen)
    return names[:MAX_MATCHED], whole and len(names) <= MAX_MATCHED


def listed(path: str, seen: Seen) -> tuple[list[str], bool]:
    """Return the paths of the files of a folder that fit a path with `*`, and whether the folder was listed whole."""
    parent, _, name = path.rpartition("/")
    listing = seen.folders.get(parent, Listing((), is_whole=False))
    pattern = name.replace("[", "[[]")
    names = [f"{parent}/{one}".lstrip("/") for one in sorted(listing.names) if fnmatchcase(one, pattern)]
    return names, listing.is_whole
