"""YAML documents out of files and streams. One that is broken never takes its neighbours along."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from plugins.contract import PullFault
from plugins.yaml_bounds import check_size

MAX_FILES = 5000
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_DOCUMENT_CHARACTERS = 1024 * 1024
MAX_NESTING = 60
"""The loader recurses on the machine's stack, whose overflow would end the process."""
MAX_NODES = 100_000
"""Of one document with its aliases written out: nested aliases and merges grow exponentially."""
SUFFIXES = (".yaml", ".yml")

_UNREADABLE = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""PyYAML lets a value that its tag does not fit, such as `!!bool maybe`, raise what Python raises."""
_BOUNDARY = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_NOTHING = re.compile(r"(?:\s|^[#%].*$)*", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """One object of a stream: a document, or an item of a document that is a list."""

    where: str
    """File and number, for messages."""
    value: dict[str, Any]


@dataclass
class Loaded:
    """The objects that were found, and what could not be read."""

    documents: list[Document] = field(default_factory=list)
    faults: list[PullFault] = field(default_factory=list)
    files: int = 0


def load_paths(paths: Sequence[str], base_dir: Path) -> Loaded:
    """Read files, and folders with all that lies below them; relative paths start at `base_dir`."""
    loaded = Loaded()
    for path in paths:
        root = base_dir / path
        if not root.exists():
            loaded.faults.append(PullFault(path, "there is no such file or folder"))
        for file in _files(root):
            if loaded.files == MAX_FILES:
                loaded.faults.append(PullFault(path, f"holds more than {MAX_FILES} files; the others are not read"))
                return loaded
            loaded.files += 1
            if root.is_file():
                _load_file(file, path, loaded)
            else:
                name = str(Path(path) / file.relative_to(root))
                _load_file(file, name, loaded, root.resolve())
    return loaded


def load_text(text: str, name: str, loaded: Loaded) -> None:
    """Read a stream of documents; `name` tells people where it came from."""
    chunks = [chunk for chunk in _BOUNDARY.split(text.removeprefix("\ufeff")) if not _NOTHING.fullmatch(chunk)]
    for number, chunk in enumerate(chunks):
        where = f"{name}, document {number}"
        try:
            value = _load(chunk)
        except _UNREADABLE as error:
            loaded.faults.append(PullFault(where, f"is no YAML that can be read: {_shown(error)}"))
            continue
        _take(value, where, loaded)


def _files(root: Path) -> Iterator[Path]:
    """Yield the YAML files below a folder in order. Hidden folders are left out: in a mounted ConfigMap they hold the
    same files again.
    """
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield Path(folder, name)


def _load_file(file: Path, name: str, loaded: Loaded, folder: Path | None = None) -> None:
    """Read a file; one that was found in a folder must not be a link that leads out of it."""
    try:
        if folder and not file.resolve().is_relative_to(folder):
            raise ValueError("is a link that leads out of the folder")
        if not file.is_file():
            raise ValueError("is no regular file")
        if file.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"is larger than {MAX_FILE_BYTES:,} bytes")
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        loaded.faults.append(PullFault(name, getattr(error, "strerror", None) or str(error)))
        return
    load_text(text, name, loaded)


def _load(text: str) -> Any:
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        raise ValueError(f"it is longer than {MAX_DOCUMENT_CHARACTERS:,} characters")
    check_size(text, MAX_NESTING, MAX_NODES)
    return yaml.load(text, Loader=yaml.CSafeLoader)


def _take(value: Any, where: str, loaded: Loaded) -> None:
    """Keep an object, or each of a list."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            _take_object(item, f"{where}, item {number}", loaded)
    else:
        _take_object(value, where, loaded)


def _take_object(value: Any, where: str, loaded: Loaded) -> None:
    if isinstance(value, dict):
        loaded.documents.append(Document(where, value))
    elif value is not None:
        loaded.faults.append(PullFault(where, "is no object with apiVersion, kind, metadata and spec"))


def _shown(error: Exception) -> str:
    """Say in one line what is wrong and where in the document."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"{problem} (line {mark.line + 1} of the document)" if mark else str(problem)
