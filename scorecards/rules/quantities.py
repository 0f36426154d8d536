"""Numbers as people write them beside a unit: `15%`, `300ms`, `10GiB`, `90d`. Pure."""

import re
from collections.abc import Mapping

LEVEL = re.compile(r"L[0-4]")
QUANTITY = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)\s*(%|[A-Za-z]+)")

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
FACTORS: Mapping[str, Mapping[str, float]] = {
    "ratio": {"%": 0.01},
    "seconds": _SECONDS,
    "bytes": _BYTES,
    "days": {"d": 1, "days": 1, "day": 1, "w": 7, "weeks": 7, "week": 7},
}
"""By the unit of a fact: the suffixes that its values may be written with, and what each stands for."""


def read_quantity(unit: str, text: str) -> float:
    """Return `15%` as 0.15 for a ratio, `300ms` as 0.3 for seconds; raises ValueError naming what fits the unit."""
    if unit == "level" and LEVEL.fullmatch(text.strip()):
        return int(text.strip()[1:])
    fitting = FACTORS.get(unit, {})
    match = QUANTITY.fullmatch(text.strip())
    if match is None or match[2] not in fitting:
        words = f"a number with one of {', '.join(fitting)}" if fitting else "a plain number"
        raise ValueError(f"{text!r} does not fit the unit {unit or 'of the fact, which has none'}; expected {words}")
    number, factor = match[1], fitting[match[2]]
    if factor == 1:
        return float(number) if "." in number else int(number)
    # 15 % is 0.15, and not 0.15000000000000002.
    return round(float(number) * factor, 12)
