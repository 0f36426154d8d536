"""Files of this machine: which of them a target means, and which of them may be read."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from catalog.places.faults import TooMuch, Unreadable
from catalog.places.globs import GLOB, PathPattern, is_pattern

SUFFIXES = (".yaml", ".yml")
MAX_FOLDERS = 100_000
SKIPPED_FOLDERS = frozenset({".git", "node_modules"})


@dataclass(frozen=True)
class FilePolicy:
    """Which files may be read."""

    roots: tuple[str, ...] | None = None
    """Folders and files (absolute); None: wherever an operator points, and from there nothing outside its folder."""
    _real: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Where folders lead that were looked at already, in the course of one read."""

    def within(self, target: str) -> "FilePolicy":
        """Return the policy for all that a registered target leads to: without roots, its own folder is the root."""
        if self.roots is not None:
            return FilePolicy(self.roots)
        path = fixed_part(target)
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        return FilePolicy((folder, path))

    def refusal(self, path: str) -> str | None:
        """Say why a path may not be read; None where it may. Links are followed to where they lead."""
        if self.roots is None:
            return None
        real = self._real_path(path)
        for root in map(self._real_folder, self.roots):
            if real == root or real.startswith(root.rstrip(os.sep) + os.sep):
                return None
        return (
            f"{path} may not be read: it lies outside {', '.join(dict.fromkeys(self.roots))}; "
            "name its folder in catalog.reading.roots of portal.yaml to permit it"
        )

    def _real_path(self, path: str) -> str:
        if os.path.islink(path) or os.path.basename(path) in {"", ".", ".."}:
            return os.path.realpath(path)
        return os.path.join(self._real_folder(os.path.dirname(path)), os.path.basename(path))

    def _real_folder(self, path: str) -> str:
        if path not in self._real:
            self._real[path] = os.path.realpath(path)
        return self._real[path]


def fixed_part(target: str) -> str:
    """Return the path of a target up to the first step that is a pattern."""
    if not is_pattern(target) or os.path.exists(target):
        return target
    parts = Path(target).parts
    return str(Path(*parts[: next(index for index, part in enumerate(parts) if GLOB.search(part))]))


def files_of(target: str, policy: FilePolicy) -> Iterator[str]:
    """Yield the files that a target means, in order; raises Unreadable where there is none to be had."""
    start = fixed_part(target)
    refused = policy.refusal(start)
    if refused:
        raise Unreadable(refused)
    if os.path.isdir(target):
        yield from _walk(Path(target), None)
    elif start != target:
        yield from _walk(Path(start), PathPattern(target))
    else:
        yield target


def load(path: Path, policy: FilePolicy, max_bytes: int) -> bytes:
    """Return the content of a regular file; raises Unreadable."""
    refused = policy.refusal(str(path))
    if refused:
        raise Unreadable(refused)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(f"{path} is not a regular file")
        if status.st_size > max_bytes:
            raise Unreadable(f"{path} {_too_large(status.st_size, max_bytes)}")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read: {_reason(error)}") from error
    if len(data) > max_bytes:
        raise Unreadable(f"{path} {_too_large(len(data), max_bytes)}")
    return data


def _too_large(size: int, max_bytes: int) -> str:
    return f"has {size} bytes; at most {max_bytes} are read, so split it"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _walk(folder: Path, pattern: PathPattern | None) -> Iterator[str]:
    """Yield the YAML files below a folder in order; links to folders are left out."""
    errors: list[OSError] = []
    for count, (parent, names, files) in enumerate(os.walk(folder, onerror=errors.append)):
        # A folder that starts with `..` is how Kubernetes keeps the versions of a mounted ConfigMap.
        names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS and not name.startswith(".."))
        if count >= MAX_FOLDERS:
            raise TooMuch(f"{folder} has more than {MAX_FOLDERS} folders; give one further down")
        for name in sorted(files):
            path = os.path.join(parent, name)
            wanted = name.lower().endswith(SUFFIXES) if pattern is None else pattern.fits(path)
            if wanted and _stays_inside(path, folder):
                yield path
    if errors:
        raise Unreadable(f"{errors[0].filename} cannot be read: {_reason(errors[0])}")


def _stays_inside(path: str, folder: Path) -> bool:
    """Say whether a file is not a link that leads out of the folder."""
    if not os.path.islink(path):
        return True
    inside = os.path.join(os.path.realpath(folder), "")
    return os.path.realpath(path).startswith(inside)
