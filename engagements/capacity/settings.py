"""The numbers of capacity and of the plan: a proposal to argue about, not truth. Each can be configured. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

WEEKS_PER_QUARTER = 13.0
DAYS_PER_QUARTER = 91.0


@dataclass(frozen=True)
class CapacitySettings:
    """What a piece of SRE's work takes, and what the plan weighs."""

    review_sres: int = 2
    """Reviewers of a running review that names none; the SRE book, chapter 32, says one to three."""
    onboarding_sres: int = 2
    onboarding_quarters: int = 2
    """Taking over one service: two to three SREs for two to three quarters (SRE book, chapter 32)."""
    framework_sres: int = 1
    framework_quarters: int = 1
    """The same on a framework: one SRE for one quarter (SRE book, chapter 32)."""

    hours_per_week: float = 40.0
    """Working hours of one SRE."""
    hours_per_page: float = 6.0
    """An incident takes about six hours with all that follows it (SRE book, chapter 11)."""
    steady_hours_per_quarter: Mapping[str, float] = field(
        default_factory=lambda: {"none": 0.0, "consult": 10.0, "platform": 10.0, "full": 40.0}
    )
    """SRE's hours on a service in a quarter, by support, besides those that its pages take."""
    page_shares: Mapping[str, float] = field(
        default_factory=lambda: {"none": 0.0, "consult": 0.0, "platform": 0.2, "full": 1.0}
    )
    """The share of a service's pages that reaches SRE: on a platform, its developers answer for what it does."""
    lifecycle_loads: Mapping[str, float] = field(
        default_factory=lambda: {"limited": 0.5, "deprecation": 2.0, "abandoned": 0.0}
    )
    """What of the load of full support reaches SRE in a lifecycle, where it is not all: it is shared while a service is
    limited, counts double in deprecation (two systems run), and an abandoned one is the developers' again, with SRE's
    best effort (SRE workbook, chapter 18)."""
    assumed_pages_per_shift: float = 0.25
    """Counted for a service whose pages nobody measures; every answer that rests on it says so."""
    single_site_rotation: int = 8
    two_site_rotation: int = 6
    """People that one rotation takes at a single site, and at each of several (SRE book, chapter 11)."""

    option_gains: Mapping[str, float] = field(
        default_factory=lambda: {"none": 0.0, "consult": 0.25, "platform": 0.6, "full": 1.0}
    )
    """The share of a service's value that each support brings about."""
    switch_cost: float = 2.0
    """Points of value that a change of support must bring before it is worth the disturbance."""
    horizon_quarters: int = 4
    """How far the plan looks: project quarters and moves are counted over so many quarters."""
    moves_per_quarter: int = 10
    """Changes of support that an organisation can digest in a quarter."""
    optimum_seconds: float = 3.0
    """How long the solver may look for the optimum, all its questions together."""
