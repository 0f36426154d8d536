"""What the readers of other products share: operators by other names, levels, weights, pushed answers. Pure."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from scorecards.importing.cql_words import leaf
from scorecards.importing.drafts import Draft, Item, Said, plain, short
from scorecards.importing.making import Options, ruled
from scorecards.rules.operators import EVERY, SOME
from scorecards.rules.operators import OPERATORS as RULE_OPERATORS

Document = Mapping[str, Any]
OPERATORS = {
    "=": "equal",
    "==": "equal",
    "!=": "notEqual",
    "<": "lessThan",
    "<=": "lessThanInclusive",
    ">": "greaterThan",
    ">=": "greaterThanInclusive",
    "in": "in",
    "notIn": "notIn",
    "contains": "contains",
    "doesNotContain": "doesNotContain",
    "doesNotContains": "doesNotContain",
    "containsAny": "overlaps",
    "beginsWith": "startsWith",
    "startsWith": "startsWith",
    "endsWith": "endsWith",
    "hasAny": "overlaps",
    "notMatches": "doesNotMatchRegex",
    "matches": "matchesRegex",
    "regex": "matchesRegex",
    "isEmpty": "isEmpty",
    **{name: name for name in ("equal", "notEqual", "lessThan", "lessThanInclusive", "greaterThan")},
    **{name: name for name in ("greaterThanInclusive", "hasAtLeast", "hasAtMost", "matchesRegex")},
}
NEGATED = {
    "doesNotBeginsWith": "beginsWith",
    "doesNotBeginWith": "beginsWith",
    "doesNotEndsWith": "endsWith",
    "doesNotEndWith": "endsWith",
    "isNotEmpty": "isEmpty",
    "doesNotMatch": "matches",
    "notBetween": "between",
}
KINDS = {
    **dict.fromkeys(("overlaps", "hasAtLeast", "hasAtMost"), "set"),
    **dict.fromkeys(("startsWith", "endsWith", "matchesRegex", "isEmpty"), "string"),
    **dict.fromkeys(("lessThan", "lessThanInclusive", "greaterThan", "greaterThanInclusive"), "number"),
}
PRESETS = {
    "today": "1d",
    "yesterday": "2d",
    "lastWeek": "7d",
    "last2Weeks": "14d",
    "lastMonth": "31d",
    "last3Months": "92d",
    "last6Months": "183d",
    "last12Months": "366d",
}
EACH = {"all": EVERY, "any": SOME, "everyFact": EVERY, "someFact": SOME}
MAX_LEVEL, MAX_WEIGHT = 4, 5
MAX_DEPTH = 16


class NotSaid(ValueError):
    """A rule that has no form of ours; the message says why."""


def is_list_of(content: Any, *names: str) -> bool:
    """Say whether a document is a list of mappings that each have all of these keys."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(one, Mapping) and all(name in one for name in names) for one in content)
    )


def rank(levels: Sequence[Any], name: Any, default: int | None = None) -> int | None:
    """Return the place of a level in its ladder as one of ours, 1 to 4."""
    return min(levels.index(name) + 1, MAX_LEVEL) if name in levels else default


def scaled(weights: Sequence[float], weight: Any) -> int:
    """Return a weight as one of ours, 1 to 5, in proportion to the largest."""
    most = max([one for one in weights if isinstance(one, int | float)], default=0)
    if not isinstance(weight, int | float) or not most:
        return 3
    return max(1, round(weight * MAX_WEIGHT / most)) if most > MAX_WEIGHT else max(1, round(weight))


def pushed(item: Item, key: str, draft: Draft, options: Options, why: str, words: Document | None = None) -> Said:
    """Return a check that passes when its own system says so, as a fact that is pushed."""
    key = draft.new_key(key)
    draft.declare(key, "boolean", "", short(f"What its own system says: {plain(item.text)}", 200))
    return ruled(
        item, leaf(key, "equal", True), draft, options, f"{why} Its answer is supplied as the fact {key}.", words
    )


def number(value: Any) -> float | int:
    """Return what a value is compared with; raises NotSaid for what is no number, such as a variable left open."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise NotSaid(f"It compares with {value!r}, which is no number") from None
    if not isfinite(found):
        raise NotSaid(f"It compares with {value!r}, which is no number")
    return int(found) if found.is_integer() else found


def condition(key: str, operator: Any, value: Any, what: str, draft: Draft) -> dict[str, Any]:
    """Return a condition by another product's operator, its fact declared by how it is compared."""
    if operator in NEGATED:
        wanted = condition(key, NEGATED[str(operator)], value, what, draft)
        return dict(wanted["not"]) if wanted.keys() == {"not"} else {"not": wanted}
    if operator == "between":
        return _between(key, value, what, draft)
    word, _, of_members = str(operator).partition(":")
    if of_members and word in EACH:
        return _of_members(key, f"{EACH[word]}:{OPERATORS.get(of_members, of_members)}", value, what, draft)
    name = OPERATORS.get(str(operator))
    if name is None:
        raise NotSaid(f"Its operator {operator} has none of ours beside it")
    if KINDS.get(name) == "number" and isinstance(value, str):
        value = number(value)
    if not key.startswith("entity."):
        draft.declare(key, KINDS.get(name) or _kind_of(value, name), "", f"What is read from {what}")
    return _plain(key, name, value)


def _plain(key: str, name: str, value: Any) -> dict[str, Any]:
    """A condition by an operator of ours; an empty field of the entity is one that does not stand there."""
    if name == "isEmpty" and key.startswith("entity."):
        return {"not": leaf(key, "exists", True)}
    if name == "isEmpty":
        return leaf(key, name, True)
    return leaf(key, name, [value] if name in {"in", "notIn", "overlaps"} and not isinstance(value, list) else value)


def _of_members(key: str, operator: str, value: Any, what: str, draft: Draft) -> dict[str, Any]:
    """A condition on every member of a list of texts, or on some."""
    word, _, name = operator.partition(":")
    plain_names = {"equal": "in", "notEqual": "notIn"}
    if name in plain_names:
        operator, value = f"{word}:{plain_names[name]}", [value]
    if operator not in RULE_OPERATORS or not isinstance(value, str | list):
        raise NotSaid(f"Its operator {name} is not asked of the members of a list here")
    if not key.startswith("entity."):
        draft.declare(key, "set", "", f"What is read from {what}")
    return leaf(key, operator, value)


def _between(key: str, value: Any, what: str, draft: Draft) -> dict[str, Any]:
    """A range of numbers, or of time by a name such as lastMonth."""
    if isinstance(value, Mapping) and value.get("preset") in PRESETS:
        draft.declare(key, "datetime", "", f"What is read from {what}")
        return leaf(key, "youngerThan", PRESETS[value["preset"]])
    ends = [value.get("from"), value.get("to")] if isinstance(value, Mapping) else value
    if not isinstance(ends, list) or len(ends) != 2:
        raise NotSaid("Its range is none that is understood")
    draft.declare(key, _kind_of(ends[0], ""), "", f"What is read from {what}")
    return {"all": [leaf(key, "greaterThanInclusive", ends[0]), leaf(key, "lessThanInclusive", ends[1])]}


def _kind_of(value: Any, operator: str) -> str:
    sample = value[0] if isinstance(value, list) and value else value
    if isinstance(sample, bool):
        return "boolean"
    if isinstance(sample, int | float):
        return "number"
    return "set" if operator in {"contains", "doesNotContain"} else "string"
