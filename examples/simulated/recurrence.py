"""Things that happen again and again, on a calendar of their own that no restart moves.

An incident or a deploy is declared as "every 11 days, on day 3, at 14:20": days are counted from 1970-01-01, so the
same declaration gives the same moments whenever the simulation is started, and there is always something recent.
"""

from dataclasses import dataclass

DAY_SECONDS = 86_400
MINUTE_SECONDS = 60


@dataclass(frozen=True)
class Recurrence:
    """Every `every_days` days, on the days whose number modulo `every_days` is `day`, at `at` (HH:MM, UTC)."""

    every_days: int
    day: int
    at: str

    def __post_init__(self) -> None:
        if self.every_days < 1 or not 0 <= self.day < self.every_days:
            raise ValueError(f"day {self.day} does not lie in a cycle of {self.every_days} days")
        self.seconds_into_day()

    def seconds_into_day(self) -> int:
        """Return the time of the day in seconds; raises ValueError when it is not HH:MM."""
        hours, _, minutes = self.at.partition(":")
        if not (hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60):
            raise ValueError(f"{self.at!r} is not a time of the day; write HH:MM")
        return int(hours) * 3600 + int(minutes) * MINUTE_SECONDS

    def between(self, start: float, end: float) -> list[tuple[int, float]]:
        """Return number and start (Unix seconds) of each occurrence from `start` to `end`; the numbers never change."""
        offset = self.seconds_into_day() + self.day * DAY_SECONDS
        cycle = self.every_days * DAY_SECONDS
        first = -int((offset - start) // cycle)  # rounds up
        last = int((end - offset) // cycle)
        return [(number, float(number * cycle + offset)) for number in range(first, last + 1)]
