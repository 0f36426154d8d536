"""Alerts on the burn of an error budget: which windows they look at, and which an SLO still lacks. Pure.

After the SRE workbook, chapter 5 (table 5-8: multiwindow, multi-burn-rate alerts): a fast burn pages by a long window
of an hour and a short one of five minutes, a slow one by six hours and thirty minutes, and what would still use the
budget up in days opens a ticket. Sloth and Pyrra write such rules; Pyrra scales the windows with the SLO's own.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

BURN = re.compile(r"slo:sli_error:ratio_rate|burn_?rate|error_?budget|:ratio_rate\d", re.IGNORECASE)
"""The recorded names of Sloth, Pyrra and the SRE workbook's example, and what people call it by hand."""
FAST_PAGE, SLOW_PAGE, TICKET = "fast page", "slow page", "ticket"
LONGEST_FAST = 3 * 3600.0
"""Seconds of a long window that still tells of a fast burn: an hour, scaled by Pyrra for an SLO over up to 12 weeks."""
LONGEST_SLOW = 24 * 3600.0
SHORTEST_TICKET = 12 * 3600.0

_WINDOWED = re.compile(r"(?:ratio_rate|burn_?rate)_?((?:\d+(?:ms|[smhdwy]))+)\b", re.IGNORECASE)
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


@dataclass(frozen=True)
class Pair:
    """Two windows (seconds) that must burn together."""

    short: float
    long: float


@dataclass(frozen=True)
class BurnRule:
    """An alerting rule on a burn."""

    slo: str
    """The SLO it watches; empty when it names none."""
    pages: bool
    pairs: Sequence[Pair]


def pairs_of(expression: str) -> list[Pair]:
    """Return the windows that an expression joins by `and`."""
    found = list(_WINDOWED.finditer(expression))
    pairs = []
    for before, after in pairwise(found):
        between = expression[before.end() : after.start()].lower()
        if re.search(r"\band\b", between) and not re.search(r"\bor\b", between):
            windows = sorted((seconds_of(before[1]), seconds_of(after[1])))
            if windows[0] < windows[1]:
                pairs.append(Pair(*windows))
    return pairs


def seconds_of(duration: str) -> float:
    """Return a PromQL duration such as `1h4m` in seconds."""
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(duration.lower()))


def lacking(slos: Sequence[str], rules: Iterable[BurnRule]) -> dict[str, list[str]]:
    """Return by SLO which kinds of alert it lacks; a rule that names no SLO counts where there is only one."""
    by_slo: dict[str, set[str]] = {slo: set() for slo in slos}
    for rule in rules:
        slo = slos[0] if not rule.slo and len(slos) == 1 else rule.slo
        if slo in by_slo:
            by_slo[slo].update(kind for pair in rule.pairs for kind in _kinds(pair, rule.pages))
    return {slo: [kind for kind in (FAST_PAGE, SLOW_PAGE, TICKET) if kind not in has] for slo, has in by_slo.items()}


def _kinds(pair: Pair, pages: bool) -> Iterable[str]:
    if not pages:
        return (TICKET,) if pair.long >= SHORTEST_TICKET else ()
    if pair.long <= LONGEST_FAST:
        return (FAST_PAGE,)
    return (SLOW_PAGE,) if pair.long <= LONGEST_SLOW else ()
