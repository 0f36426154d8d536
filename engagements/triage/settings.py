"""The numbers of triage. They are a proposal to argue about, not truth: each can be configured.

What is no policy but part of what a fact means (the span it is counted over) stands apart, in capitals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

TWO_QUARTERS = timedelta(days=182)
"""How long a service must have been quiet, or little used, before it is handed back."""
BUDGET_WINDOW = timedelta(days=28)
"""The span of an error budget (`slo.availability.budget_left`)."""
NINETY_DAYS = timedelta(days=90)
"""The span of what is new, and of incidents (`incidents.sev12_90d`)."""
MOST_BUSINESS_VALUE = 10.0
"""The annotation sre.portal/business-value runs from 0 to 10."""


def _weights() -> Mapping[str, float]:
    return {
        "criticality": 15,
        "business_value": 10,
        "dependents": 10,
        "users": 5,
        "traffic_growth": 10,
        "new_dependents": 5,
        "budget_burn": 8,
        "severe_incidents": 8,
        "pages_per_shift": 5,
        "repeated_causes": 4,
        "contribution": 12,
        "dependencies": 3,
        "regions": 2,
        "traffic_class": 3,
    }


@dataclass(frozen=True)
class TriageSettings:
    """Weights, scales and thresholds. The weights add up to 100: importance 40, growth 15, difficulty 25,
    contribution 12, complexity 8.
    """

    weights: Mapping[str, float] = field(default_factory=_weights)
    """The most points that each term of the onboarding value can earn."""
    criticality_values: Mapping[str, float] = field(
        default_factory=lambda: {"T0": 1.0, "T1": 0.75, "T2": 0.35, "T3": 0.0}
    )
    """The share of its points that each criticality earns."""
    dependent_weights: Mapping[str, float] = field(default_factory=lambda: {"T0": 4.0, "T1": 2.0, "T2": 1.0, "T3": 0.5})
    """What a dependent of each criticality counts; one that states none counts as the least."""
    full_at_weighted_dependents: float = 31.0
    """Weighted dependents that earn all points, on a logarithmic scale."""
    full_at_users: float = 1_000_000.0
    full_at_growth: float = 10.0
    """Growth of traffic that earns all points, on a logarithmic scale."""
    full_at_new_dependents: float = 5.0
    full_at_severe_incidents: float = 3.0
    full_at_pages_per_shift: float = 2.0
    """An incident takes about six hours, so that a shift of twelve holds two (SRE book, chapter 11)."""
    full_at_repeated_causes: float = 3.0
    full_at_dependencies: float = 15.0
    full_at_regions: float = 3.0
    full_at_rps: float = 1000.0
    sre_fixable_axes: tuple[str, ...] = ("observability", "emergency", "capacity", "change")
    """Where SRE itself can close a readiness gap; architecture and performance are mostly the developers' to change."""

    growth_since_launch: float = 10.0
    """Rule R1: traffic at least so many times that at launch."""
    growth_in_180_days: float = 2.0
    """Rule R1: or so many times that of 180 days ago."""
    new_dependents_in_90_days: int = 5
    """Rule R2: so many more dependents in 90 days."""
    important_dependents: int = 10
    """Rule R2: or so many in all, with one of T0 or T1 among them."""
    candidate_value: float = 50.0
    """A value that makes a candidate without R1 or R2."""
    low_availability_target: float = 0.99
    """An objective below this shows that little availability is needed: not worth SRE's time (SRE book, chapter 32)."""
    low_confidence: float = 0.5
    """Below this share of known weight, the first thing to do is to learn more."""

    simple_review_sres: tuple[int, int] = (2, 3)
    simple_review_quarters: tuple[int, int] = (2, 3)
    """Taking over one service: two to three SREs for two to three quarters (SRE book, chapter 32)."""
    framework_review_sres: tuple[int, int] = (1, 1)
    framework_review_quarters: tuple[int, int] = (1, 1)

    graduated_budget_left: float = 0.5
    graduated_pages_per_shift: float = 0.25
    graduated_level: int = 3
    forecast_share: float = 0.5
    """Rule D2: usage below this share of the accepted forecast."""
    budget_windows: int = 3
    """Rule D4: the windows of 28 days that are looked at."""
    exhausted_windows: int = 2
    """Rule D4: the error budget is used up in so many of the last windows."""
    refresh_after: timedelta = timedelta(hours=1)
    """When what triage found of a service is found again even if no fact of it changed."""
    longest_dismissal: timedelta = timedelta(days=180)

    mostly_operations: float = 0.5
    """Rule D5: SRE's time on the service that is operations rather than engineering."""
