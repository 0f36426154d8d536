"""Reads what OpsLevel asks of one value: its predicates, and its constraints on versions. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from scorecards.importing.cql_words import leaf
from scorecards.importing.products.filters import ENTITY, together
from scorecards.importing.products.shared import Document, NotSaid, number

OPERATORS = {
    "equals": "equal",
    "does_not_equal": "notEqual",
    "contains": "contains",
    "does_not_contain": "doesNotContain",
    "starts_with": "startsWith",
    "ends_with": "endsWith",
    "matches_regex": "matchesRegex",
    "does_not_match_regex": "doesNotMatchRegex",
    "greater_than_or_equal_to": "greaterThanInclusive",
    "less_than_or_equal_to": "lessThanInclusive",
}
NUMERIC = frozenset({"greater_than_or_equal_to", "less_than_or_equal_to"})
COUNTED = {
    "equals": ("hasAtLeast", "hasAtMost"),
    "greater_than_or_equal_to": ("hasAtLeast",),
    "less_than_or_equal_to": ("hasAtMost",),
}
CONSTRAINT = re.compile(r"(>=|<=|~>|\^|>|<|=)?\s*v?(\d+(?:\.\d+){0,3})")


def predicate(key: str, given: Document) -> dict[str, Any]:
    """Return the condition that a value has to meet; raises NotSaid for one that computes."""
    kind, value = str(given.get("type") or "equals"), given.get("value")
    if kind in {"exists", "does_not_exist"}:
        return _presence(key, kind == "exists")
    if kind == "satisfies_version_constraint":
        return version(key, str(value))
    if kind not in OPERATORS:
        raise NotSaid(f"Its predicate {kind} computes its answer there")
    if kind in NUMERIC:
        return leaf(key, OPERATORS[kind], number(value))
    return leaf(key, OPERATORS[kind], str(value))


def _presence(key: str, wanted: bool) -> dict[str, Any]:
    if key.startswith(ENTITY):
        return leaf(key, "exists", wanted)
    return leaf(key, "isEmpty", not wanted)


def counted(key: str, given: Document) -> dict[str, Any]:
    """Return the condition on how many members a list has."""
    operators = COUNTED.get(str(given.get("type")))
    if operators is None:
        raise NotSaid(f"Its predicate {given.get('type')} is not asked of a number of members here")
    return together("all", [leaf(key, operator, int(number(given.get("value")))) for operator in operators])


def version(key: str, constraint: str) -> dict[str, Any]:
    """Return the condition that a version meets a constraint: `>= 1.2, < 3`, `~> 2.1`, `^4`; raises NotSaid."""
    parts = [part.strip() for part in constraint.split(",")]
    matches = [CONSTRAINT.fullmatch(part) for part in parts]
    if not all(matches):
        raise NotSaid(f"Its constraint `{constraint}` is none that is understood")
    found = [one for match in matches if match for one in _of_version(key, match[1] or "=", match[2])]
    return together("all", found)


def _of_version(key: str, sign: str, written: str) -> list[dict[str, Any]]:
    same, least, below = (leaf(key, word, written) for word in ("equal", "versionAtLeast", "versionBelow"))
    plain: Mapping[str, list[dict[str, Any]]] = {
        "=": [same],
        ">=": [least],
        "<": [below],
        ">": [least, {"not": same}],
        "<=": [{"any": [below, same]}],
    }
    if sign in plain:
        return plain[sign]
    numbers = [int(number) for number in written.split(".")]
    # `~> 2.1` may go up to 3, `~> 2.1.4` up to 2.2; `^2.1` up to 3.
    kept = 1 if sign == "^" else max(1, len(numbers) - 1)
    return [least, leaf(key, "versionBelow", _next(numbers[:kept]))]


def _next(numbers: Sequence[int]) -> str:
    return ".".join(map(str, [*numbers[:-1], numbers[-1] + 1]))
