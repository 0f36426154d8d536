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
from typing import Any

from scorecards.evidence.values import typed

NUMBERS = frozenset({"integer", "number"})
SCALARS = frozenset({"boolean", "integer", "number", "string", "datetime"})
ORDERED = NUMBERS | {"datetime"}
CRITICALITIES = ("T0", "T1", "T2", "T3")
"""Most critical first."""

MAX_LIST = 100
DURATION = re.compile(r"([1-9][0-9]{0,3})([mhdw])")
DURATION_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Operand(StrEnum):
    """What may stand on an operator's right."""

    SAME = "a value of the fact's own type, or another fact of it"
    LIST = "a list of values of the fact's own type"
    MEMBER = "one text"
    SET = "a list of texts, or another fact that is a set"
    FLAG = "true or false"
    DURATION = "a duration such as 180d, 12h, 30m or 4w"


@dataclass(frozen=True)
class Operator:
    """One operator: the types of fact it fits, its operand, and the comparison (fact's value, operand, now)."""

    types: frozenset[str]
    operand: Operand
    compare: Callable[[Any, Any, datetime], bool | None]


def _plain(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any, datetime], bool | None]:
    return lambda value, operand, _now: compare(value, operand)


def _younger(value: datetime, allowed: timedelta, now: datetime) -> bool | None:
    """A time more than a day ahead is a slip of the pen, and shows nothing."""
    if value > now + timedelta(days=1):
        return None
    return now - value <= allowed


def _older(value: datetime, allowed: timedelta, now: datetime) -> bool | None:
    younger = _younger(value, allowed, now)
    return None if younger is None else not younger


def _at_least_as_critical(value: str, own: str, _now: datetime) -> bool | None:
    if value not in CRITICALITIES or own not in CRITICALITIES:
        return None
    return CRITICALITIES.index(value) <= CRITICALITIES.index(own)


OPERATORS: Mapping[str, Operator] = {
    "equal": Operator(SCALARS, Operand.SAME, _plain(builtin.eq)),
    "notEqual": Operator(SCALARS, Operand.SAME, _plain(builtin.ne)),
    "lessThan": Operator(ORDERED, Operand.SAME, _plain(builtin.lt)),
    "lessThanInclusive": Operator(ORDERED, Operand.SAME, _plain(builtin.le)),
    "greaterThan": Operator(ORDERED, Operand.SAME, _plain(builtin.gt)),
    "greaterThanInclusive": Operator(ORDERED, Operand.SAME, _plain(builtin.ge)),
    "in": Operator(SCALARS, Operand.LIST, _plain(lambda value, members: value in members)),
    "notIn": Operator(SCALARS, Operand.LIST, _plain(lambda value, members: value not in members)),
    "contains": Operator(frozenset({"set"}), Operand.MEMBER, _plain(lambda value, member: member in value)),
    "doesNotContain": Operator(frozenset({"set"}), Operand.MEMBER, _plain(lambda value, member: member not in value)),
    "subsetOf": Operator(frozenset({"set"}), Operand.SET, _plain(lambda value, whole: set(value) <= set(whole))),
    "isEmpty": Operator(frozenset({"set"}), Operand.FLAG, _plain(lambda value, wanted: (not value) is wanted)),
    "youngerThan": Operator(frozenset({"datetime"}), Operand.DURATION, _younger),
    "olderThan": Operator(frozenset({"datetime"}), Operand.DURATION, _older),
    "atLeastAsCriticalAs": Operator(frozenset({"string"}), Operand.SAME, _at_least_as_critical),
}


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


READERS: Mapping[Operand, Callable[[str, Any], Any]] = {
    Operand.SAME: _read_same,
    Operand.LIST: _read_list,
    Operand.MEMBER: lambda _kind, value: typed("string", value),
    Operand.SET: _read_set,
    Operand.FLAG: lambda _kind, value: typed("boolean", value),
    Operand.DURATION: lambda _kind, value: parse_duration(value),
}
