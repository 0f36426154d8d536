"""The numbers of a review. They are a proposal to argue about, not truth: each can be configured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from engagements.tiers import CONSULTATION_HOURS_PER_QUARTER


@dataclass(frozen=True)
class ReviewSettings:
    """Weights, periods and bounds of reviews and of what is learned from them."""

    priority_weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "criticality_of_check": 4.0,
            "slo_or_incident_link": 3.0,
            "axis_gap": 2.0,
            "blast_radius": 1.0,
        }
    )
    """The most points that each term of an improvement's priority can earn."""
    severity_values: Mapping[str, float] = field(default_factory=lambda: {"blocker": 1.0, "major": 0.5, "minor": 0.25})
    """The share of its points that each severity earns."""
    full_at_dependents: float = 31.0
    """Direct dependents that earn all points of the blast radius, on a logarithmic scale."""
    incident_window: timedelta = timedelta(days=365)
    """How far back a review reads incidents."""
    service_review_every: timedelta = timedelta(days=90)
    """How often the support of a service that SRE runs is reviewed."""
    post_launch_window: timedelta = timedelta(days=90)
    """After a launch, incidents and emergency changes are counted for so long."""
    advice_hours_per_quarter: float = CONSULTATION_HOURS_PER_QUARTER
    """Hours of advice that a team may have in a quarter."""
    largest_launch_step_percent: float = 25.0
    """More traffic than this in one step is taken, and called a risk (Mercari's checklist)."""
    repeated_fix_services: int = 3
    """One check mended separately in so many services suggests a framework module."""
    launch_lead_time_target: timedelta = timedelta(days=1)
    """From the idea to full traffic at L3. The book says days; a platform aims for one."""
    template_folder: Path | None = None
    """Checklist templates of the organisation; one of the same name goes before ours."""
    guide_folder: Path | None = None
    """The organisation's production guide: Markdown files."""
