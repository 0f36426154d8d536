"""The numbers of engagements: proposals to argue about, not truth."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class LifecycleSettings:
    """Thresholds of the guards and the signals, each with where it comes from."""

    gate_level: str = "L3"
    """The readiness that a takeover needs, whatever the criticality."""
    training_attendance: float = 0.8
    """Share of the rotation that must have attended each kind of training."""
    reviewers: tuple[int, int] = (1, 3)
    """Fewest and most reviewers (SRE book, chapter 32)."""
    notice: timedelta = timedelta(days=30)
    """From the announcement of a hand-back to the hand-back itself."""
    pager_trial: timedelta = timedelta(days=7)
    """How long SRE takes the pager for a spin (Google's "CRE life lessons" on takeovers)."""
    post_launch: timedelta = timedelta(days=90)
    """How long a launch is watched before somebody decides who runs the service."""
    revision_review_due: timedelta = timedelta(days=90)
    """From a new major revision to its review."""
    conformance_due: timedelta = timedelta(days=30)
    """How long conformance may be lost."""
    pause_due: timedelta = timedelta(days=30)
    """How long a pause may last when nobody said until when."""
    agreement_due: timedelta = timedelta(days=30)
    """From the start of an engagement to its signed agreement."""
    pager_review_due: timedelta = timedelta(days=28)
    """How long the developers may carry the pager before that is reviewed."""
    alerts_unrouted_due: timedelta = timedelta(days=30)
    """From the first alert that is nobody's to its one scope."""
    abandoned_due: timedelta = timedelta(days=30)
    """From the day on which a service that SRE runs is seen to be abandoned to its hand-back."""
    business_value: float = 7
    """The annotated business value, of 10, from which a service is an early candidate."""
    complex_dependencies: int = 8
    """Dependencies from which a design counts as complex."""


DEFAULTS = LifecycleSettings()
