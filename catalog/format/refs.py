"""Entity references `[kind:][namespace/]name`, and location references `type:target`. Pure."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

DEFAULT_NAMESPACE = "default"
MAX_KEPT = 300
"""Characters of a reference that is kept, so that many of them stay small."""


class BadReference(ValueError):
    """The text is no reference; the message says why and what it should look like."""


@dataclass(frozen=True)
class EntityRef:
    """A whole reference, as written."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}".lower()


def parse_ref(text: str, default_kind: str | None = None, default_namespace: str = DEFAULT_NAMESPACE) -> EntityRef:
    """Read a reference, filling what it leaves out from the defaults; raises BadReference.

    A `/` before the first `:` means that there is no kind part, as Backstage reads it.
    """
    colon, slash = text.find(":"), text.find("/")
    if slash != -1 and slash < colon:
        colon = -1
    kind = default_kind if colon == -1 else text[:colon]
    namespace = default_namespace if slash == -1 else text[colon + 1 : slash]
    name = text[max(colon, slash) + 1 :]
    if kind is None:
        raise BadReference(f"{text!r} names no kind; write it out, for example component:{text}")
    if not (kind and namespace and name):
        raise BadReference(f"{text!r} is not of the form [<kind>:][<namespace>/]<name>")
    return EntityRef(kind, namespace, name)


def full_ref(text: str, default_kind: str | None, default_namespace: str) -> str:
    """Return a reference in its full lower-case form; raises BadReference. Owners and systems are named many times."""
    if len(text) + len(default_namespace) > MAX_KEPT:
        return str(parse_ref(text, default_kind, default_namespace))
    return _kept_ref(text, default_kind, default_namespace)


def target_ref(value: Any, default_kind: str | None, default_namespace: str) -> str:
    """Return what a relation's field refers to, in full lower-case form; raises BadReference.

    The field holds a reference, or a mapping of kind, namespace and name.
    """
    if isinstance(value, str):
        return full_ref(value, default_kind, default_namespace)
    defaults = {"kind": default_kind, "namespace": default_namespace, "name": None}
    given = {part: value[part] for part in defaults if value.get(part) is not None}
    parts = [part for part in (defaults | given).values() if part and isinstance(part, str)]
    if len(parts) < len(defaults):
        raise BadReference("is no reference; write it as <kind>:[<namespace>/]<name>")
    return make_ref(*parts)


@lru_cache(maxsize=20_000)
def _kept_ref(text: str, default_kind: str | None, default_namespace: str) -> str:
    return str(parse_ref(text, default_kind, default_namespace))


def normal_ref(text: str) -> str:
    """Return a reference in its full lower-case form; raises BadReference. The kind must be in it."""
    return str(parse_ref(text))


def make_ref(kind: str, namespace: str, name: str) -> str:
    """Return the full lower-case form of a reference."""
    return f"{kind}:{namespace}/{name}".lower()


def location_ref(type_: str, target: str) -> str:
    """Return a location's reference, `file:/srv/catalog/all.yaml`."""
    return f"{type_}:{target}"
