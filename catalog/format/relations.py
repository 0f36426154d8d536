"""The relations that an entity declares, at both of their ends. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from catalog.format.kinds import STANDARD_KINDS, Kind, RelationType
from catalog.format.refs import make_ref, parse_ref


class Edge(NamedTuple):
    """A relation as the entity at its source shows it."""

    source: str
    type: str
    target: str


def declared_edges(entity: Mapping[str, Any], kind: Kind | None = None) -> set[Edge]:
    """Return the relations that a good entity declares: each on itself, and its reverse on the other end.

    `kind` is the one that the entity was judged as; without it, Backstage's own kind of that name.
    """
    metadata = entity["metadata"]
    ref = make_ref(entity["kind"], metadata["namespace"], metadata["name"])
    edges: set[Edge] = set()
    for relation, text in _references(entity, kind or STANDARD_KINDS.find(entity)):
        target = str(parse_ref(text, relation.default_kind, metadata["namespace"]))
        edges.add(Edge(ref, relation.forward, target))
        edges.add(Edge(target, relation.reverse, ref))
    return edges


def _references(entity: Mapping[str, Any], kind: Kind | None) -> Iterator[tuple[RelationType, str]]:
    spec = entity.get("spec") or {}
    for known in kind.fields if kind else ():
        value = spec.get(known.name)
        if known.relation is None or value is None:
            continue
        for _, text in known.items(value):
            yield known.relation, text
