"""Series computed from formulas: their samples lie on one grid, but only those that a query needs are computed.

A counter is a closed formula of time, so that its increase over 28 days costs two evaluations. A gauge's whole days are
kept once computed.
"""

import math
from abc import abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from examples.simulated.promql.values import LOOKBACK_SECONDS, Labels, Series, Window
from examples.simulated.recurrence import DAY_SECONDS

OMEGA = 2 * math.pi / DAY_SECONDS
HALF_YEAR_SECONDS = 180 * DAY_SECONDS


@dataclass
class Grid:
    """Where samples lie: every `interval` seconds until `horizon`, the present (later samples do not exist yet)."""

    interval: int
    horizon: float

    def first_after(self, time: float) -> int:
        """Return the number of the first sample after a time."""
        return math.floor(time / self.interval) + 1

    def last_until(self, time: float) -> int:
        """Return the number of the last sample at or before a time."""
        return math.floor(min(time, self.horizon) / self.interval)


@dataclass(frozen=True)
class Intervals:
    """Disjoint stretches of time, oldest first."""

    starts: Sequence[float]
    ends: Sequence[float]

    def holding(self, time: float) -> int | None:
        """Return the index of the stretch that holds a time, if one does."""
        index = bisect_right(self.starts, time) - 1
        return index if index >= 0 and time < self.ends[index] else None

    def touching(self, start: float, end: float) -> bool:
        """Say whether a stretch overlaps a range."""
        index = bisect_right(self.starts, end) - 1
        return index >= 0 and self.ends[index] > start


class Load:
    """An amount per second: exponential from `then` (180 days before the anchor) to `now`, with a day's swing.

    `total` is its integral, in closed form: cumulative from the start of the growth, so that a query costs two
    evaluations however long its range is.
    """

    def __init__(self, now: float, then: float, swing: float, anchor: float) -> None:
        self.now, self.then, self.swing = now, then, swing
        self.anchor = anchor
        """Unix seconds from which on the amount stays as it is."""
        self.begin = anchor - HALF_YEAR_SECONDS
        self._growth = math.log(now / then) / HALF_YEAR_SECONDS
        self._grown_start = self._grown(self.begin)
        self._grown_total = self._grown(anchor) - self._grown_start

    def total(self, start: float, end: float) -> float:
        """Return the amount between two times."""
        return self._cumulative(end) - self._cumulative(start)

    def _cumulative(self, time: float) -> float:
        if time <= self.begin:
            return self.then * (self._flat(time) - self._flat(self.begin))
        if time < self.anchor:
            return self._grown(time) - self._grown_start
        return self._grown_total + self.now * (self._flat(time) - self._flat(self.anchor))

    def _flat(self, time: float) -> float:
        """Antiderivative of the day's wave around 1."""
        return time - self.swing / OMEGA * math.cos(OMEGA * (time % DAY_SECONDS))

    def _grown(self, time: float) -> float:
        """Antiderivative of the wave around the growing amount."""
        growth = self._growth
        if growth == 0:
            return self.then * self._flat(time)
        phase = OMEGA * (time % DAY_SECONDS)
        wave = self.swing * (growth * math.sin(phase) - OMEGA * math.cos(phase)) / (growth * growth + OMEGA * OMEGA)
        return self.then * math.exp(growth * (time - self.begin)) * (1 / growth + wave)


@dataclass(frozen=True)
class Share:
    """The part of a load that counts: `usual` of it, and `troubled` of it during the troubles."""

    load: Load
    since: float
    usual: float
    troubles: Intervals = Intervals((), ())
    troubled: Sequence[float] = ()
    """The part during each trouble."""
    _extra: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        total = 0.0
        for start, end, part in zip(self.troubles.starts, self.troubles.ends, self.troubled, strict=True):
            self._extra.append(total)
            total += (part - self.usual) * self.load.total(start, end)
        self._extra.append(total)

    def total(self, time: float) -> float:
        """Return the amount from `since` until a time."""
        index = bisect_right(self.troubles.starts, time)
        amount = self.usual * self.load.total(self.since, time) + self._extra[index]
        if index and time < self.troubles.ends[index - 1]:
            part = self.troubled[index - 1] - self.usual
            amount -= part * self.load.total(time, self.troubles.ends[index - 1])
        return amount


