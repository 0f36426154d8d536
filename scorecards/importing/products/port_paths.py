"""Reads Port's paths along relations, as far as they are relations of the catalog. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from scorecards.importing.cql_words import leaf
from scorecards.importing.products.filters import together
from scorecards.importing.products.shared import Document, NotSaid

RELATIONS: Mapping[str, str] = {
    **dict.fromkeys(("team", "owner", "owning_team", "owned_by", "owningTeam", "ownedBy"), "owner"),
    "system": "system",
    **dict.fromkeys(("depends_on", "dependsOn", "dependencies"), "dependsOn"),
    **dict.fromkeys(("api", "apis", "provides_api", "provides_apis", "providesApi", "providesApis"), "providesApi"),
    **dict.fromkeys(("consumes_api", "consumes_apis", "consumesApi", "consumesApis"), "consumesApi"),
    **dict.fromkeys(("part_of", "partOf", "subcomponent_of", "subcomponentOf"), "partOf"),
}
"""Relations as Port's own templates and integrations with catalogs call them, as the catalog has them."""
OF_OTHERS: Mapping[str, str] = {**RELATIONS, "parent": "childOf", "domain": "partOf", "members": "hasMember"}
"""The same, from the second step on: a group's parent, a system's domain."""
FIRST: Mapping[str, str] = {**RELATIONS, "domain": "system.partOf"}
MAX_STEPS = 3


def by_path(condition: Document) -> dict[str, Any]:
    """Return the question about what a path leads to; raises NotSaid where it leaves the catalog's relations."""
    path = condition["property"]
    if path.get("fromBlueprint"):
        raise NotSaid(
            f"Its path begins at entities of {path['fromBlueprint']}, which lead to the service; ask it of them"
        )
    steps = path.get("path")
    if not isinstance(steps, Sequence) or isinstance(steps, str) or not steps:
        raise NotSaid("Its path along relations names none")
    have = _asked(condition)
    ways = [one for one in _ways(steps) if one]
    return together("any", [{"related": ".".join(way), "which": "any", "have": have} for way in ways])


def _asked(condition: Document) -> dict[str, Any]:
    value = condition.get("value")
    values = value if isinstance(value, list) else [value]
    if condition.get("operator") != "matchAny" or not all(isinstance(one, str) and one for one in values):
        raise NotSaid(f"Its operator {condition.get('operator')} is not asked of the entities that a path leads to")
    return leaf("name", "in", values)


def _ways(steps: Sequence[Any]) -> list[list[str]]:
    """Return the relations one after the other; a step that may be taken several times gives several ways."""
    ways: list[list[str]] = [[]]
    for step in steps:
        relation, most = (step.get("relation"), step.get("maxHops")) if isinstance(step, Mapping) else (step, 1)
        times = range(1, most + 1) if isinstance(most, int) and most > 0 else range(0)
        ways = [way + _hops(str(relation), number, first=not way) for way in ways for number in times]
    if not ways or any(len(way) > MAX_STEPS for way in ways):
        raise NotSaid(f"Its path has more than {MAX_STEPS} steps of the catalog")
    return ways


def _hops(relation: str, number: int, *, first: bool) -> list[str]:
    found = [(FIRST if first and not at else OF_OTHERS).get(relation) for at in range(number)]
    named = [one for one in found if one is not None]
    if len(named) < number:
        raise NotSaid(f"Its path follows the relation {relation}, which is none of the catalog's")
    return [hop for one in named for hop in one.split(".")]
