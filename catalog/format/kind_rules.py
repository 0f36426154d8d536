"""What the kind of an entity asks of its `spec`. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from catalog.format.envelope import check_envelope, check_text, is_api_version, is_kind, must_be, shown
from catalog.format.kinds import Field, Kind, KnownKinds, RelationType
from catalog.format.refs import DEFAULT_NAMESPACE, BadReference, target_ref
from portal_backend.core.faults import Fault

MAX_REF = 2000
"""Bytes; more does not fit into PostgreSQL's indexes."""
LOCATION = "Location"
FOLDER_RULE = "ends with a /, and a Location of files leads to no folder; write a pattern, such as ./services/*.yaml"


def check_entity(document: Any, kinds: KnownKinds) -> list[Fault]:
    """Return every fault of a document as an entity, of its envelope and of its kind; none means that it is good."""
    faults = check_envelope(document)
    if isinstance(document, dict):
        faults += _check_kind(document, kinds)
    return faults


def _check_kind(document: Mapping[str, Any], kinds: KnownKinds) -> Iterator[Fault]:
    name, version = document.get("kind"), document.get("apiVersion")
    if not (isinstance(name, str) and is_kind(name) and isinstance(version, str)):
        return
    kind = kinds.find(document)
    if kind is None:
        yield from _unknown(name, version, kinds)
        return
    spec = document.get("spec")
    if isinstance(spec, dict):
        yield from _check_spec(kind, spec, _namespace(document))
    elif "spec" not in document and kind.spec_required:
        yield Fault("spec", "is missing")


def _unknown(name: str, version: str, kinds: KnownKinds) -> Iterator[Fault]:
    versions = kinds.versions(name)
    if not versions:
        same = next((known for known in kinds.names() if known.lower() == name.lower()), None)
        remedy = f"write {same}" if same else f"known are {', '.join(kinds.names())}"
        yield Fault("kind", f"No processor recognized the entity: there is no kind {shown(name)} here; {remedy}.")
    elif is_api_version(version):
        message = f"{name} is known as {' or '.join(versions)}, not as {shown(version)}"
        yield Fault("apiVersion", f"No processor recognized the entity: {message}.")


def _namespace(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return namespace if isinstance(namespace, str) and namespace else DEFAULT_NAMESPACE


def _check_spec(kind: Kind, spec: Mapping[str, Any], namespace: str) -> Iterator[Fault]:
    for known in kind.fields:
        path = f"spec.{known.name}"
        if known.name not in spec:
            if known.required:
                yield Fault(path, "is missing")
            continue
        yield from _check_field(known, path, spec[known.name], namespace)
    yield from (Fault(f"spec.{name}", "is missing") for name in kind.must_have if name not in spec)
    if kind.has_profile and "profile" in spec:
        yield from _check_profile(spec["profile"])
    if kind.schema:
        yield from kind.schema.check(spec)
    if kind.name == LOCATION and spec.get("type") == "file":
        yield from _check_folders(spec)


def _check_field(known: Field, path: str, value: Any, namespace: str) -> Iterator[Fault]:
    if known.many and not isinstance(value, list):
        yield must_be(path, "a list", value)
        return
    for step, item in known.items(value):
        yield from _check_item(known, path + step, item, namespace)


def _check_item(known: Field, path: str, value: Any, namespace: str) -> Iterator[Fault]:
    is_written_out = known.unruled and isinstance(value, dict)
    faults = [] if is_written_out else list(check_text(path, value))
    yield from faults
    if faults:
        return
    if known.choices and value not in known.choices:
        yield Fault(path, f"must be {' or '.join(known.choices)}, but is {shown(value)}")
    if known.relation:
        yield from _check_reference(known.relation, path, value, namespace)


def _check_reference(relation: RelationType, path: str, value: Any, namespace: str) -> Iterator[Fault]:
    try:
        ref = target_ref(value, relation.default_kind, namespace)
    except BadReference as error:
        yield Fault(path, str(error))
        return
    if len(ref.encode()) > MAX_REF:
        yield Fault(path, f"is longer than {MAX_REF} bytes, written out; no entity has such a reference")


def named_targets(spec: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield path and value of each target that a Location names, good or not."""
    if "target" in spec:
        yield "spec.target", spec["target"]
    listed = spec.get("targets")
    for index, target in enumerate(listed if isinstance(listed, list) else ()):
        yield f"spec.targets[{index}]", target


def _check_folders(spec: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault for each folder among the targets of a Location of files: Backstage follows none."""
    for path, target in named_targets(spec):
        if isinstance(target, str) and target.endswith("/"):
            yield Fault(path, FOLDER_RULE)


def _check_profile(profile: Any) -> Iterator[Fault]:
    if not isinstance(profile, dict):
        yield must_be("spec.profile", "a mapping", profile)
        return
    for key in ("displayName", "email", "picture"):
        if key in profile:
            yield from check_text(f"spec.profile.{key}", profile[key])
