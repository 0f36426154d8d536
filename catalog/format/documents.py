"""A file's content to entities and faults: what adding, refreshing and validating have in common. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from catalog.format.envelope import is_name, is_namespace
from catalog.format.kinds import check_entity
from catalog.format.refs import DEFAULT_NAMESPACE, make_ref
from catalog.format.yaml_documents import read_documents
from portal_backend.core.errors import Fault

MAX_FAULTS = 50
"""Faults told of one document."""


@dataclass(frozen=True)
class JudgedDocument:
    """One document of a file and all that is wrong with it."""

    index: int
    """Position in the file from 0."""
    ref: str | None
    """The entity's reference, as far as kind and name can be read."""
    entity: dict[str, Any] | None
    """The entity, its namespace filled in; None when it has faults."""
    faults: tuple[Fault, ...]


def judge_documents(content: bytes) -> Iterator[JudgedDocument]:
    """Yield every document of a file with its verdict; empty documents are left out."""
    for document in read_documents(content):
        if document.fault is not None:
            yield JudgedDocument(document.index, None, None, (document.fault,))
            continue
        faults = _bounded(check_entity(document.value))
        ref = _ref(document.value)
        yield JudgedDocument(document.index, ref, None if faults else _with_namespace(document.value), faults)


def _bounded(faults: list[Fault]) -> tuple[Fault, ...]:
    if len(faults) <= MAX_FAULTS:
        return tuple(faults)
    more = Fault("", f"There are {len(faults) - MAX_FAULTS} more faults; mend the first ones and check again.")
    return (*faults[:MAX_FAULTS], more)


def _with_namespace(entity: dict[str, Any]) -> dict[str, Any]:
    """Fill in the default namespace, on a copy: an alias may show the same mapping elsewhere."""
    metadata = entity["metadata"]
    if "namespace" in metadata:
        return entity
    return {**entity, "metadata": {**metadata, "namespace": DEFAULT_NAMESPACE}}


def _ref(document: Any) -> str | None:
    """Return the reference of a document that has a usable kind, namespace and name, whatever else is wrong with it."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict):
        return None
    kind, name = document.get("kind"), metadata.get("name")
    namespace = metadata.get("namespace", DEFAULT_NAMESPACE)
    if not (isinstance(kind, str) and isinstance(name, str) and isinstance(namespace, str)):
        return None
    if not (kind.isalnum() and is_name(name) and is_namespace(namespace)):
        return None
    return make_ref(kind, namespace, name)
