"""What the guards of an engagement look at, as plain values. Pure: others gather them.

None means that nobody knows; what nobody knows meets no guard.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ReviewFacts:
    """What the review of an engagement has come to."""

    unanswered: tuple[str, ...] = ()
    """Items of the checklist that nobody answered with pass, fail, or not applicable and a reason."""
    items: int = 0
    """How many items the checklist has; 0 while there is none."""
    incident_review_done: bool = False
    open_blockers: tuple[str, ...] = ()
    """Open findings that bar SRE support, by title."""
    failing_items: tuple[str, ...] = ()
    """Blockers of the checklist that a person answered with fail, whether or not a finding was made of them."""
    plan_signed_by: frozenset[str] = frozenset()
    """Of `dev_lead` and `sre_lead`, who signed the newest improvement plan."""
    design_reviews: int = 0
    trade_offs_recorded: bool = False
    """The trade-offs of the design are on record, or it was said that there are none."""
    launch_checklist_open: bool = False
    launch_stage: str | None = None
    """`dark`, `canary`, `ramp`, `full` or `aborted`."""
    launch_full_at: datetime | None = None
    lessons: int = 0
    lessons_none_declared: bool = False
