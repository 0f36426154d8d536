"""What `applies_to` may look at: the plain fields of a service, and any path into its entity. Pure.

A path begins with `metadata.` or `spec.`, as in the catalog: `metadata.annotations.backstage.io/techdocs-ref`.
`labels.` and `annotations.` are short for what lies below `metadata.`. `relations.ownedBy`, with any type of relation,
is the list of entities that it leads to: an empty one where it leads nowhere, since of relations the catalog knows all.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any

import orjson

from plugins.contract import FactSpec, FactType
from scorecards.checks.definitions import Subject
from scorecards.checks.member_fields import AnswerSpec, EntitySpec, MemberSpecs, is_path
from scorecards.evidence.causes import ENTITY, Spec
from scorecards.evidence.values import Typed
from scorecards.rules.related import type_of_answer

RELATIONS = "relations."
SHORT = ("labels.", "annotations.")


def _plain(key: str, kind: FactType, description: str) -> FactSpec:
    return FactSpec(key, kind, "", description, timedelta.max)


SERVICE_FIELDS: Mapping[str, FactSpec] = {
    spec.key: spec
    for spec in (
        _plain("kind", FactType.STRING, "The entity's kind, lower case"),
        _plain("type", FactType.STRING, "The component's spec.type, lower case"),
        _plain("name", FactType.STRING, "Its name"),
        _plain("ref", FactType.STRING, "Its entity reference"),
        _plain("namespace", FactType.STRING, "Its namespace"),
        _plain("lifecycle", FactType.STRING, "The SRE lifecycle, such as ga or limited"),
        _plain("criticality", FactType.STRING, "T0 to T3"),
        _plain("tier", FactType.STRING, "The support tier, such as full_sre"),
        _plain("owner", FactType.STRING, "The owner's entity reference"),
        _plain("system", FactType.STRING, "The system's entity reference"),
        _plain("tags", FactType.SET, "Its tags"),
        _plain("has_service_dependencies", FactType.BOOLEAN, "It depends on another service"),
        _plain("observed_facts", FactType.SET, "The facts that were ever observed of it"),
    )
}


class FieldSpecs(Mapping[str, Spec]):
    """The declarations behind `applies_to`: the plain fields by name, and a field of any type for every path."""

    def __getitem__(self, key: str) -> Spec:
        """Return the declaration of a field; raises KeyError for what is neither a plain field nor a path."""
        if is_path(key):
            return EntitySpec(key)
        return SERVICE_FIELDS[key]

    def __iter__(self) -> Iterator[str]:
        """Name the plain fields; paths are without number."""
        return iter(SERVICE_FIELDS)

    def __len__(self) -> int:
        """Count the plain fields."""
        return len(SERVICE_FIELDS)


class RuleSpecs(Mapping[str, Spec]):
    """The declarations behind `rule`: every declared fact, and `entity.` before any path into the entity."""

    def __init__(self, facts: Mapping[str, Spec]) -> None:
        self.facts = facts

    @cached_property
    def of_related(self) -> MemberSpecs:
        """The declarations of what may be asked of related entities."""
        return MemberSpecs(self.facts)

    def __getitem__(self, key: str) -> Spec:
        """Return the declaration of a fact or an entity field; raises KeyError when nothing declares it."""
        found = self.facts.get(key)
        if found is not None:
            return found
        if key.startswith(ENTITY) and is_path(key.removeprefix(ENTITY)):
            return EntitySpec(key)
        answer = type_of_answer(key)
        if answer is not None:
            return AnswerSpec(key, answer)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        """Name the declared facts."""
        return iter(self.facts)

    def __len__(self) -> int:
        """Count the declared facts."""
        return len(self.facts)


def annotation_of(path: str) -> str | None:
    """Return the annotation that a path leads to; None when it leads elsewhere."""
    short = path.removeprefix("metadata.")
    return short.removeprefix("annotations.") if short.startswith("annotations.") else None


def entity_values(entity: Mapping[str, Any], paths: Collection[str]) -> dict[str, Any]:
    """Return what stands in an entity at each path, None where nothing does; keys may hold dots themselves.

    A list is a tuple of its texts, a mapping the names that it holds: so both can be counted, and asked for a member.
    """
    return {path: _held(value_at(entity, path)) for path in paths}


def _held(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(sorted(map(str, value)))
    if isinstance(value, list):
        return tuple(_text(one) if isinstance(one, list | dict) else one for one in value)
    return value


def _text(member: Any) -> str:
    return orjson.dumps(member, option=orjson.OPT_SORT_KEYS).decode()


def value_at(entity: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path such as `metadata.annotations.backstage.io/view-url`, or None."""
    if path.startswith(RELATIONS):
        return _related(entity, path.removeprefix(RELATIONS))
    if path.startswith(SHORT):
        path = f"metadata.{path}"
    return _descend(entity, path.split("."))


def _related(entity: Mapping[str, Any], type_: str) -> list[str]:
    """Return the references that an entity's relations of a type lead to, in order."""
    return sorted({one["targetRef"] for one in entity.get("relations") or () if one["type"] == type_})


def _descend(node: Any, parts: list[str]) -> Any:
    """Try the longest key first: annotations have dots in their names."""
    if not parts:
        return node
    if not isinstance(node, Mapping):
        return None
    for count in range(len(parts), 0, -1):
        key = ".".join(parts[:count])
        if key in node:
            found = _descend(node[key], parts[count:])
            if found is not None:
                return found
    return None


def service_fields(subject: Subject, observed: Collection[str]) -> Mapping[str, Typed | None]:
    """Return what `applies_to` may look at; None where the service leaves it open.

    `observed` are the facts that were ever observed of it. Values at entity paths are as their file has them.
    """
    return {
        "kind": subject.kind,
        "type": subject.type,
        "name": subject.name,
        "ref": subject.ref,
        "namespace": subject.namespace,
        "lifecycle": subject.lifecycle,
        "criticality": subject.criticality,
        "tier": subject.tier,
        "owner": subject.owner,
        "system": subject.system,
        "tags": tuple(subject.tags),
        "has_service_dependencies": bool(subject.service_dependencies),
        "observed_facts": tuple(observed),
        **subject.fields,
    }
