"""A file's content to entities and faults: what adding, refreshing and validating have in common. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.format.envelope import LOCATION_ANNOTATIONS, has_annotations, is_name, is_namespace
from catalog.format.kind_rules import check_entity
from catalog.format.kinds import STANDARD_KINDS, Kind, KnownKinds
from catalog.format.placeholders import unfilled
from catalog.format.quick_check import ordinary_kind
from catalog.format.refs import DEFAULT_NAMESPACE, make_ref
from catalog.format.yaml_documents import NOTHING_KNOWN, Document, read_documents
from portal_backend.core.faults import Fault

MAX_WRITTEN = 255
"""Characters of a kind, a namespace or a name that is told although it is wrong."""
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
    source: Document | None = None
    """What it was read from, if it has faults: it tells their positions."""
    digest: str = ""
    """Of its text; empty where that alone does not say what it means, since placeholders were filled."""
    is_known: bool = False
    """It has the text that the caller knows at this position, and was not judged."""
    written_ref: str = ""
    """Where there is no `ref`: what it would be by kind, namespace and name as written, good or not."""


Fill = Callable[[Any], tuple[Any, list[Fault]]]
"""Puts what placeholders stand for in their place: takes a document, returns it filled, with a fault for each left."""

PROTOTYPE = "__proto__"
"""A key that JavaScript gives a meaning of its own; Backstage loses it where it holds a mapping or a list."""

UNORDERED = ("providesApis", "consumesApis", "dependsOn", "dependencyOf", "memberOf", "children", "members")
"""Fields of `spec` whose order says nothing; Backstage sorts them, so that a new order is no change."""


def judge_documents(
    content: bytes,
    fill: Fill | None = None,
    kinds: KnownKinds = STANDARD_KINDS,
    known: Mapping[int, str] = NOTHING_KNOWN,
) -> Iterator[JudgedDocument]:
    """Yield every document of a file with its verdict; empty documents are left out.

    Without `fill` a placeholder is a fault. It is not called for documents that hold none. `known` holds the digests of
    documents, by their positions, that the caller has judged before.
    """
    may_hold_placeholders = b"$" in content
    may_hold_prototypes = PROTOTYPE.encode() in content
    for document in read_documents(content, known):
        if document.is_known:
            yield JudgedDocument(document.index, None, None, (), digest=document.digest, is_known=True)
            continue
        if document.fault is not None:
            yield JudgedDocument(document.index, None, None, (document.fault,), source=document)
            continue
        value = document.value
        open_ends: list[Fault] = []
        digest = document.digest
        if may_hold_placeholders and (left := unfilled(value)):
            value, open_ends = fill(value) if fill else (value, left)
            digest = ""
        if may_hold_prototypes:
            value = without_prototypes(value)
        yield _judge(document, value, open_ends, kinds, digest)


def without_prototypes(value: Any) -> Any:
    """Return a document as Backstage goes on with it: without what JavaScript takes for an object's prototype."""
    if isinstance(value, list):
        return [without_prototypes(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: without_prototypes(inner)
        for key, inner in value.items()
        if key != PROTOTYPE or not isinstance(inner, dict | list)
    }


def _judge(
    document: Document, value: Any, open_ends: list[Fault], kinds: KnownKinds, digest: str = ""
) -> JudgedDocument:
    kind = None if open_ends else ordinary_kind(value, kinds)
    if kind is not None:
        return JudgedDocument(document.index, make_ref(*_written(value)), _completed(value), (), kind, digest=digest)
    places = {fault.path for fault in open_ends}
    faults = _bounded([fault for fault in check_entity(value, kinds) if fault.path not in places] + open_ends)
    if faults:
        ref = _ref(value)
        written_ref = "" if ref else _written_ref(value)
        return JudgedDocument(
            document.index, ref, None, faults, source=document, digest=digest, written_ref=written_ref
        )
    return JudgedDocument(document.index, _ref(value), _completed(value), (), kinds.find(value), digest=digest)


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


def _written_ref(document: Any) -> str:
    """Return the reference that a document would have by what it says; empty where it says too little, or too much."""
    parts = _written(document)
    if not all(part and part.isprintable() and len(part) <= MAX_WRITTEN for part in parts):
        return ""
    return make_ref(*parts)


def _written(document: Any) -> tuple[str, str, str]:
    """Return kind, namespace and name as a document says them; empty where one of them is no text."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict):
        return "", "", ""
    parts = document.get("kind"), metadata.get("namespace", DEFAULT_NAMESPACE), metadata.get("name")
    kind, namespace, name = (part if isinstance(part, str) else "" for part in parts)
    return kind, namespace, name


def _ref(document: Any) -> str | None:
    """Return the reference of a document that has a usable kind, namespace and name, whatever else is wrong with it."""
    kind, namespace, name = _written(document)
    if not (kind.isalnum() and is_name(name) and is_namespace(namespace)):
        return None
    return make_ref(kind, namespace, name)
