"""What a team can carry, what it carries, and which limit binds. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engagements.capacity.settings import DAYS_PER_QUARTER, WEEKS_PER_QUARTER, CapacitySettings


class TeamKind(StrEnum):
    """What a team's size follows."""

    SERVICE = "service"
    PLATFORM = "platform"


class Limit(StrEnum):
    """What can be at its cap."""

    PAGES = "pages_per_shift"
    HOURS = "operations_hours"
    PROJECTS = "project_sres"
    STACKS = "stacks"


UNITS = {
    Limit.PAGES: "pages in each 12-hour shift",
    Limit.HOURS: "hours of operations in a quarter",
    Limit.PROJECTS: "SREs on projects at the same time (SRE-quarters in a quarter)",
    Limit.STACKS: "distinct stacks",
}


@dataclass(frozen=True)
class TeamLimits:
    """A team and what it can carry at one moment."""

    ref: str
    title: str = ""
    kind: TeamKind = TeamKind.SERVICE
    headcount: int = 0
    sites: int = 1
    hours_per_shift: float = 12.0
    pages_per_shift_limit: float = 2.0
    """Of a shift of twelve hours: an incident takes about six (SRE book, chapter 11)."""
    ops_share_limit: float = 0.5
    """The most of its time that a team may spend on operations (SRE book, chapter 5)."""
    project_sres: float | None = None
    """SREs that can be on projects at once (SRE-quarters in a quarter); by default all time beside operations."""
    max_stacks: int = 5
    """Distinct stacks that the team can know well enough to be on call for."""

    def rotation_size(self, settings: CapacitySettings) -> int:
        """Return how many people one on-call rotation takes at the team's sites (SRE book, chapter 11)."""
        return settings.single_site_rotation if self.sites == 1 else settings.two_site_rotation * self.sites

    def rotations(self, settings: CapacitySettings) -> int:
        """Return how many on-call rotations the team can staff; one even when it is too small for it."""
        return max(1, self.headcount // self.rotation_size(settings))

    def capacity(self, settings: CapacitySettings) -> dict[Limit, float]:
        """Return the team's cap on each limit, in the limit's unit. A team of nobody carries nothing."""
        if self.headcount <= 0:
            return dict.fromkeys(Limit, 0.0)
        hours = self.headcount * settings.hours_per_week * WEEKS_PER_QUARTER
        projects = self.headcount * (1 - self.ops_share_limit) if self.project_sres is None else self.project_sres
        return {
            Limit.PAGES: self.pages_per_shift_limit * self.rotations(settings),
            Limit.HOURS: hours * self.ops_share_limit,
            Limit.PROJECTS: min(float(self.headcount), projects),
            Limit.STACKS: float(self.max_stacks),
        }

    def basis(self, settings: CapacitySettings) -> dict[Limit, str]:
        """Return how each cap follows from what is recorded, with the numbers filled in, to be checked by hand."""
        if self.headcount <= 0:
            return dict.fromkeys(Limit, "0 SREs carry nothing")
        people, share = f"{self.headcount} SREs", f"{self.ops_share_limit:.0%}"
        projects = f"{people} × {1 - self.ops_share_limit:.0%}, what operations leave"
        if self.project_sres is not None:
            projects = f"{self.project_sres:g} as recorded, {self.headcount} at most"
        return {
            Limit.PAGES: f"{self.pages_per_shift_limit:g} as recorded × {self.rotations(settings)} (rotations of "
            f"{self.rotation_size(settings)} that {people} can staff, 1 at least)",
            Limit.HOURS: f"{people} × {settings.hours_per_week:g} hours × {WEEKS_PER_QUARTER:g} weeks × {share}",
            Limit.PROJECTS: projects,
            Limit.STACKS: "as recorded",
        }


def steady_basis(option: str, pages_per_shift: float, of_load: float, settings: CapacitySettings) -> str:
    """Return how the hours of `steady_hours` follow, with the numbers filled in, to be checked by hand."""
    said, share = f"{settings.steady_hours_per_quarter[option]:g} hours", settings.page_shares[option]
    if share:
        part = "" if share == 1 else f" × {share:.0%}"
        shifts = f"{DAYS_PER_QUARTER * 2:g} shifts × {settings.hours_per_page:g} hours"
        said = f"{said} + {pages_per_shift:.6g} pages a shift{part} × {shifts}"
    return said if of_load == 1 else f"({said}) × {of_load:.0%}"


def steady_hours(option: str, pages_per_shift: float, settings: CapacitySettings) -> float:
    """Return SRE's hours on a service in a quarter: a base by support, and the pages that reach SRE."""
    shifts = DAYS_PER_QUARTER * 2
    reaching = pages_per_shift * settings.page_shares[option]
    return settings.steady_hours_per_quarter[option] + reaching * shifts * settings.hours_per_page


def load_share(option: str, lifecycle: str | None, settings: CapacitySettings) -> float:
    """Return what of a service's load reaches SRE in its lifecycle; only full support depends on it."""
    return settings.lifecycle_loads.get(lifecycle or "", 1.0) if option == "full" else 1.0


@dataclass(frozen=True)
class Use:
    """Something that takes a team's capacity: a service it runs or a project it does."""

    ref: str
    """The service."""
    what: str
    """`full`, `platform` or `consult`: steady support; `review`, `onboarding`, `framework`: a project."""
    pages_per_shift: float = 0.0
    hours_per_quarter: float = 0.0
    sres: float = 0.0
    quarters_left: float = 0.0
    stack: str | None = None
    engagement: str | None = None
    basis: str = ""
    """How its hours, or its SREs, follow, with the numbers filled in."""
    pages_assumed: bool = False
    """Nobody measures its pages: an assumed number of them is counted."""
    remark: str = ""
    """What of it is assumed, or counts less or more in its lifecycle."""


@dataclass(frozen=True)
class LimitState:
    """One limit of a team: its cap, what is used, what is free."""

    limit: Limit
    cap: float
    used: float
    basis: str = ""
    """How the cap follows from what is recorded."""

    @property
    def free(self) -> float:
        """Return what is left; below 0 when the team is over its cap."""
        return round(self.cap - self.used, 6)

    @property
    def full(self) -> bool:
        """Say whether nothing is left."""
        return self.free <= 0


@dataclass(frozen=True)
class TeamCapacity:
    """A team with its limits and everything that uses them."""

    team: TeamLimits
    limits: tuple[LimitState, ...]
    uses: tuple[Use, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    @property
    def binding(self) -> tuple[Limit, ...]:
        """Return the limits that are at their cap: any of them makes the team full."""
        return tuple(state.limit for state in self.limits if state.full)

    def of(self, limit: Limit) -> LimitState:
        """Return the state of one limit."""
        return next(state for state in self.limits if state.limit is limit)


def weigh(team: TeamLimits, uses: Sequence[Use], settings: CapacitySettings) -> TeamCapacity:
    """Return the state of a team's limits under what it carries."""
    used: Mapping[Limit, float] = {
        Limit.PAGES: sum(use.pages_per_shift for use in uses),
        Limit.HOURS: sum(use.hours_per_quarter for use in uses),
        Limit.PROJECTS: sum(use.sres for use in uses),
        Limit.STACKS: float(len({use.stack for use in uses if use.stack})),
    }
    caps, basis = team.capacity(settings), team.basis(settings)
    states = tuple(LimitState(limit, round(caps[limit], 6), round(used[limit], 6), basis[limit]) for limit in Limit)
    return TeamCapacity(team, states, tuple(uses), _remarks(team, uses, settings))


def _remarks(team: TeamLimits, uses: Sequence[Use], settings: CapacitySettings) -> tuple[str, ...]:
    found = []
    people = team.rotation_size(settings)
    if team.kind is TeamKind.SERVICE and team.headcount < people:
        found.append(
            f"{team.headcount} SREs at {team.sites} site{'s' if team.sites > 1 else ''} are fewer than the {people} "
            "that one rotation takes (SRE book, chapter 11)."
        )
    assumed = sorted({use.ref for use in uses if use.pages_assumed})
    if assumed:
        found.append(f"Counted with an assumed page load, since nobody measures it: {', '.join(assumed)}.")
    return tuple(found)
