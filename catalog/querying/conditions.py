"""What an entity must be: one tree to which the `filter` parameters and the predicates of request bodies compile. Pure.

Keys and values are lower case. A key sees the flattened final entity, as `catalog.ingestion.flatten` describes it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

KIND = "kind"
MAX_CONDITIONS = 2_000
"""Values compared in one condition; SQLite and PostgreSQL bound the parameters of a statement."""
MAX_DEPTH = 24
"""Levels of a condition in its simplest form; SQLite's parser takes half as many again."""


@dataclass(frozen=True)
class Exists:
    """The key is there, with or without a value."""

    key: str


@dataclass(frozen=True)
class Equals:
    """The key has one of the values; none never holds."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class HasPrefix:
    """A value of the key starts with the text."""

    key: str
    prefix: str


@dataclass(frozen=True)
class Every:
    """All of the conditions hold; no condition always holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True)
class Some:
    """At least one of the conditions holds; no condition never holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    """The condition does not hold."""

    condition: "Condition"


Condition = Exists | Equals | HasPrefix | Every | Some | Not

ALWAYS = Every(())
NEVER = Some(())


class TooComplex(ValueError):
    """The condition has more values or levels than one request may ask for."""


def every(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that all hold, in its simplest form."""
    flat: dict[Condition, None] = {}
    for condition in conditions:
        flat.update(dict.fromkeys(condition.conditions if isinstance(condition, Every) else (condition,)))
    if NEVER in flat:
        return NEVER
    return next(iter(flat)) if len(flat) == 1 else Every(tuple(flat))


def some(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that one holds, in its simplest form: equalities of one key become one."""
    values: dict[str, dict[str, None]] = {}
    flat: dict[Condition, None] = {}
    for condition in conditions:
        for inner in condition.conditions if isinstance(condition, Some) else (condition,):
            if isinstance(inner, Equals):
                values.setdefault(inner.key, {}).update(dict.fromkeys(inner.values))
            else:
                flat[inner] = None
    if ALWAYS in flat:
        return ALWAYS
    found = (*(Equals(key, tuple(some_values)) for key, some_values in values.items()), *flat)
    return found[0] if len(found) == 1 else Some(found)


def negate(condition: Condition) -> Condition:
    """Return the condition that this one does not hold."""
    if isinstance(condition, Not):
        return condition.condition
    if condition == ALWAYS:
        return NEVER
    return ALWAYS if condition == NEVER else Not(condition)


def conjuncts(condition: Condition) -> tuple[Condition, ...]:
    """Return the conditions that hold together where this one does, and only there."""
    return condition.conditions if isinstance(condition, Every) else (condition,)


def equalities(condition: Condition) -> list[Equals]:
    """Return what is said by equality of all entities that fulfil the condition, or of those of one alternative."""
    if isinstance(condition, Every | Some):
        return [each for inner in condition.conditions for each in equalities(inner)]
    return [condition] if isinstance(condition, Equals) else []


def kinds_of(condition: Condition) -> frozenset[str] | None:
    """Return the kinds that an entity can have that fulfils the condition; None where it leaves that open."""
    if isinstance(condition, Equals):
        return frozenset(condition.values) if condition.key == KIND else None
    if isinstance(condition, Every):
        found = [kinds for inner in condition.conditions if (kinds := kinds_of(inner)) is not None]
        return frozenset.intersection(*found) if found else None
    if isinstance(condition, Some):
        some = [kinds_of(inner) for inner in condition.conditions]
        return None if None in some else frozenset().union(*(kinds for kinds in some if kinds is not None))
    return None


def says_only_the_kind(condition: Condition) -> bool:
    """Say whether the condition holds for every entity of its kinds, so that their keys tell all about it."""
    return isinstance(condition, Equals) and condition.key == KIND


def require_bounded(condition: Condition) -> None:
    """Raise TooComplex when the condition has too many values or levels."""
    found = _size(condition)
    if found > MAX_CONDITIONS:
        raise TooComplex(f"compares {found} values; one request may compare {MAX_CONDITIONS}: ask in parts")
    if _depth(condition) > MAX_DEPTH:
        raise TooComplex(f"lies deeper than {MAX_DEPTH} levels in its simplest form; simplify it")


def _size(condition: Condition) -> int:
    if isinstance(condition, Every | Some):
        return sum(_size(inner) for inner in condition.conditions)
    if isinstance(condition, Not):
        return _size(condition.condition)
    return len(condition.values) if isinstance(condition, Equals) else 1


def _depth(condition: Condition) -> int:
    if isinstance(condition, Every | Some):
        return 1 + max(map(_depth, condition.conditions), default=0)
    return 1 + _depth(condition.condition) if isinstance(condition, Not) else 0
