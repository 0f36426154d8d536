"""One question of several: what a source keeps to itself is a fault, and the others are answered all the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from plugins.contract import FailureKind, PullFailed, PullFault

OF_ONE_QUESTION = frozenset({FailureKind.PERMISSION, FailureKind.MISCONFIGURED, FailureKind.BAD_ANSWER})
"""Failures that concern this question only; with any other the next one would fail too."""
NOT_SEEN = "it is not there, or the token may not see it"
GONE = "it is gone, or the token may not see it"
"""What a 404 means of something that a list of the source named."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Refused(PullFault):
    """A part that the credentials may not read."""


def part(scope: str, ask: Callable[[], Answer], faults: list[PullFault]) -> Answer | None:
    """Return the answer to one question of several; None, and a fault more, where the source keeps it to itself.

    Raises PullFailed where the next question would fail as well.
    """
    try:
        return ask()
    except PullFailed as failure:
        faults.append(fault(scope, failure))
        return None


def fault(scope: str, failure: PullFailed, not_seen: str = NOT_SEEN) -> PullFault:
    """Return what a failure says of one question; raises it where the next one would fail as well."""
    if failure.kind not in OF_ONE_QUESTION:
        raise failure
    message = not_seen if failure.status == 404 else failure.message
    return (Refused if failure.kind is FailureKind.PERMISSION else PullFault)(scope, message)


def checked(answered: str, faults: Sequence[PullFault]) -> str:
    """Return the sentence of a check that tried several questions, with what else it met.

    Raises PullFailed(permission) where the credentials may not read one of them.
    """
    refused = [one for one in faults if isinstance(one, Refused)]
    if refused:
        raise PullFailed(FailureKind.PERMISSION, f"{answered}; but the credentials may not read {_listed(refused)}")
    return f"{answered}; not read: {_listed(faults)}" if faults else answered


def _listed(faults: Sequence[PullFault]) -> str:
    return "; ".join(f"{one.scope} ({one.message})" for one in faults)
