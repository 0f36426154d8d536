"""The operators of rules: json-rules-engine's spelling, and ours beside it. Pure.

An operator says which types of fact it fits, what stands on its right, and how the two compare. A comparison returns
True or False, or None where the values allow no answer.
"""

import operator as builtin
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from portal_backend.core.regex import Regex
from scorecards.evidence.values import typed

NUMBERS = frozenset({"integer", "number"})
SCALARS = frozenset({"boolean", "integer", "number", "string", "datetime"})
ORDERED = NUMBERS | {"datetime"}
TEXTS = frozenset({"string"})
SETS = frozenset({"set"})
ANY = "any"
"""The type of a field of the catalog's entity: whatever its file holds there. Its operator tells how it is read."""
CRITICALITIES = ("T0", "T1", "T2", "T3")
"""Most critical first."""

MAX_LIST = 100
MAX_PATTERN = 200
MAX_STARS = 5
MOST_AHEAD = timedelta(days=1)
"""A time further ahead is a slip of the pen, and shows nothing."""
DURATION = re.compile(r"([1-9][0-9]{0,3})([mhdw])")
VERSION = re.compile(r"[vV]?([0-9]{1,9}(?:\.[0-9]{1,9}){0,5})")
DURATION_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Operand(StrEnum):
    """What may stand on an operator's right."""

    SAME = "a value of the fact's own type, or another fact of it"
    LIST = "a list of values of the fact's own type, or another fact that is a set"
    MEMBER = "one text, or another fact that is one"
    PATTERN = "a text in which * stands for anything and ? for one character"
    SET = "a list of texts, or another fact that is a set"
    FLAG = "true or false"
    DURATION = "a duration such as 180d, 12h, 30m or 4w"
    COUNT = "a whole number"
    VERSION = "a version such as 2.3.0 or v17, or another fact that holds one"
    REGEX = "a regular expression without references back and looking around"
    TEXTS = "a list of texts"


@dataclass(frozen=True)
class Operator:
    """One operator: the types of fact it fits, its operand, and the comparison (fact's value, operand, now)."""

    types: frozenset[str]
    operand: Operand
    compare: Callable[[Any, Any, datetime], bool | None]


def _plain(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any, datetime], bool | None]:
    return lambda value, operand, _now: compare(value, operand)


def _younger(value: datetime, allowed: timedelta, now: datetime) -> bool | None:
    if value > now + MOST_AHEAD:
        return None
    return now - value <= allowed


def _older(value: datetime, allowed: timedelta, now: datetime) -> bool | None:
    younger = _younger(value, allowed, now)
    return None if younger is None else not younger


def _at_least_as_critical(value: str, own: str, _now: datetime) -> bool | None:
    if value not in CRITICALITIES or own not in CRITICALITIES:
        return None
    return CRITICALITIES.index(value) <= CRITICALITIES.index(own)


