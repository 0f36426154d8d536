"""Where a service stands, as the pictures show it. Pure."""

from dataclasses import dataclass
from datetime import datetime

WORTH_SAYING = 0.5
"""Percent: less is rounded to nothing."""


@dataclass(frozen=True)
class Shown:
    """Where a service stands, over all or on one axis."""

    level: str | None
    """None while no check applies."""
    percent: float | None
    coverage: float | None
    frozen: bool = False
    """An outage of a source holds the level."""

    @property
    def unknown(self) -> float | None:
        """The share that nobody knows, 0 to 100."""
        return None if self.coverage is None else 100 - self.coverage


def words_of(shown: Shown, unknown: str = "unknown") -> str:
    """Write a standing in short: `L3 · 87 %`, with the unknown share where there is one."""
    if shown.percent is None or shown.unknown is None:
        return "no check applies"
    if not shown.coverage:
        return f"{shown.level} · unknown"
    known = f"{shown.level}{' frozen' if shown.frozen else ''} · {shown.percent:.0f} %"
    return f"{known} · {shown.unknown:.0f} % {unknown}" if shown.unknown >= WORTH_SAYING else known


@dataclass(frozen=True)
class Point:
    """Where a service stood from a moment on."""

    at: datetime
    shown: Shown
