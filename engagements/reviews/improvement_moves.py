"""Which moves an improvement may make, and what each of them needs. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from engagements.reviews.words import ImprovementState as State
from portal_backend.core.errors import Fault

MOVES: dict[State, tuple[State, ...]] = {
    State.PROPOSED: (State.NEGOTIATING, State.AGREED, State.DEFERRED, State.REJECTED),
    State.NEGOTIATING: (State.AGREED, State.DEFERRED, State.REJECTED),
    State.AGREED: (State.IN_PROGRESS, State.NEGOTIATING, State.DEFERRED, State.REJECTED),
    State.IN_PROGRESS: (State.DONE, State.NEGOTIATING, State.DEFERRED, State.REJECTED),
    State.DONE: (State.VERIFIED, State.IN_PROGRESS),
    State.DEFERRED: (State.NEGOTIATING, State.REJECTED),
    State.VERIFIED: (State.NEGOTIATING,),
    State.REJECTED: (State.NEGOTIATING,),
}
"""From each state, where to. A verified improvement whose check fails again is negotiated anew."""

CLOSED = frozenset({State.VERIFIED, State.REJECTED})
PLANNED = frozenset({State.AGREED, State.IN_PROGRESS, State.DONE, State.VERIFIED})
"""The states in which an improvement belongs to the plan."""


@dataclass(frozen=True)
class Wish:
    """A move that somebody wants, with what it brings along."""

    to: State
    reason: str = ""
    until: datetime | None = None
    evidence: str = ""


@dataclass(frozen=True)
class Standing:
    """What the move is judged by."""

    state: State
    owner_dev: str | None
    owner_sre: str | None
    check: str | None
    check_status: str | None
    """The check's present verdict; None where no check is linked or it is not judged."""
    check_sentence: str
    done_by: str | None
    done_side: str | None
    dev_reviewer: str | None


def obstacles(standing: Standing, wish: Wish, actor: str, now: datetime, doers_may_verify: bool = False) -> list[Fault]:
    """Return everything that stands in the way of a move, each with its remedy."""
    if wish.to not in MOVES[standing.state]:
        ways = ", ".join(MOVES[standing.state])
        return [Fault("state", f"There is no way from {standing.state} to {wish.to}; from there it goes to {ways}.")]
    guard = _GUARDS.get(wish.to)
    faults = list(guard(standing, wish, now)) if guard else []
    if wish.to is State.VERIFIED and standing.check is None and not doers_may_verify and actor == standing.done_by:
        faults.append(Fault("actor", f"{actor} did it; let another SRE look at the evidence."))
    return faults


def _agreed(standing: Standing, _wish: Wish, _now: datetime) -> Iterator[Fault]:
    if not standing.owner_dev:
        yield Fault("owner_dev", "Name who of the developers owns it: PATCH the improvement with `owner_dev`.")
    if not standing.owner_sre:
        yield Fault("owner_sre", "Name who of SRE owns it: PATCH the improvement with `owner_sre`.")


def _done(standing: Standing, _wish: Wish, _now: datetime) -> Iterator[Fault]:
    if standing.done_side != "sre":
        return
    if not standing.dev_reviewer:
        yield Fault("dev_reviewer", "A change that SRE makes is reviewed by a developer; name the reviewer.")
    elif standing.dev_reviewer == standing.done_by:
        yield Fault("dev_reviewer", "Nobody reviews their own change; name another developer.")


def _verified(standing: Standing, wish: Wish, _now: datetime) -> Iterator[Fault]:
    if standing.check is None:
        if not wish.evidence:
            yield Fault("evidence", "No check shows it: name the evidence that an SRE saw.")
    elif standing.check_status not in ("pass", "inherited"):
        says = standing.check_status or "not judged"
        yield Fault(
            "check",
            f"The check {standing.check} is {says}: {standing.check_sentence} "
            "It verifies the improvement by itself as soon as it passes.",
        )


def _deferred(_standing: Standing, wish: Wish, now: datetime) -> Iterator[Fault]:
    if not wish.reason:
        yield Fault("reason", "Say why it is put off.")
    if wish.until is None:
        yield Fault("until", "Say until when.")
    elif wish.until <= now:
        yield Fault("until", "Name a time that is still to come.")


def _rejected(_standing: Standing, wish: Wish, _now: datetime) -> Iterator[Fault]:
    if not wish.reason:
        yield Fault("reason", "Say why it is not to be done.")


_GUARDS = {
    State.AGREED: _agreed,
    State.DONE: _done,
    State.VERIFIED: _verified,
    State.DEFERRED: _deferred,
    State.REJECTED: _rejected,
}
