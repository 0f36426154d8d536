"""Writes what Cortex' query language compares as conditions of ours: values, counts, ages, members of lists. Pure."""

from dataclasses import dataclass, field
from typing import Any, NoReturn

from scorecards.importing.cql_words import (
    COMPARED,
    COUNTED,
    COUNTS,
    DEPLOYED,
    ENTITY,
    NONE,
    OURS,
    PRESENT,
    RELATIONS,
    SET_OF_ENTITY,
    SOME,
    kind_of,
    leaf,
    period_of,
)
from scorecards.importing.drafts import key_part

Facts = dict[str, str]
"""The facts that a rule needs: their types by key."""


class Untranslatable(ValueError):
    """An expression that says more than our rules can; the message names what."""


@dataclass
class Term:
    """What stands in a comparison: a fact, and how it is looked at."""

    key: str
    kind: str = ""
    """The type of the fact, where it is known."""
    counted: bool = False
    aged: bool = False
    negated: bool = False
    asked: dict[str, Any] | None = None
    """What is asked of its members, where it stands for those of whom it holds: `.filter(…)`."""
    each: str = ""
    """What the members of whom it holds are counted as, where a fact may say how many they are."""
    file: str = ""
    """The path of the file whose content it is; what is asked of it is an entry of the option `files`."""
    shift: dict[str, float] = field(default_factory=dict)
    """What it is multiplied by, or what is added."""


def declare(facts: Facts, key: str, kind: str) -> None:
    """Note a fact that a rule needs; fields of the entity need none."""
    if not key.startswith("entity."):
        facts.setdefault(key, kind)


def compared(term: Term, operator: str, value: Any, facts: Facts) -> dict[str, Any]:
    """Return the condition that what is read compares so with a value, a period or something else that is read."""
    _refuse(term, value)
    if term.aged:
        return _aged(term, operator, value, facts)
    if term.counted:
        return _counted(term, operator, value, facts)
    if term.negated:
        value = _negated(operator, value)
    if isinstance(value, Term):
        declare(facts, term.key, "number")
        declare(facts, value.key, "number")
        return leaf(term.key, operator, {"fact": value.key, **value.shift})
    if term.shift:
        value = _unshifted(term, value)
    declare(facts, term.key, term.kind or kind_of(value))
    return leaf(term.key, operator, value)


def _refuse(term: Term, value: Any) -> None:
    """Raise Untranslatable for what a condition of ours would say but in part."""
    if term.shift and (term.aged or term.counted):
        _fail("a count or an age is neither multiplied nor added to here")
    if term.asked and not term.counted:
        _fail("members that are so are counted")
    if isinstance(value, tuple) and not term.aged:
        _fail("a duration is compared with an age")
    if isinstance(value, Term) and (term.shift or value.negated):
        _fail("only what stands on the right may be multiplied, or have something added")


def present(term: Term, is_wanted: bool, facts: Facts) -> dict[str, Any]:
    """Return the condition that there is something to be read at all."""
    if term.counted or term.aged or term.asked or term.shift or term.negated:
        _fail("only what is read itself is compared with null")
    if term.key.startswith("entity."):
        found = leaf(term.key, "exists", True)
    elif term.key in PRESENT:
        declare(facts, PRESENT[term.key], "string")
        found = leaf(PRESENT[term.key], "isEmpty", False)
    else:
        declare(facts, f"{term.key}.present", "boolean")
        found = leaf(f"{term.key}.present", "equal", True)
    return found if is_wanted else {"not": found}


def one_of(term: Term, values: list[Any], facts: Facts) -> dict[str, Any]:
    """Return the condition that what is read is one of some values."""
    if not values or term.counted or term.aged or term.asked or term.shift or term.negated:
        _fail("what is read, and at least one value, stand beside `in`")
    declare(facts, term.key, term.kind or kind_of(values[0]))
    return leaf(term.key, "in", values)


def known(term: Term) -> Term:
    """Return what is read under the key that it has here."""
    term.key = ENTITY.get(term.key) or ENTITY.get(term.key.removeprefix("entity."), term.key)
    if term.key.startswith(SET_OF_ENTITY):
        return term
    if term.key in OURS:
        term.key, term.kind = OURS[term.key]
    elif "." not in term.key:
        term.key = f"cortex.{term.key}"
    elif term.key.startswith("entity.") and term.key not in ENTITY.values():
        term.key = f"cortex.{term.key.removeprefix('entity.')}"
    return term


