"""The rules that every entity keeps, whatever its kind: root fields, metadata, names. Pure.

Source: Backstage's catalog model (descriptor format, and the validators of @backstage/catalog-model 1.10).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from catalog.format.urls import is_absolute_url
from portal_backend.core.faults import Fault

ROOT_FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec"})

NAME = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
DNS_LABEL = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")
KIND = re.compile(r"[a-zA-Z][a-zA-Z0-9]*")
VERSION = re.compile(r"[a-zA-Z0-9]+")
TAG = re.compile(r"[a-z0-9:+#]+(?:-[a-z0-9:+#]+)*")

LOCATION_ANNOTATIONS = frozenset({"backstage.io/managed-by-location", "backstage.io/managed-by-origin-location"})
"""What the catalog writes on every entity, over anything that the file says."""

JS_SPACE = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
"""What JavaScript trims."""

ALWAYS_INDEXED = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    *(f"metadata.annotations.{key}" for key in sorted(LOCATION_ANNOTATIONS)),
)
NOT_INDEXED = frozenset({"attachments", "relations", "status", "metadata.etag"})
"""What the search index leaves out, as it stands; other spellings of it are keys like all others."""

MAX_NAME = 63
MAX_SUBDOMAIN = 253

NAME_RULE = "must be 1 to 63 of [A-Za-z0-9-_.], beginning and ending with a letter or digit"
NAMESPACE_RULE = "must be 1 to 63 lower-case letters and digits, separated by '-'"
TAG_RULE = "must be 1 to 63 of [a-z0-9:+#], separated by '-'; no upper case, spaces or underscores"
KEY_RULE = "is no valid key: write [<dns-subdomain>/]<name>, the subdomain in lower case, the name up to 63 characters"

Faults = Iterator[Fault]


def check_envelope(document: Any) -> list[Fault]:
    """Return every fault of a document in what all kinds share; none means that the envelope is good."""
    if not isinstance(document, dict):
        return [Fault("", f"must be a mapping with apiVersion, kind and metadata, not {json_type(document)}")]
    faults = [
        Fault(key, f"is not a field of an entity; known are {', '.join(sorted(ROOT_FIELDS))}")
        for key in document
        if key not in ROOT_FIELDS
    ]
    faults += _required_text(document, "apiVersion", "apiVersion", is_api_version, _API_VERSION_RULE)
    faults += _required_text(document, "kind", "kind", is_kind, "must be 1 to 63 letters and digits, a letter first")
    if "spec" in document and not isinstance(document["spec"], dict):
        faults.append(must_be("spec", "a mapping", document["spec"]))
    faults += _check_metadata(document)
    faults += _check_case(document)
    return faults


_API_VERSION_RULE = "must be of the form [<dns-subdomain>/]<version>, for example backstage.io/v1alpha1"


def is_api_version(text: str) -> bool:
    """Say whether the text is `[prefix/]suffix` with a DNS subdomain and up to 63 letters and digits."""
    return _prefix_and_suffix(text, lambda suffix: len(suffix) <= MAX_NAME and VERSION.fullmatch(suffix) is not None)


def is_name(text: str) -> bool:
    """Say whether the text may be an entity's name or a label's value."""
    return len(text) <= MAX_NAME and NAME.fullmatch(text) is not None


def is_key(text: str) -> bool:
    """Say whether the text may be the key of a label or an annotation."""
    return len(text) <= MAX_SUBDOMAIN + 1 + MAX_NAME and _is_key(text)


@lru_cache(maxsize=10_000)
def _is_key(text: str) -> bool:
    return _prefix_and_suffix(text, is_name)


def is_namespace(text: str) -> bool:
    """Say whether the text may be an entity's namespace."""
    return len(text) <= MAX_NAME and DNS_LABEL.fullmatch(text) is not None