def _version(text: Any) -> tuple[int, ...] | None:
    """Return the numbers of a version, `v2.3.0-rc1` as 2, 3, 0; None when it begins with none."""
    match = VERSION.match(str(text).strip())
    if match is None:
        return None
    numbers = [int(part) for part in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _version_at_least(value: str, least: tuple[int, ...] | str, _now: datetime) -> bool | None:
    """The bound is a version that was read already, or another fact's text."""
    found = _version(value)
    bound = _version(least) if isinstance(least, str) else least
    return None if found is None or bound is None else found >= bound


def _version_below(value: str, bound: tuple[int, ...] | str, now: datetime) -> bool | None:
    at_least = _version_at_least(value, bound, now)
    return None if at_least is None else not at_least


def _ahead(value: datetime, least: timedelta, now: datetime) -> bool:
    return value - now >= least


def _has_value(value: Any, wanted: str) -> bool:
    """Match as Backstage's entity filters do: the value itself or a member of the list, whatever the case."""
    members = value if isinstance(value, tuple | list) else [value]
    return any(str(member).lower() == wanted.lower() for member in members)


def _stands_there(value: Any, wanted: bool) -> bool:
    """A list without members is nothing that stands there."""
    return (value not in (None, [], ())) is wanted


_OF_ONE: dict[str, Operator] = {
    "equal": Operator(SCALARS, Operand.SAME, _plain(builtin.eq)),
    "notEqual": Operator(SCALARS, Operand.SAME, _plain(builtin.ne)),
    "lessThan": Operator(ORDERED, Operand.SAME, _plain(builtin.lt)),
    "lessThanInclusive": Operator(ORDERED, Operand.SAME, _plain(builtin.le)),
    "greaterThan": Operator(ORDERED, Operand.SAME, _plain(builtin.gt)),
    "greaterThanInclusive": Operator(ORDERED, Operand.SAME, _plain(builtin.ge)),
    "in": Operator(SCALARS, Operand.LIST, _plain(lambda value, members: value in members)),
    "notIn": Operator(SCALARS, Operand.LIST, _plain(lambda value, members: value not in members)),
    "contains": Operator(SETS | TEXTS, Operand.MEMBER, _plain(lambda value, member: member in value)),
    "doesNotContain": Operator(SETS | TEXTS, Operand.MEMBER, _plain(lambda value, member: member not in value)),
    "subsetOf": Operator(SETS, Operand.SET, _plain(lambda value, whole: set(value) <= set(whole))),
    "isEmpty": Operator(SETS | TEXTS, Operand.FLAG, _plain(lambda value, wanted: (not value) is wanted)),
    "hasAtLeast": Operator(SETS, Operand.COUNT, _plain(lambda value, count: len(value) >= count)),
    "hasAtMost": Operator(SETS, Operand.COUNT, _plain(lambda value, count: len(value) <= count)),
    "startsWith": Operator(TEXTS, Operand.MEMBER, _plain(lambda value, start: value.startswith(start))),
    "endsWith": Operator(TEXTS, Operand.MEMBER, _plain(lambda value, end: value.endswith(end))),
    "matches": Operator(TEXTS, Operand.PATTERN, _plain(fnmatchcase)),
    "doesNotMatch": Operator(TEXTS, Operand.PATTERN, _plain(lambda value, pattern: not fnmatchcase(value, pattern))),
    "matchesRegex": Operator(TEXTS, Operand.REGEX, _plain(lambda value, regex: regex.search(value))),
    "doesNotMatchRegex": Operator(TEXTS, Operand.REGEX, _plain(lambda value, regex: not regex.search(value))),
    "lengthAtLeast": Operator(TEXTS, Operand.COUNT, _plain(lambda value, count: len(value) >= count)),
    "lengthAtMost": Operator(TEXTS, Operand.COUNT, _plain(lambda value, count: len(value) <= count)),
    "overlaps": Operator(SETS, Operand.SET, _plain(lambda value, others: not set(value).isdisjoint(others))),
    "isAhead": Operator(frozenset({"datetime"}), Operand.DURATION, _ahead),
    "youngerThan": Operator(frozenset({"datetime"}), Operand.DURATION, _younger),
    "olderThan": Operator(frozenset({"datetime"}), Operand.DURATION, _older),
    "versionAtLeast": Operator(TEXTS, Operand.VERSION, _version_at_least),
    "versionBelow": Operator(TEXTS, Operand.VERSION, _version_below),
    "atLeastAsCriticalAs": Operator(TEXTS, Operand.SAME, _at_least_as_critical),
    "hasValue": Operator(TEXTS | SETS | {ANY}, Operand.MEMBER, _plain(_has_value)),
    "exists": Operator(frozenset({ANY}), Operand.FLAG, _plain(_stands_there)),
}
EVERY, SOME = "everyFact", "someFact"
"""Before an operator on a text: asked of every member of a set, or of some; json-rules-engine's own decorators."""
OF_MEMBERS = frozenset(
    {
        *("in", "notIn", "contains", "doesNotContain", "startsWith", "endsWith", "matches", "doesNotMatch"),
        *("matchesRegex", "doesNotMatchRegex", "lengthAtLeast", "lengthAtMost", "versionAtLeast", "versionBelow"),
    }
)
"""The operators that may be asked of the members of a set."""


def _of_members(word: str, one: Operator) -> Operator:
    """Return the operator that asks `one` of the members; what one member leaves open decides only if others do not."""
    decides = word == SOME

    def compare(members: Any, operand: Any, now: datetime) -> bool | None:
        if not isinstance(members, tuple):
            raise TypeError("is no set")
        truths = [one.compare(member, operand, now) for member in members]
        if decides in truths:
            return decides
        return None if None in truths else not decides

    return Operator(SETS, Operand.TEXTS if one.operand is Operand.LIST else one.operand, compare)


OPERATORS: Mapping[str, Operator] = _OF_ONE | {
    f"{word}:{name}": _of_members(word, _OF_ONE[name]) for word in (EVERY, SOME) for name in sorted(OF_MEMBERS)
}
PLAIN_OPERATORS = tuple(_OF_ONE)


def missing_members(name: str, value: Any, operand: Any, now: datetime) -> tuple[str, ...]:
    """Return the members of a set for which an operator that asks every one of them does not hold."""
    if name == "subsetOf":
        return tuple(sorted(set(value) - set(operand)))
    word, _, of_one = name.partition(":")
    if word != EVERY:
        return ()
    return tuple(member for member in value if OPERATORS[of_one].compare(member, operand, now) is False)


def fits_fact(operand: Operand, kind: str, other: str) -> bool:
    """Say whether a fact of type `other` may stand on the right of an operator that is asked of a fact of `kind`."""
    if operand is Operand.SAME:
        return same_family(kind, other)
    if operand is Operand.LIST:
        return kind == "string" and other == "set"
    wanted = {Operand.SET: "set", Operand.MEMBER: "string", Operand.VERSION: "string"}
    return wanted.get(operand) == other


def shifted(value: Any, times: float, plus: float | timedelta | None) -> Any:
    """Return another fact's value as it is compared with: multiplied, and something added."""
    if times != 1:
        value = value * times
    return value if plus is None else value + plus


def read_shift(kind: str, value: Any) -> float | timedelta:
    """Return what is added to a fact of a type: a number, or to a time a duration, `-14d` to take it away.

    Raises ValueError.
    """
    if kind == "datetime":
        text = str(value)
        return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)
    if kind not in NUMBERS:
        raise ValueError("is added to something that is neither a number nor a time")
    return float(typed("number", value))  # type: ignore[arg-type]