def of_related(key: str, word: str, attribute: str, sign: str, value: Any) -> dict[str, Any]:
    """Return what is asked of the related entities themselves: their type; raises Untranslatable for anything else."""
    if attribute != "type" or word not in {"any", "all", "exists"} or sign not in {"==", "=", "!="}:
        _fail(f"`{attribute}` of related entities is asked about")
    which = "every" if word == "all" else "any"
    return {"related": key.removeprefix(RELATIONS), "which": which, "have": leaf("type", COMPARED[sign], value)}


def of_members(word: str, key: str, operator: str, value: Any, facts: Facts) -> dict[str, Any]:
    """Return what is asked of each member's number: all are above a bound where the least is, some where the most."""
    lower = operator.startswith("greaterThan")
    if operator in {"equal", "notEqual"} or word not in {"everyFact", "someFact"}:
        _fail("members are compared by == or != with a text, or by less and greater with a number")
    aggregate = "min" if lower is (word == "everyFact") else "max"
    declare(facts, f"{key}.{aggregate}", "number")
    return leaf(f"{key}.{aggregate}", operator, value)


def flagged(word: str, key: str, is_set: bool, facts: Facts) -> dict[str, Any]:
    """Return what is asked of each member's flag, such as `(slo) => slo.passing`: whether all, or some, have it."""
    every = (word == "everyFact") is is_set
    told = f"{key}.{'all' if every else 'any'}"
    declare(facts, told, "boolean")
    return leaf(told, "equal", is_set)


def counted_as(asked: dict[str, Any]) -> str:
    """Return the key under which those members are counted of whom something holds; empty where none says it."""
    key, value = str(asked.get("fact", "")), asked.get("value")
    if key.startswith("entity."):
        return ""
    if asked.get("operator") == "someFact:in" and isinstance(value, list):
        return f"{key}.{key_part(value[0])}"
    return key.removesuffix(".any") if key.endswith(".any") and value is True else ""


def _negated(operator: str, value: Any) -> bool:
    """`jq(x, "not") == true` asks x for false."""
    if not isinstance(value, bool) or operator not in {"equal", "notEqual"}:
        _fail("what is turned round is compared with true or false")
    return not value


def _unshifted(term: Term, value: Any) -> float:
    """`x * 100 < 5` asks x for less than 0.05."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        _fail("what is multiplied, or added to, is compared with a number")
    by = term.shift.get("times", 1.0)
    if by <= 0:
        _fail("what is read is multiplied by more than nothing")
    return float((value - term.shift.get("plus", 0.0)) / by)


def _fail(message: str) -> NoReturn:
    raise Untranslatable(message)


def _aged(term: Term, operator: str, value: Any, facts: Facts) -> dict[str, Any]:
    """Younger or older than a period; `fromNow() > duration("P-1M")` means younger, since it counts backwards."""
    period = period_of(value)
    if period is None or operator in {"equal", "notEqual"}:
        _fail("an age is compared with a duration, by less or greater")
    days, backwards = period
    younger = operator.startswith("lessThan") is not backwards
    declare(facts, term.key, "datetime")
    return leaf(term.key, "youngerThan" if younger else "olderThan", days)


def _counted(term: Term, operator: str, value: Any, facts: Facts) -> dict[str, Any]:
    if not isinstance(value, int) or isinstance(value, bool):
        _fail("a count is compared with a whole number")
    if term.each and (operator, value) not in SOME | NONE:
        declare(facts, f"{term.each}.count", "integer")
        return leaf(f"{term.each}.count", operator, value)
    if term.asked:
        return _some_or_none(term.asked, operator, value)
    key = COUNTED.get(term.key, term.key)
    within = DEPLOYED.fullmatch(term.key)
    if within and (operator, value) in SOME:
        declare(facts, "deploys.last_at", "datetime")
        return leaf("deploys.last_at", "youngerThan", (period_of(("period", within[1])) or ("1d", False))[0])
    if term.kind == "integer":
        declare(facts, term.key, "integer")
        return leaf(term.key, operator, value)
    if term.key.startswith("entity.metadata.") and not term.key.startswith(SET_OF_ENTITY):
        lengths = {"greaterThanInclusive": ("lengthAtLeast", value), "greaterThan": ("lengthAtLeast", value + 1)}
        lengths |= {"lessThanInclusive": ("lengthAtMost", value), "lessThan": ("lengthAtMost", value - 1)}
        if operator in lengths:
            return leaf(term.key, *lengths[operator])
    declare(facts, key, "set")
    tree: dict[str, Any] = COUNTS[operator](key, value)
    return tree


def _some_or_none(asked: dict[str, Any], operator: str, value: int) -> dict[str, Any]:
    """`.filter(…).length > 0` asks whether some member is so."""
    if (operator, value) in SOME:
        return asked
    if (operator, value) in NONE:
        return {"not": asked}
    raise Untranslatable("of members that are so one can ask whether there is any, not how many")
