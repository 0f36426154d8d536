"""The list of scenarios, and what they share: good pulls, spoilt ones, and what is asked of both."""

from collections.abc import Callable, Mapping

from plugins.conformance.case import Case
from plugins.conformance.observing import PATIENT, Outcome, pull, require
from plugins.conformance.serving import Front, Injection, serving
from plugins.contract import FailureKind
from plugins.http_client import Limits

TRIED_POSITIONS = 5

Scenario = Callable[[Case, Front], None]
SCENARIOS: dict[str, Scenario] = {}
"""Every scenario by name."""


def scenario(function: Scenario) -> Scenario:
    """Put a scenario on the list."""
    SCENARIOS[function.__name__] = function
    return function


def scenarios(but: Mapping[str, str] | None = None) -> list[str]:
    """Return the scenarios' names without those in `but`, which says why each does not apply to the system."""
    excused = but or {}
    unknown = excused.keys() - SCENARIOS.keys()
    if unknown or not all(excused.values()):
        raise ValueError(f"`but` names scenarios and the reason of each; unknown: {sorted(unknown)}")
    return [name for name in SCENARIOS if name not in excused]


def verify(case: Case, name: str) -> None:
    """Run a connector through one scenario. Raises NotConforming, which pytest shows as a failed assertion."""
    with serving(case) as front:
        SCENARIOS[name](case, front)


def good_pull(case: Case, front: Front) -> Outcome:
    """Pull good answers: what spoilt ones are held against."""
    front.start_over()
    outcome = pull(case, front)
    require(outcome.failure is None, f"good answers: the pull failed: {outcome.failure}")
    return outcome


def spoilt_pull(case: Case, front: Front, inject: Injection, limits: Limits = PATIENT) -> Outcome:
    """Pull answers that `inject` spoils."""
    front.start_over(inject)
    return pull(case, front, limits=limits)


def positions(requests: int) -> list[int]:
    """Return some requests of a pull, the first and the last among them."""
    count = min(requests, TRIED_POSITIONS)
    return sorted({round(step * (requests - 1) / max(count - 1, 1)) for step in range(count)})


def require_failure(outcome: Outcome, kind: FailureKind, when: str) -> None:
    """Raise NotConforming unless the pull failed, and in this way."""
    require(outcome.failure is not None, f"{when}: the pull ended well; it must raise PullFailed({kind})")
    if outcome.failure is not None:
        found = outcome.failure
        require(found.kind is kind, f"{when}: PullFailed says {found.kind} in place of {kind}: {found.message}")
