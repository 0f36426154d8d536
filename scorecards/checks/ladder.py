"""How far up the verdicts let a service stand: by the checks that bar a level, or by points as well. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from scorecards.rules.quantities import read_quantity

LEVELS = ("L1", "L2", "L3", "L4")


@dataclass(frozen=True)
class Ladder:
    """What the levels of one catalogue ask for."""

    top: int
    """The highest level that the catalogue has checks for."""
    shares: tuple[float, ...] = ()
    """The share of the points (0 to 1) that each level asks for, L1 first; empty: levels are barred by checks alone."""

    @property
    def by_points(self) -> bool:
        """Levels are reached by points: only blockers bar one then, whatever its points."""
        return bool(self.shares)

    def reached(self, points: int, possible: int) -> int:
        """Return the highest level that so many of the possible points reach."""
        if not self.shares:
            return self.top
        enough = [points >= share * possible for share in self.shares]
        return min(self.top, enough.index(False) if False in enough else len(enough))

    def told(self) -> Mapping[str, float] | None:
        """Return the percentages that the levels ask for; None where levels are barred by checks alone."""
        if not self.shares:
            return None
        return {name: round(100 * share, 1) for name, share in zip(LEVELS, self.shares, strict=True)}


def read_shares(given: Mapping[str, object]) -> tuple[float, ...]:
    """Return the share of the points that each level asks for; one that is not named asks no more than the one below.

    Raises ValueError saying what is wrong.
    """
    strange = [name for name in given if name not in LEVELS]
    if strange or not given:
        raise ValueError(f"names {', '.join(strange) or 'no level'}; write shares of the points by level: {{L1: 25%}}")
    shares: list[float] = []
    for name in LEVELS:
        share = _share(name, given[name]) if name in given else shares[-1] if shares else 0.0
        if shares and share < shares[-1]:
            raise ValueError(f"{name} asks for less than the level below it")
        shares.append(share)
    return tuple(shares)


def _share(name: str, value: object) -> float:
    if isinstance(value, str):
        value = read_quantity("ratio", value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError(f"{name}: {value!r} is no share of the points; write 1% to 100%")
    return float(value)
