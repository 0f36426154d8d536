"""The words of Cortex' query language: how its expressions are cut, and what they are called here. Pure."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from scorecards.importing.drafts import key_part

WORDS = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*)|"
    r"(?P<sign><=|>=|==|!=|=>|&&|\|\||=~|[<>=!().,*+\[\]]))"
)
COMPARED = {
    "==": "equal",
    "=": "equal",
    "!=": "notEqual",
    "<": "lessThan",
    "<=": "lessThanInclusive",
    ">": "greaterThan",
    ">=": "greaterThanInclusive",
}
COUNTS: dict[str, Callable[[str, int], Any]] = {
    "greaterThanInclusive": lambda key, count: leaf(key, "hasAtLeast", count),
    "greaterThan": lambda key, count: leaf(key, "hasAtLeast", count + 1),
    "lessThanInclusive": lambda key, count: leaf(key, "hasAtMost", count),
    "lessThan": lambda key, count: {"not": leaf(key, "hasAtLeast", count)},
    "equal": lambda key, count: _exactly(key, count),
    "notEqual": lambda key, count: {"not": _exactly(key, count)},
}
TESTS = {
    "contains": "contains",
    "startswith": "startsWith",
    "endswith": "endsWith",
    "matches": "matchesRegex",
    "matchesin": "matchesRegex",
}
RELATIONS = "entity.relations."
SET_OF_ENTITY = ("entity.metadata.tags", RELATIONS)
NAMES = frozenset({"name", "tag", "id", "title", "ref"})
"""What calls a related entity, all of which its reference stands for here."""
AGGREGATES = frozenset({"average", "sum", "max", "min", "median"})
MEMBERS = {"any": "someFact", "exists": "someFact", "all": "everyFact", "filter": "someFact"}
COUNTED = {"cortex.links": "entity.metadata.links"}
"""Lists of the entity whose members are no plain names, so that they can but be counted."""
NEGATED_TESTS = {"!=": "notIn", "==": "in", "=": "in"}
ENTITY = {
    "entity.tag": "entity.metadata.name",
    "entity.name": "entity.metadata.title",
    "entity.description": "entity.metadata.description",
    "entity.type": "entity.spec.type",
    "groups": "entity.metadata.tags",
    "entity.groups": "entity.metadata.tags",
    "git": "entity.metadata.annotations.backstage.io/source-location",
    "entity.git": "entity.metadata.annotations.backstage.io/source-location",
    "ownership": "entity.relations.ownedBy",
    "owners": "entity.relations.ownedBy",
    "owners.teams": "entity.relations.ownedBy",
    "ownership.teams": "entity.relations.ownedBy",
    "ownership.all_owners": "entity.relations.ownedBy",
    "dependencies": "entity.relations.dependsOn",
    "dependencies.out": "entity.relations.dependsOn",
    "dependencies.in": "entity.relations.dependencyOf",
    "entity.dependencies": "entity.relations.dependsOn",
}
PRESENT = {"cortex.oncall": "oncall.schedule.id"}
"""What there is to be read at all (`oncall != null`) where a fact of ours says it: a text that is not empty."""
OURS = {
    "slos": ("slo.count", "integer"),
    "oncall.num_of_escalations": ("oncall.escalation.levels", "integer"),
}
"""What is one of our own facts by another name."""
DEPLOYED = re.compile(r"deploys\.(P\w+)")
SOME = frozenset({("greaterThan", 0), ("greaterThanInclusive", 1), ("notEqual", 0)})
NONE = frozenset({("equal", 0), ("lessThan", 1), ("lessThanInclusive", 0)})
COUNTING = frozenset({"length", "count", "size"})
AGES = {"freshness", "from_now"}
PERIOD = re.compile(r"(-?)P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?)?$")
MAX_DEPTH = 16


def leaf(key: str, operator: str, value: Any) -> dict[str, Any]:
    """Return one condition."""
    return {"fact": key, "operator": operator, "value": value}


def _exactly(key: str, count: int) -> dict[str, Any]:
    most = leaf(key, "hasAtMost", count)
    return {"all": [leaf(key, "hasAtLeast", count), most]} if count > 0 else most


def literal(kind: str, text: str) -> Any:
    """Return a text without its quotes, or a number."""
    if kind == "text":
        return unquoted(text)
    return float(text) if "." in text else int(text)


def unquoted(text: str) -> str:
    """Return what stands between quotes."""
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def within(key: str, given: Sequence[str] | None) -> str:
    """Return the key of what is asked for with arguments: another period is another fact."""
    return ".".join([key, *map(key_part, given or ())])


def tested(test: str, text: str) -> str:
    """Return what a test by its name looks for: `matches` fits the whole text, `matchesIn` a part of it."""
    return f"^(?:{text})$" if test == "matches" else text


def kind_of(value: Any) -> str:
    """Return the type of a fact that is compared with a value."""
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "string"


def period_of(value: Any) -> tuple[str, bool] | None:
    """Return `P-1M` as 30 days backwards; None for what is no period."""
    if not (isinstance(value, tuple) and isinstance(value[1], str)):
        return None
    found = PERIOD.match(value[1])
    if found is None:
        return None
    years, months, weeks, days, hours, minutes = (abs(int(part)) if part else 0 for part in found.groups()[1:])
    whole = 1440 * (365 * years + 30 * months + 7 * weeks + days) + 60 * hours + minutes
    unit, size = next((unit, size) for unit, size in (("d", 1440), ("h", 60), ("m", 1)) if whole % size == 0)
    return (f"{whole // size}{unit}", "-" in value[1]) if whole else None
