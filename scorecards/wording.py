"""Sentences with values in them, each value written for a person by its unit. Pure.

Ratios are written as percent with as many digits as it takes to tell the values of one sentence apart: 99.94 % that
misses 99.95 % must not read as 99.9 % that misses 99.9 %.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from scorecards.evidence.values import span

PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_.-]+)\}")
MAX_DECIMALS = 8
SHOWN_MEMBERS = 12
UNKNOWN = "unknown"
MISSING = "missing"
"""The placeholder for what `subsetOf` found lacking."""

SECONDS = (
    (86_400.0, "d"),
    (3_600.0, "h"),
    (60.0, "min"),
    (1.0, "s"),
    (0.001, "ms"),
)
BYTES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
WORDS = {"requests_per_second": "requests/s", "days": "days"}


def placeholders(template: str) -> list[str]:
    """Return the names in braces, in order."""
    return PLACEHOLDER.findall(template)


def render(
    template: str,
    values: Mapping[str, tuple[Any, str]],
    now: datetime,
    beside: Iterable[Any] = (),
) -> str:
    """Fill the placeholders with (value, unit) pairs; `beside` are further numbers to stay distinct from."""
    names = placeholders(template)
    numbers = [*beside, *(values[name][0] for name in names if name in values)]

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            return UNKNOWN
        value, unit = values[match[1]]
        return write(value, unit, now, numbers)

    return PLACEHOLDER.sub(fill, template)


def write(value: Any, unit: str, now: datetime, beside: Collection[Any] = ()) -> str:
    """Write one value with its unit; numbers get digits enough to differ from every other number in `beside`."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return _write_time(value, now)
    if isinstance(value, list | tuple):
        return _write_members(value)
    if isinstance(value, int | float):
        return _write_number(value, unit, [number for number in beside if _is_number(number)])
    return str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _write_time(value: datetime, now: datetime) -> str:
    if value.date() == now.date():
        return f"{value:%Y-%m-%d} (today)"
    if value > now:
        return f"{value:%Y-%m-%d} (in {span(value - now)})"
    return f"{value:%Y-%m-%d} ({span(now - value)} ago)"


def _write_members(members: Collection[str]) -> str:
    if not members:
        return "none"
    shown = list(members)[:SHOWN_MEMBERS]
    rest = len(members) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def _write_number(value: float, unit: str, beside: Collection[float]) -> str:
    if unit == "level":
        return f"L{value:g}"
    if unit == "ratio":
        return f"{_distinct(value * 100, [number * 100 for number in beside], _percent_decimals(value))} %"
    if unit == "seconds":
        return _scaled(value, SECONDS)
    if unit == "bytes":
        return _scaled(value, BYTES) if abs(value) >= 1024 else f"{value:g} B"
    text = str(value) if isinstance(value, int) else _distinct(value, beside, 0 if abs(value) >= 100 else 1)
    return f"{text} {WORDS[unit]}" if unit in WORDS else text


def _percent_decimals(ratio: float) -> int:
    """As many decimals as show one digit of what is missing to 100 %: 99.9 %, 99.95 %, 99.995 %."""
    gap = abs(1 - ratio)
    if gap == 0 or gap > 0.1:
        return 1
    return min(MAX_DECIMALS, max(1, math.ceil(-math.log10(gap) - 1e-9) - 1))


def _distinct(value: float, others: Collection[float], decimals: int) -> str:
    """Write with the fewest decimals, from `decimals` on, at which values that differ also read differently."""
    for digits in range(decimals, MAX_DECIMALS + 1):
        text = f"{value:.{digits}f}"
        if all(f"{other:.{digits}f}" != text for other in others if not math.isclose(other, value, rel_tol=1e-12)):
            break
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scaled(value: float, scale: tuple[tuple[float, str], ...]) -> str:
    size, unit = next((step for step in scale if abs(value) >= step[0]), scale[-1])
    return f"{value / size:.3g} {unit}"
