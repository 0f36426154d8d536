"""The ordinary entity, found good at a glance. Pure.

Nearly all entities keep every rule and hold nothing but names, texts, and lists of them, mostly in lower case. They are
told here, in less time; what this does not tell is not thereby wrong: the rules judge it, one by one.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from catalog.format.envelope import (
    JS_SPACE,
    MAX_NAME,
    MAX_SUBDOMAIN,
    ROOT_FIELDS,
    TAG,
    is_api_version,
    is_key,
    is_kind,
    is_name,
    is_namespace,
)
from catalog.format.kind_rules import LOCATION, MAX_REF
from catalog.format.kinds import Field, Kind, KnownKinds, RelationType
from catalog.format.refs import DEFAULT_NAMESPACE, MAX_KEPT, BadReference, full_ref
from catalog.format.urls import is_absolute_url

PLAIN_URL = re.compile(r"https?://[a-z]+(?:[.-][a-z]+)*(?:/.*)?", re.DOTALL)
"""A host of letters, and whatever follows it: such a URL is good."""
LINK = frozenset({"url", "title", "icon", "type"})
PROFILE = frozenset({"displayName", "email", "picture"})
MAX_KEY = MAX_SUBDOMAIN + 1 + MAX_NAME


def ordinary_kind(document: Any, kinds: KnownKinds) -> Kind | None:
    """Return the kind of a document that keeps all rules of `kind_rules.check_entity`; None where they must say."""
    if type(document) is not dict or not document.keys() <= ROOT_FIELDS:
        return None
    metadata, spec = document.get("metadata"), document.get("spec")
    if type(metadata) is not dict or type(spec) is not dict or "name" not in metadata:
        return None
    kind = kinds.find(document)
    if kind is None or not (_is_simple(kind) and is_kind(kind.name) and is_api_version(document["apiVersion"])):
        return None
    if not metadata.keys() <= _METADATA.keys() or not all(_METADATA[key](value) for key, value in metadata.items()):
        return None
    return kind if _is_ordinary_spec(kind, spec, metadata.get("namespace", DEFAULT_NAMESPACE)) else None


def _is_simple(kind: Kind) -> bool:
    """Say whether the fields say all about a kind, and whatever is written in them keeps the keys apart.

    Keys that differ only by case are a fault, wherever they stand. Here all keys are known or in lower case, and no
    mapping stands where a list or a text may.
    """
    return kind.schema is None and not kind.must_have and kind.name != LOCATION and kind.has_distinct_fields


def _is_text(value: Any) -> bool:
    return type(value) is str and value != ""


def _is_label(value: Any) -> bool:
    return type(value) is str and (value == "" or is_name(value))


def _is_lower_key(key: str) -> bool:
    return len(key) <= MAX_KEY and _is_kept_key(key)


@lru_cache(maxsize=10_000)
def _is_kept_key(key: str) -> bool:
    return is_key(key) and key == key.lower()


def _are_labels(value: Any) -> bool:
    return type(value) is dict and all(_is_lower_key(key) and _is_label(text) for key, text in value.items())


def _are_annotations(value: Any) -> bool:
    return type(value) is dict and all(_is_lower_key(key) and type(text) is str for key, text in value.items())


def _is_tag(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_NAME and TAG.fullmatch(value) is not None


def _is_link(value: Any) -> bool:
    if type(value) is not dict or not value.keys() <= LINK or not all(map(_is_text, value.values())):
        return False
    if any(not value[key].strip(JS_SPACE) for key in ("title", "icon") if key in value):
        return False
    url = value.get("url", "")
    return PLAIN_URL.fullmatch(url) is not None or is_absolute_url(url)


_METADATA: Mapping[str, Callable[[Any], bool]] = {
    "name": lambda value: type(value) is str and is_name(value),
    "namespace": lambda value: type(value) is str and is_namespace(value),
    "title": _is_text,
    "description": lambda value: type(value) is str,
    "labels": _are_labels,
    "annotations": _are_annotations,
    "tags": lambda value: type(value) is list and all(map(_is_tag, value)),
    "links": lambda value: type(value) is list and all(map(_is_link, value)),
}
"""What each field may hold; with any other field the rules must say."""


def _is_ordinary_spec(kind: Kind, spec: Mapping[str, Any], namespace: str) -> bool:
    fields = kind.fields_by_name
    for name, value in spec.items():
        known = fields.get(name)
        if known is None:
            if not (name == "profile" and kind.has_profile and _is_profile(value)):
                return False
        elif type(value) is list:
            if not _is_ordinary_list(known, value, namespace):
                return False
        elif known.many or not _is_ordinary_text(known, value, namespace):
            return False
    return kind.required_fields <= spec.keys()


def _is_profile(value: Any) -> bool:
    return type(value) is dict and value.keys() <= PROFILE and all(map(_is_text, value.values()))


def _is_ordinary_list(known: Field, items: list[Any], namespace: str) -> bool:
    if not (known.many or known.one_or_many):
        return False
    if not all(_is_ordinary_text(known, item, namespace) for item in items):
        return False
    return len(items) < 2 or all(item == item.lower() for item in items)


def _is_ordinary_text(known: Field, value: Any, namespace: str) -> bool:
    if not _is_text(value) or (known.choices and value not in known.choices):
        return False
    return known.relation is None or _leads_somewhere(known.relation, value, namespace)


def _leads_somewhere(relation: RelationType, text: str, namespace: str) -> bool:
    return len(text) <= MAX_KEPT and _is_reference(text, relation.default_kind, namespace)


@lru_cache(maxsize=20_000)
def _is_reference(text: str, default_kind: str | None, namespace: str) -> bool:
    try:
        return len(full_ref(text, default_kind, namespace).encode("utf-8", "surrogatepass")) <= MAX_REF
    except BadReference:
        return False
