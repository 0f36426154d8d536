"""Where a service stands in a campaign, and a campaign as a whole. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from scorecards.checks.definitions import Status


class Stand(StrEnum):
    """How far a service is."""

    DONE = "done"
    OPEN = "open"
    UNKNOWN = "unknown"
    """Nothing fails, but something cannot be judged: that is no pass."""
    EXEMPT = "exempt"
    """By an exemption from the campaign, or by waivers of all that it lacks."""
    NOT_APPLICABLE = "not_applicable"
    """None of the checks applies: the service is left out."""


@dataclass(frozen=True)
class Member:
    """A service that a campaign is meant for."""

    ref: str
    owner: str | None
    statuses: Mapping[str, str]
    """Its verdicts on the campaign's checks; one that was not judged yet is absent."""
    exempt: bool
    """From the campaign, at this moment."""


@dataclass
class Tally:
    """How many services stand where."""

    done: int = 0
    open: int = 0
    unknown: int = 0
    exempt: int = 0

    @property
    def percent(self) -> float | None:
        """Done among all that are not exempt, 0 to 100; None when there are none."""
        counted = self.done + self.open + self.unknown
        return round(100 * self.done / counted, 1) if counted else None


@dataclass
class Progress:
    """How far a campaign is, over all and by owner."""

    total: Tally = field(default_factory=Tally)
    teams: dict[str, Tally] = field(default_factory=dict)
    """By owner; services without one under the empty name."""


def stand_of(member: Member, checks: Iterable[str]) -> Stand:
    """Return where a service stands: exempt, else by the worst of its verdicts."""
    verdicts = [member.statuses.get(check, Status.UNKNOWN.value) for check in checks]
    relevant = [verdict for verdict in verdicts if verdict != Status.NOT_APPLICABLE]
    if not relevant:
        return Stand.NOT_APPLICABLE
    if member.exempt:
        return Stand.EXEMPT
    if Status.FAIL in relevant:
        return Stand.OPEN
    if Status.UNKNOWN in relevant:
        return Stand.UNKNOWN
    return Stand.EXEMPT if Status.WAIVED in relevant else Stand.DONE


def add_up(members: Iterable[Member], checks: list[str]) -> Progress:
    """Count where services stand."""
    progress = Progress()
    for member in members:
        stand = stand_of(member, checks)
        if stand is Stand.NOT_APPLICABLE:
            continue
        for tally in (progress.total, progress.teams.setdefault(member.owner or "", Tally())):
            setattr(tally, stand.value, getattr(tally, stand.value) + 1)
    return progress


def days_left(due_on: date, now: datetime) -> int:
    """Return the days until the last one, which counts; negative once it has passed."""
    return (due_on - now.date()).days
