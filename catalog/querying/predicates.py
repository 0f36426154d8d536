"""The predicate form of a condition, the `query` of request bodies. Pure.

Source: Backstage's filter predicates, as its catalog reads them: `$contains` compares with the members of a list as the
search index knows them, which is an equality.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from catalog.format.numbers import number_text
from catalog.querying.conditions import (
    NEVER,
    Condition,
    Equals,
    Exists,
    HasPrefix,
    TooComplex,
    every,
    negate,
    require_bounded,
    some,
)
from portal_backend.core.errors import Fault, InvalidInput

RELATIONS = "relations"
MAX_NESTING = 100
"""Levels of a predicate as it is written; in its simplest form there are fewer, above all of what a program wrote."""


def parse_predicate(query: Any) -> Condition:
    """Return the condition of a predicate; raises InvalidInput naming the place of what is wrong."""
    condition = _parse(query, "query", 0)
    try:
        require_bounded(condition)
    except TooComplex as error:
        raise _fault("query", str(error)) from error
    return condition


def _parse(query: Any, path: str, depth: int) -> Condition:
    if not isinstance(query, dict):
        raise _fault(path, 'must be an object such as {"kind": "component"}')
    if depth > MAX_NESTING:
        raise _fault(path, f"lies deeper than {MAX_NESTING} levels; simplify the predicate")
    operator = next((key for key in query if key.startswith("$")), None)
    if operator is None:
        return every(_field(key, value, f"{path}.{key}") for key, value in query.items())
    if operator not in LOGIC:
        raise _fault(path, f"has the unknown operator {operator[:50]}; use one of {', '.join(sorted(LOGIC))}")
    if len(query) > 1:
        raise _fault(path, f"may hold nothing beside {operator}; put both into $all")
    return LOGIC[operator](query[operator], f"{path}.{operator}", depth + 1)


def _parse_all(value: Any, path: str, depth: int) -> Condition:
    return every(_parse_list(value, path, depth))


def _parse_any(value: Any, path: str, depth: int) -> Condition:
    return some(_parse_list(value, path, depth))


def _parse_not(value: Any, path: str, depth: int) -> Condition:
    return negate(_parse(value, path, depth))


LOGIC: Mapping[str, Callable[[Any, str, int], Condition]] = {"$all": _parse_all, "$any": _parse_any, "$not": _parse_not}


def _parse_list(value: Any, path: str, depth: int) -> list[Condition]:
    if not isinstance(value, list):
        raise _fault(path, "must be a list of predicates")
    return [_parse(item, f"{path}[{number}]", depth) for number, item in enumerate(value)]


def _field(key: str, value: Any, path: str) -> Condition:
    lowered = key.lower()
    if not lowered:
        raise _fault(path, "has an empty key; name a field, for example metadata.name")
    if not isinstance(value, dict):
        return Equals(lowered, (_scalar(value, path),))
    if len(value) != 1 or (operator := next(iter(value))) not in MATCHERS:
        raise _fault(path, f"must be a scalar or an object with exactly one of {', '.join(sorted(MATCHERS))}")
    return MATCHERS[operator](lowered, value[operator], f"{path}.{operator}")


def _exists(key: str, value: Any, path: str) -> Condition:
    if not isinstance(value, bool):
        raise _fault(path, "must be true or false")
    return Exists(key) if value else negate(Exists(key))


def _is_in(key: str, value: Any, path: str) -> Condition:
    if not isinstance(value, list):
        raise _fault(path, "must be a list of scalars")
    values = (_scalar(item, f"{path}[{number}]") for number, item in enumerate(value))
    found = tuple(dict.fromkeys(values))
    return Equals(key, found) if found else NEVER


def _has_prefix(key: str, value: Any, path: str) -> Condition:
    if not isinstance(value, str):
        raise _fault(path, "must be a string")
    return HasPrefix(key, value.lower())


def _contains(key: str, value: Any, path: str) -> Condition:
    if not isinstance(value, dict):
        return Equals(key, (_scalar(value, path),))
    if key != RELATIONS:
        raise _fault(path, "may be an object only for the key relations; give a scalar")
    return _relation(value, path)


def _relation(value: Mapping[str, Any], path: str) -> Condition:
    unknown = value.keys() - {"type", "targetRef"}
    if unknown or not isinstance(value.get("type"), str) or not value["type"]:
        raise _fault(path, 'must be {"type": "<relation>"}, and "targetRef" beside it if wanted')
    key = f"{RELATIONS}.{value['type'].lower()}"
    target = value.get("targetRef")
    if "targetRef" not in value:
        return Exists(key)
    if isinstance(target, str):
        return Equals(key, (target.lower(),))
    if isinstance(target, dict) and target.keys() == {"$in"}:
        return _is_in(key, target["$in"], f"{path}.targetRef.$in")
    raise _fault(f"{path}.targetRef", 'must be a reference or {"$in": [references]}')


MATCHERS: Mapping[str, Callable[[str, Any, str], Condition]] = {
    "$exists": _exists,
    "$in": _is_in,
    "$hasPrefix": _has_prefix,
    "$contains": _contains,
}


def _scalar(value: Any, path: str) -> str:
    """Write a scalar as the search index has it, in lower case."""
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and isfinite(value):
        return number_text(value)
    raise _fault(path, "must be a string, a number, true or false")


def _fault(path: str, message: str) -> InvalidInput:
    return InvalidInput(f"{path[:300]} {message}.", [Fault(path[:300], message)])