def kind_for(name: str, value: Any) -> str:
    """Return how a field of any type is read under an operator: as what the operator fits, told by the operand.

    Raises ValueError when the operand is of no kind that can be compared.
    """
    types = OPERATORS[name].types
    if types <= SETS | TEXTS | {ANY}:
        return "string" if types == TEXTS else ANY
    if types == {"datetime"}:
        return "datetime"
    samples = value if isinstance(value, list) else [value]
    for kind in ("boolean", "number", "string"):
        if samples and all(_fits(kind, sample) for sample in samples):
            return "datetime" if kind == "string" and "string" not in types else kind
    raise ValueError(f"{value!r} is neither text, number, true nor false, nor a list of one of them")


def _fits(kind: str, value: Any) -> bool:
    try:
        typed(kind, value)
    except ValueError:
        return False
    return True


def read_any(kind: str, value: Any) -> Any:
    """Return what stands in an entity as `kind`; annotations and labels are texts, and `"true"` may mean true.

    Raises ValueError when it cannot be read so.
    """
    if kind == ANY:
        return typed("set", value) if isinstance(value, list | tuple) else value
    if isinstance(value, str) and kind == "boolean":
        value = {"true": True, "false": False}.get(value.strip().lower(), value)
    if isinstance(value, str) and kind == "number":
        value = float(value)
    return typed(kind, value)


def same_family(left: str, right: str) -> bool:
    """Say whether values of two types may be compared: whole and other numbers may, all else only with its own."""
    return left == right or (left in NUMBERS and right in NUMBERS)


def parse_duration(text: Any) -> timedelta:
    """Read `180d`, `12h`, `30m` or `4w`; raises ValueError."""
    match = DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"is not {Operand.DURATION.value}")
    return timedelta(**{DURATION_UNITS[match[2]]: int(match[1])})


def read_operand(operand: Operand, kind: str, value: Any) -> Any:
    """Return what stands on the right as the comparison wants it; raises ValueError saying what it should be."""
    try:
        return READERS[operand](kind, value)
    except ValueError as error:
        raise ValueError(f"{error}; expected {operand.value}") from error


def _read_same(kind: str, value: Any) -> Any:
    return typed("number" if kind in NUMBERS else kind, value)


def _read_list(kind: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("is not a list with members")
    if len(value) > MAX_LIST:
        raise ValueError(f"has more than {MAX_LIST} members")
    return tuple(_read_same(kind, member) for member in value)


def _read_set(_kind: str, value: Any) -> Any:
    if isinstance(value, list) and len(value) > MAX_LIST:
        raise ValueError(f"has more than {MAX_LIST} members")
    return typed("set", value)


def _read_version(value: Any) -> tuple[int, ...]:
    found = _version(typed("string", value))
    if found is None:
        raise ValueError("is no version")
    return found


def _pattern(value: Any) -> Any:
    """Matching takes time that grows with the stars in a pattern."""
    pattern = str(typed("string", value))
    if len(pattern) > MAX_PATTERN or pattern.count("*") > MAX_STARS:
        raise ValueError(f"is longer than {MAX_PATTERN} characters or has more than {MAX_STARS} stars")
    return pattern


def _texts(value: Any) -> Any:
    if not isinstance(value, list) or not value or len(value) > MAX_LIST:
        raise ValueError(f"is not a list of 1 to {MAX_LIST} members")
    return typed("set", value)


READERS: Mapping[Operand, Callable[[str, Any], Any]] = {
    Operand.SAME: _read_same,
    Operand.LIST: _read_list,
    Operand.MEMBER: lambda _kind, value: typed("string", value),
    Operand.SET: _read_set,
    Operand.FLAG: lambda _kind, value: typed("boolean", value),
    Operand.DURATION: lambda _kind, value: parse_duration(value),
    Operand.COUNT: lambda _kind, value: typed("integer", value),
    Operand.VERSION: lambda _kind, value: _read_version(value),
    Operand.PATTERN: lambda _kind, value: _pattern(value),
    Operand.REGEX: lambda _kind, value: Regex(str(typed("string", value))),
    Operand.TEXTS: lambda _kind, value: _texts(value),
}
