"""What every answer is made of: quartiles, periods, months. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any

DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class Period:
    """From a moment up to, and not with, another."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Answer:
    """An answer to a question about the fleet."""

    question: str
    period: Period
    n: int
    """How many observations it rests on."""
    method: str
    """How it was found, in a sentence."""
    unknown_because: str | None
    """Why it cannot be said, wholly or in part; None when it can."""
    items: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def days_between(begin: datetime, end: datetime) -> float:
    """Return the days from one moment to another, to two decimals."""
    return round((end - begin).total_seconds() / DAY_SECONDS, 2)


def spread(values: Iterable[float]) -> dict[str, Any]:
    """Return how many values there are, the extremes and the quartiles (linear between neighbours); None for none."""
    ordered = sorted(values)
    if not ordered:
        return {"n": 0, "least": None, "first_quartile": None, "median": None, "third_quartile": None, "most": None}
    low, middle, high = quantiles(ordered, n=4, method="inclusive") if len(ordered) > 1 else (ordered[0],) * 3
    return {
        "n": len(ordered),
        "least": round(ordered[0], 2),
        "first_quartile": round(low, 2),
        "median": round(middle, 2),
        "third_quartile": round(high, 2),
        "most": round(ordered[-1], 2),
    }


def month_ends(period: Period) -> list[datetime]:
    """Return the end of each month of a period in UTC, and the end of the period itself."""
    moments: list[datetime] = []
    year, month = period.since.astimezone(UTC).year, period.since.astimezone(UTC).month
    while True:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        end = datetime(year, month, 1, tzinfo=UTC)
        if end >= period.until:
            return [*moments, period.until]
        moments.append(end)
