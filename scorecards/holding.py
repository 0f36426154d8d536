"""An outage of a source freezes levels for a grace period: what it darkened counts for them as it was last known. Pure.

Only levels are held, and only by checks that passed when they were last known under the same rule. The verdicts
themselves are shown as they are, unknown, and so are percent and coverage. Once the grace period is over, counted from
the source's last good run, the level falls.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from scorecards.evidence.causes import CauseKind, Party, SourceState, Supply, is_silent

GRACE = timedelta(hours=72)
"""For how long a source's outage changes no level; a proposal of the domain model, hence a setting."""
OUTAGES = frozenset({CauseKind.STALE, CauseKind.SOURCE_FAILING, CauseKind.INTERRUPTED, CauseKind.OVERDUE})


class Reason(Protocol):
    """What holding needs of a cause."""

    @property
    def kind(self) -> CauseKind:
        """Why a fact is unknown."""

    @property
    def party(self) -> Party:
        """Who can mend it."""

    @property
    def source(self) -> str | None:
        """The source concerned."""


@dataclass(frozen=True)
class HeldVerdict:
    """A check that counts for the levels as it did before a source went dark."""

    source: str
    since: datetime
    """When the source last had a good run."""
    until: datetime


Held = Mapping[str, HeldVerdict]
"""By the check's id."""


@dataclass(frozen=True)
class Dark:
    """A source that is silent."""

    source: str
    since: datetime
    """When it last had a good run."""


@dataclass(frozen=True)
class Hold:
    """What the last judgement leaves to hold on to."""

    passing: Collection[str] = frozenset()
    """The checks that passed then, under the rules of today."""
    held: Held = field(default_factory=dict)
    """The checks that were held then."""
    grace: timedelta = GRACE


def darkness(reasons: Sequence[Reason], supply: Supply) -> Dark | None:
    """Return the silent source behind an unknown verdict; None when anything else takes part in it."""
    found: list[Dark] = []
    for reason in reasons:
        state = supply.sources.get(reason.source or "")
        if state is None or reason.kind not in OUTAGES or reason.party is not Party.OPERATORS:
            return None
        if state.last_success_at is None or not is_silent(state):
            return None
        found.append(Dark(state.name, state.last_success_at))
    return min(found, key=lambda dark: (dark.since, dark.source), default=None)


def is_any_dark(sources: Mapping[str, SourceState]) -> bool:
    """Say whether any source is silent: while none is, nothing is held."""
    return any(map(is_silent, sources.values()))


def held_verdicts(hold: Hold | None, dark: Mapping[str, Dark], now: datetime) -> dict[str, HeldVerdict]:
    """Return the checks that still count as passing though a source keeps them in the dark.

    A source that fails again before its evidence is fresh once more does not begin a new grace period.
    """
    found: dict[str, HeldVerdict] = {}
    for check, silent in dark.items() if hold else ():
        before = hold.held.get(check) if hold else None
        if hold is None or (before is None and check not in hold.passing):
            continue
        since, source = silent.since, silent.source
        if before and before.since < since:
            since, source = before.since, before.source
        if now < since + hold.grace:
            found[check] = HeldVerdict(source, since, since + hold.grace)
    return found
