"""Which of the two triage lists a service stands on. Pure."""

from enum import StrEnum

from engagements.tiers import ENDING_LIFECYCLES, Tier
from engagements.triage.candidates import SUPPORTED
from engagements.triage.signals import Evidence


class Direction(StrEnum):
    """Which way a service might go."""

    ONBOARD = "onboard"
    HAND_BACK = "hand_back"


def direction_of(evidence: Evidence) -> Direction | None:
    """Return the list of a service: what SRE runs may be handed back, what it does not support yet may be onboarded.

    None for what is being ended, and for what another tier than full SRE supports already.
    """
    if evidence.tier is Tier.FULL_SRE:
        return Direction.HAND_BACK
    if evidence.tier in SUPPORTED or evidence.lifecycle in ENDING_LIFECYCLES:
        return None
    return Direction.ONBOARD
