"""The forms of a fact's value: checked when stored, typed when judged, written for people. Pure."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from portal_backend.core.clock import format_time, parse_time

MAX_TEXT = 4_000
MAX_MEMBERS = 5_000
MAX_INTEGER = 2**63

Typed = bool | int | float | str | datetime | tuple[str, ...]
"""A fact's value as rules see it: times parsed, sets as sorted tuples."""


def normalise(kind: str, value: Any) -> Any:
    """Return a fact's value in the form it is stored in; raises ValueError saying what is wrong with it.

    Sets are sorted and freed of duplicates, times written in UTC. A bool is no number, nor are NaN and infinity.
    """
    fitted = typed(kind, value)
    if isinstance(fitted, datetime):
        return format_time(fitted)
    return list(fitted) if isinstance(fitted, tuple) else fitted


def typed(kind: str, value: Any) -> Typed:
    """Return a stored value as rules see it; raises ValueError when it is not of the kind (a FactType's word)."""
    reader = READERS.get(kind)
    if reader is None:
        raise ValueError(f"{kind} is not a type of fact")
    return reader(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"is {_name(value)}, not true or false")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"is {_name(value)}, not a whole number")
    if abs(value) >= MAX_INTEGER:
        raise ValueError("is a whole number beyond 64 bits")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"is {_name(value)}, not a number")
    if not math.isfinite(value) or abs(value) >= MAX_INTEGER:
        raise ValueError("is not a finite number of a sensible size")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"is {_name(value)}, not text")
    if len(value) > MAX_TEXT or "\0" in value or not _is_unicode(value):
        raise ValueError(f"is text longer than {MAX_TEXT} characters, or not clean Unicode")
    return value


def _datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("is a time without a UTC offset")
        return value
    if not isinstance(value, str):
        raise ValueError(f"is {_name(value)}, not a time")
    try:
        return parse_time(value)
    except (ValueError, OverflowError) as error:
        raise ValueError("is not an RFC 3339 time with a UTC offset") from error


def _set(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise ValueError(f"is {_name(value)}, not a list of texts")
    if len(value) > MAX_MEMBERS:
        raise ValueError(f"has more than {MAX_MEMBERS} members")
    return tuple(sorted({_string(member) for member in value}))


READERS: Mapping[str, Callable[[Any], Typed]] = {
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "string": _string,
    "datetime": _datetime,
    "set": _set,
}


def _name(value: Any) -> str:
    if value is None:
        return "nothing"
    return {"bool": "true or false", "str": "text", "int": "a number", "float": "a number"}.get(
        type(value).__name__, f"a {type(value).__name__}"
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def moment(when: datetime) -> str:
    """Write a time as a person reads it: `2026-11-22 10:00 UTC`."""
    return f"{when:%Y-%m-%d %H:%M} UTC"


def span(duration: timedelta) -> str:
    """Write a duration in its largest sensible unit: `90 days`, `6 hours`, `5 minutes`."""
    seconds = int(duration.total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "1 second" if seconds == 1 else f"{seconds} seconds"
