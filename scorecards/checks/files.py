"""Reads catalogue files: YAML without its traps, every fault named by file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from portal_backend.core.errors import Fault
from scorecards.checks.definitions import CatalogueFile

MAX_FILE_BYTES = 1024 * 1024
MAX_NODES = 50_000
"""Aliases make a small file stand for a large document; what they stand for counts here."""


class _PlainYaml(yaml.CSafeLoader):
    """Refuses a mapping that has a key twice, of which YAML would keep the last without a word; dates stay texts."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; raises ConstructorError naming the repeated key."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys if len(set(keys)) < len(keys) else ():
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_paths(paths: Sequence[Path], faults: list[Fault]) -> list[CatalogueFile]:
    """Return the files at these paths, a folder's *.yaml files by name; what cannot be read is a fault."""
    return [read for path in paths for file in _files(path, faults) if (read := _read(file, faults))]


def read_text(name: str, text: str, faults: list[Fault]) -> CatalogueFile | None:
    """Parse one file's text; None, and a fault, when it is no YAML, too large, or more than one document."""
    documents = read_documents(name, text, faults)
    if documents is None:
        return None
    if len(documents) > 1:
        faults.append(Fault(name, "holds more than one document (`---`); put each into a file of its own"))
        return None
    return CatalogueFile(name, documents[0] if documents else None)


def read_documents(name: str, text: str, faults: list[Fault]) -> list[Any] | None:
    """Parse the documents of one text, leaving out empty ones; None, and a fault, when it is no YAML or too large."""
    try:
        if len(text.encode()) > MAX_FILE_BYTES:
            raise ValueError(f"is larger than {MAX_FILE_BYTES} bytes; split it")
        documents = [one for one in yaml.load_all(text, Loader=_PlainYaml) if one is not None]
        if _size(documents) > MAX_NODES:
            raise ValueError(f"stands for more than {MAX_NODES} values; split it, or write fewer aliases")
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        faults.append(Fault(name, f"cannot be read: {_said(error)}"))
        return None
    return documents


def _said(error: Exception) -> str:
    """Say what is wrong, and where in the file."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        mark = error.problem_mark
        return f"{' '.join(error.problem.split())}, at line {mark.line + 1}, column {mark.column + 1}"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not written in UTF-8 (byte {error.start}); save it as UTF-8"
    return " ".join(str(error).split())


def _files(path: Path, faults: list[Fault]) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"})
        if not found:
            faults.append(Fault(str(path), "the folder holds no *.yaml file"))
        return found
    return [path]


def _read(file: Path, faults: list[Fault]) -> CatalogueFile | None:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"is larger than {MAX_FILE_BYTES} bytes; split it")
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        faults.append(Fault(file.name, f"cannot be read: {_said(error)}"))
        return None
    return read_text(file.name, text, faults)


def _size(content: Any) -> int:
    """Count the values of a document, stopping soon after MAX_NODES."""
    count, waiting = 0, [content]
    while waiting and count <= MAX_NODES:
        node = waiting.pop()
        count += 1
        if isinstance(node, dict):
            waiting.extend(node.values())
            waiting.extend(node)
        elif isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, str):
            node.encode()  # raises ValueError for half a character, which no answer could carry
    return count
