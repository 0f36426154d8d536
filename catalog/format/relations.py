"""The relations that an entity declares, at both of their ends. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from catalog.format.kinds import STANDARD_KINDS, Kind, RelationType
from catalog.format.refs import target_ref


class Edge(NamedTuple):
    """A relation as the entity at its source shows it."""

    source: str
    type: str
    target: str


class Declared(NamedTuple):
    """A relation as the entity's own document declares it."""

    forward: str
    """Its type, as the entity itself shows it."""
    reverse: str
    """Its type, as the other end shows it."""
    target: str


def declared(entity: Mapping[str, Any], kind: Kind | None = None) -> set[Declared]:
    """Return the relations that a good entity declares.

    `kind` is the one that the entity was judged as; without it, Backstage's own kind of that name.
    """
    namespace = entity["metadata"]["namespace"]
    return {
        Declared(relation.forward, relation.reverse, target_ref(value, relation.default_kind, namespace))
        for relation, value in _references(entity, kind or STANDARD_KINDS.find(entity))
    }


def edges(ref: str, declared_: Iterable[tuple[str, str, str]]) -> set[Edge]:
    """Return what an entity declares at both of its ends: each relation on itself, and its reverse on the other end.

    `declared_` are `Declared`, or the same as read back from where they were kept.
    """
    return {
        edge
        for forward, reverse, target in declared_
        for edge in (Edge(ref, forward, target), Edge(target, reverse, ref))
    }


def _references(entity: Mapping[str, Any], kind: Kind | None) -> Iterator[tuple[RelationType, Any]]:
    spec = entity.get("spec") or {}
    for known in kind.fields if kind else ():
        value = spec.get(known.name)
        if known.relation is None or value is None:
            continue
        for _, reference in known.items(value):
            yield known.relation, reference