def json_type(value: Any) -> str:
    """Name the type of a value in the words of JSON."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    names: dict[type, str] = {str: "a string", list: "a list", dict: "a mapping"}
    return names[type(value)]


def must_be(path: str, wanted: str, value: Any) -> Fault:
    """Return the fault of a value of the wrong type, with a hint where YAML made it so."""
    hint = ""
    if wanted == "a string" and isinstance(value, bool | int | float):
        hint = "; put it in quotes"
    return Fault(path, f"must be {wanted}, but is {json_type(value)}{hint}")


def check_text(path: str, value: Any) -> Faults:
    """Yield the fault of a value that is no string, or an empty one."""
    if not isinstance(value, str):
        yield must_be(path, "a string", value)
    elif not value:
        yield Fault(path, "must not be empty")


def is_kind(text: str) -> bool:
    """Say whether the text may be the name of a kind."""
    return len(text) <= MAX_NAME and KIND.fullmatch(text) is not None


def _is_subdomain(text: str) -> bool:
    return len(text) <= MAX_SUBDOMAIN and all(is_namespace(label) for label in text.split("."))


def _prefix_and_suffix(text: str, is_suffix: Callable[[str], bool]) -> bool:
    prefix, slash, suffix = text.partition("/")
    if not slash:
        return is_suffix(text)
    return _is_subdomain(prefix) and is_suffix(suffix)


def _required_text(parent: Mapping[str, Any], key: str, path: str, is_good: Callable[[str], bool], rule: str) -> Faults:
    if key not in parent:
        yield Fault(path, "is missing")
        return
    value = parent[key]
    if not isinstance(value, str):
        yield must_be(path, "a string", value)
    elif not is_good(value):
        yield Fault(path, f"{rule}, but is {shown(value)}")


def shown(value: str) -> str:
    """Quote a value for a message, cut where it is long."""
    return repr(value if len(value) <= 80 else value[:77] + "...")


def _check_metadata(document: Mapping[str, Any]) -> Faults:
    if "metadata" not in document:
        yield Fault("metadata", "is missing")
        return
    metadata = document["metadata"]
    if not isinstance(metadata, dict):
        yield must_be("metadata", "a mapping", metadata)
        return
    yield from _required_text(metadata, "name", "metadata.name", is_name, NAME_RULE)
    if "namespace" in metadata:
        yield from _required_text(metadata, "namespace", "metadata.namespace", is_namespace, NAMESPACE_RULE)
    for key in ("title", "uid", "etag"):
        if key in metadata:
            yield from check_text(f"metadata.{key}", metadata[key])
    if not isinstance(metadata.get("description", ""), str):
        yield must_be("metadata.description", "a string", metadata["description"])
    yield from _check_map(metadata, "labels", _label_value)
    if has_annotations(metadata):
        yield from _check_map(metadata, "annotations", _annotation_value)
    yield from _check_list(metadata, "tags", _tag)
    yield from _check_list(metadata, "links", _link)


def has_annotations(metadata: Mapping[str, Any]) -> bool:
    """Say whether there are annotations to judge; Backstage takes what JavaScript holds for false as none at all."""
    value = metadata.get("annotations")
    return bool(value) or isinstance(value, dict | list)


def _check_map(metadata: Mapping[str, Any], field: str, check: Callable[[str, Any], Faults]) -> Faults:
    values = metadata.get(field, {})
    path = f"metadata.{field}"
    if not isinstance(values, dict):
        yield must_be(path, "a mapping", values)
        return
    for key, value in values.items():
        if key in LOCATION_ANNOTATIONS and field == "annotations":
            continue
        if not is_key(key):
            yield Fault(f"{path}.{key}", KEY_RULE)
        yield from check(f"{path}.{key}", value)


def _check_list(metadata: Mapping[str, Any], field: str, check: Callable[[str, Any], Faults]) -> Faults:
    values = metadata.get(field, [])
    path = f"metadata.{field}"
    if not isinstance(values, list):
        yield must_be(path, "a list", values)
        return
    for index, value in enumerate(values):
        yield from check(f"{path}[{index}]", value)


def _label_value(path: str, value: Any) -> Faults:
    if not isinstance(value, str):
        yield must_be(path, "a string", value)
    elif value and not is_name(value):
        yield Fault(path, f"{NAME_RULE}, or be empty, but is {shown(value)}")


def _annotation_value(path: str, value: Any) -> Faults:
    if not isinstance(value, str):
        yield must_be(path, "a string", value)


def _tag(path: str, value: Any) -> Faults:
    if not isinstance(value, str):
        yield must_be(path, "a string", value)
    elif len(value) > MAX_NAME or not TAG.fullmatch(value):
        yield Fault(path, f"{TAG_RULE}; but is {shown(value)}")


def _link(path: str, value: Any) -> Faults:
    if not isinstance(value, dict):
        yield must_be(path, "a mapping", value)
        return
    yield from _required_text(value, "url", f"{path}.url", is_absolute_url, "must be an absolute URL")
    for key in ("title", "icon", "type"):
        if key in value:
            yield from check_text(f"{path}.{key}", value[key])
    for key in ("title", "icon"):
        if isinstance(value.get(key), str) and value[key] and not value[key].strip(JS_SPACE):
            yield Fault(f"{path}.{key}", "must not be blank")


def _check_case(document: Mapping[str, Any]) -> Faults:
    """Yield a fault for keys that differ only by case: they would be one key to every query."""
    keys = set(ALWAYS_INDEXED)
    _collect_keys(document, "", keys)
    if len(set(map(str.lower, keys))) == len(keys):
        return
    seen = {path: (path, False) for path in ALWAYS_INDEXED}
    for path, is_item in _index_keys(document, ""):
        first, first_is_item = seen.setdefault(path.lower(), (path, is_item))
        if first != path and not (is_item and first_is_item):
            yield Fault(path, f"differs from {first} only by case; keep one of them")


def _collect_keys(value: Any, path: str, keys: set[str]) -> None:
    """Add what `_index_keys` yields, in less time."""
    if path in NOT_INDEXED:
        return
    if isinstance(value, dict):
        start = f"{path}." if path else ""
        for key, inner in value.items():
            if isinstance(inner, dict | list):
                _collect_keys(inner, start + key, keys)
            else:
                keys.add(start + key)
    elif isinstance(value, list):
        keys.add(path)
        for item in value:
            if isinstance(item, str):
                keys.add(f"{path}.{item}")
            else:
                _collect_keys(item, path, keys)
    else:
        keys.add(path)


def _index_keys(value: Any, path: str) -> Iterator[tuple[str, bool]]:
    """Yield the keys under which an entity is found, and whether each is an item of a list (`metadata.tags.java`)."""
    if path in NOT_INDEXED:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _index_keys(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from _index_keys(item, path)
            if isinstance(item, str):
                yield f"{path}.{item}", True
    else:
        yield path, False
