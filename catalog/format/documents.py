"""A file's content to entities and faults: what adding, refreshing and validating have in common. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.format.envelope import LOCATION_ANNOTATIONS, has_annotations, is_name, is_namespace
from catalog.format.kind_rules import check_entity
from catalog.format.kinds import STANDARD_KINDS, Kind, KnownKinds
from catalog.format.placeholders import unfilled
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
    """The entity, completed; None when it has faults."""
    faults: tuple[Fault, ...]
    kind: Kind | None = None
    """The kind that it was judged as."""


Fill = Callable[[Any], tuple[Any, list[Fault]]]
"""Puts what placeholders stand for in their place: takes a document, returns it filled, with a fault for each left."""

UNORDERED = ("providesApis", "consumesApis", "dependsOn", "dependencyOf", "memberOf", "children", "members")
"""Fields of `spec` whose order says nothing; Backstage sorts them, so that a new order is no change."""


def judge_documents(
    content: bytes, fill: Fill | None = None, kinds: KnownKinds = STANDARD_KINDS
) -> Iterator[JudgedDocument]:
    """Yield every document of a file with its verdict; empty documents are left out.

    Without `fill` a placeholder is a fault. It is not called for documents that hold none.
    """
    may_hold_placeholders = b"$" in content
    for document in read_documents(content):
        if document.fault is not None:
            yield JudgedDocument(document.index, None, None, (document.fault,))
            continue
        value = document.value
        open_ends: list[Fault] = []
        if may_hold_placeholders and (left := unfilled(value)):
            value, open_ends = fill(value) if fill else (value, left)
        yield _judge(document.index, value, open_ends, kinds)


def _judge(index: int, value: Any, open_ends: list[Fault], kinds: KnownKinds) -> JudgedDocument:
    places = {fault.path for fault in open_ends}
    faults = _bounded([fault for fault in check_entity(value, kinds) if fault.path not in places] + open_ends)
    if faults:
        return JudgedDocument(index, _ref(value), None, faults)
    return JudgedDocument(index, _ref(value), _completed(value), (), kinds.find(value))


def _bounded(faults: list[Fault]) -> tuple[Fault, ...]:
    if len(faults) <= MAX_FAULTS:
        return tuple(faults)
    more = Fault("", f"There are {len(faults) - MAX_FAULTS} more faults; mend the first ones and check again.")
    return (*faults[:MAX_FAULTS], more)


def _completed(entity: dict[str, Any]) -> dict[str, Any]:
    """Return the entity as Backstage goes on with it; a copy where it differs, for aliases may share a mapping."""
    metadata = entity["metadata"]
    if "namespace" not in metadata:
        metadata = {**metadata, "namespace": DEFAULT_NAMESPACE}
    if "annotations" in metadata:
        metadata = _without_own_annotations(metadata)
    spec = entity.get("spec")
    if isinstance(spec, dict) and not spec.keys().isdisjoint(UNORDERED):
        return {**entity, "metadata": metadata, "spec": _in_order(spec)}
    return entity if metadata is entity["metadata"] else {**entity, "metadata": metadata}


def _without_own_annotations(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out the annotations that the catalog writes itself, whatever the file says."""
    if not has_annotations(metadata):
        return {key: value for key, value in metadata.items() if key != "annotations"}
    annotations = metadata["annotations"]
    if annotations.keys().isdisjoint(LOCATION_ANNOTATIONS):
        return metadata
    return {
        **metadata,
        "annotations": {key: value for key, value in annotations.items() if key not in LOCATION_ANNOTATIONS},
    }


def _in_order(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Sort what has no order of its own, by UTF-16 code units as JavaScript does."""
    return {
        key: sorted(value, key=_code_units)
        if key in UNORDERED and isinstance(value, list) and all(isinstance(item, str) for item in value)
        else value
        for key, value in spec.items()
    }


def _code_units(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


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