class OnGrid(Series):
    """A series by a formula of the sample's number, from a moment on."""

    grid: Grid
    since: float
    monotonic = False

    @abstractmethod
    def _sample(self, number: int) -> float:
        """Return one sample."""

    def _samples(self, first: int, last: int) -> Sequence[float]:
        """Return the samples of a range, both ends included."""
        return [self._sample(number) for number in range(first, last + 1)]

    def at(self, time: float) -> float | None:
        """Return the newest sample's value."""
        number = self.grid.last_until(time)
        moment = number * self.grid.interval
        return self._sample(number) if moment >= self.since and moment > time - LOOKBACK_SECONDS else None

    def window(self, start: float, end: float) -> Window | None:
        """Return the range's samples; only its ends are computed until the others are asked for."""
        step = self.grid.interval
        first = max(self.grid.first_after(start), math.ceil(self.since / step))
        last = self.grid.last_until(end)
        if first > last:
            return None

        def read() -> tuple[Sequence[float], Sequence[float]]:
            return [float(number * step) for number in range(first, last + 1)], self._samples(first, last)

        ends = self._sample(first), self._sample(last)
        return Window(float(first * step), float(last * step), last - first + 1, *ends, read, monotonic=self.monotonic)


@dataclass
class Counter(OnGrid):
    """A counter by a closed formula; it never resets."""

    labels: Labels
    grid: Grid
    since: float
    total: Callable[[float], float]
    whole: bool = True
    """Counts things, so whole numbers; seconds are not rounded."""
    monotonic = True

    def _sample(self, number: int) -> float:
        amount = self.total(number * self.grid.interval)
        return float(math.floor(amount)) if self.whole else amount


@dataclass
class Gauge(OnGrid):
    """A gauge by a formula."""

    labels: Labels
    grid: Grid
    since: float
    value: Callable[[float], float]
    _days: "dict[int, array[float]]" = field(default_factory=dict)
    """Samples of whole days, which are computed once."""

    def _sample(self, number: int) -> float:
        return self.value(number * self.grid.interval)

    def _samples(self, first: int, last: int) -> Sequence[float]:
        per_day = DAY_SECONDS // self.grid.interval
        values: array[float] = array("d")
        for day in range(first // per_day, last // per_day + 1):
            low, high = max(first - day * per_day, 0), min(last - day * per_day + 1, per_day)
            values.extend(self._day(day, per_day)[low:high])
        return values

    def _day(self, day: int, per_day: int) -> "array[float]":
        if day not in self._days:
            numbers = range(day * per_day, (day + 1) * per_day)
            self._days[day] = array("d", (self._sample(number) for number in numbers))
        return self._days[day]


@dataclass
class Marks(Series):
    """A series that is 1 during some stretches and absent otherwise, as `ALERTS` is."""

    labels: Labels
    grid: Grid
    stretches: Intervals

    def at(self, time: float) -> float | None:
        """Return 1 while a stretch lasts; afterwards the series is stale at once."""
        if time > self.grid.horizon + self.grid.interval:
            return None
        return 1.0 if self.stretches.holding(time) is not None else None

    def window(self, start: float, end: float) -> Window | None:
        """Return a sample of 1 for each grid point in a stretch."""
        first, last = self.grid.first_after(start), self.grid.last_until(end)
        step = self.grid.interval
        numbers: list[int] = []
        for begin, stop in zip(self.stretches.starts, self.stretches.ends, strict=True):
            if begin <= end and stop > start:
                low, high = max(first, math.ceil(begin / step)), min(last, math.ceil(stop / step) - 1)
                numbers.extend(range(low, high + 1))
        if not numbers:
            return None
        times = [float(number * step) for number in numbers]
        return Window(times[0], times[-1], len(times), 1.0, 1.0, lambda: (times, [1.0] * len(times)))
