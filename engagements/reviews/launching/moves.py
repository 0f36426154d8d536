"""The stages of a launch: dark, canary, ramp, full; each entered in order, back by aborting. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engagements.reviews.words import LaunchStage as Stage
from portal_backend.core.errors import Fault

ORDER = (Stage.DARK, Stage.CANARY, Stage.RAMP, Stage.FULL)


@dataclass(frozen=True)
class StageWish:
    """A stage that somebody wants to enter."""

    stage: Stage
    traffic_percent: float
    abort_rule: str = ""
    reason: str = ""
    """Why the dark stage is left out, where a launch begins with the canary."""


def next_stages(present: Stage) -> tuple[Stage, ...]:
    """Return the stages that may follow; a ramp goes on with more traffic."""
    if present is Stage.PLANNED:
        return Stage.DARK, Stage.CANARY
    if present in (Stage.ABORTED, Stage.FULL):
        return ()
    following = ORDER[ORDER.index(present) + 1]
    return (Stage.RAMP, following) if present is Stage.RAMP else (following,)


def obstacles(
    present: Stage, entered: Sequence[Mapping[str, Any]], wish: StageWish, signed: bool, unanswered: Sequence[str]
) -> list[Fault]:
    """Return everything that stands in the way of entering a stage, each with its remedy."""
    ways = next_stages(present)
    if wish.stage not in ways:
        onward = f"from {present} it goes on to {', '.join(ways)}" if ways else f"{present} is the end of a launch"
        remedy = "To go back, abort." if present is not Stage.ABORTED else "Plan another launch."
        return [Fault("stage", f"{wish.stage} cannot follow {present}: {onward}. {remedy}")]
    faults = _traffic_faults(entered[-1] if entered else None, wish)
    if wish.stage is not Stage.FULL and not wish.abort_rule.strip():
        faults.append(Fault("abort_rule", "Say what makes you abort, before it happens."))
    if present is Stage.PLANNED and wish.stage is Stage.CANARY and not wish.reason.strip():
        faults.append(Fault("reason", "Say why the dark launch is left out."))
    if wish.stage is not Stage.DARK and not signed:
        left = f" {len(unanswered)} items are unanswered: {', '.join(unanswered)}." if unanswered else ""
        faults.append(Fault("checklist", f"Users come into play: have the launch checklist signed.{left}"))
    return faults


def warnings(entered: Sequence[Mapping[str, Any]], wish: StageWish, largest_step: float) -> list[str]:
    """Return what is risky about a stage though it is allowed."""
    before = _user_traffic(entered[-1]) if entered else 0.0
    step = wish.traffic_percent - before
    if wish.stage is Stage.DARK or step <= largest_step:
        return []
    return [f"{step:g} % more traffic in one step; the advice is {largest_step:g} % at most."]


def may_go_back_to(present: Stage, back_to: Stage, entered: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether aborting may lead back to a stage: an earlier one that was entered."""
    if present not in ORDER or back_to not in ORDER:
        return False
    been = {each["stage"] for each in entered}
    return ORDER.index(back_to) < ORDER.index(present) and back_to in been


def _traffic_faults(last: Mapping[str, Any] | None, wish: StageWish) -> list[Fault]:
    if wish.stage is Stage.FULL and wish.traffic_percent != 100:
        return [Fault("traffic_percent", "Full is 100 %; use ramp for less.")]
    if wish.stage in (Stage.CANARY, Stage.RAMP) and wish.traffic_percent >= 100:
        return [Fault("traffic_percent", f"100 % is the stage full; {wish.stage} has less.")]
    before = _user_traffic(last)
    if wish.stage is not Stage.DARK and wish.traffic_percent <= before:
        return [Fault("traffic_percent", f"Give it more than the {before:g} % that it has; to go back, abort.")]
    return []


def _user_traffic(entry: Mapping[str, Any] | None) -> float:
    """Return the share of the traffic whose answers users saw: none in the dark."""
    if entry is None or entry["stage"] == Stage.DARK:
        return 0.0
    return float(entry["traffic_percent"])
