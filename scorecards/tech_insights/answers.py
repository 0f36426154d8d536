"""Whole answers as they were sent: sent again while nothing at all was written, or nothing that they rest on. Pure."""

from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import NamedTuple

from portal_backend.core.remembering import LARGEST_ANSWER, OVERHEAD, Remembered

MAX_BYTES = 32 * 2**20
"""Of whole answers that a process keeps, with their questions."""


Tokens = Mapping[str, str]
"""Of services, by reference; one that was never judged has none."""


class RestsOn(NamedTuple):
    """What the answer of a bulk run rests on, in short."""

    refs: frozenset[str]
    is_far: bool
    """It tells of what is looked at from afar."""
    tokens: Tokens


class Told(NamedTuple):
    """An answer, ready to send."""

    body: bytes
    until: datetime | None
    """Until when it holds if nothing is written; None where no time ends it."""
    rests_on: RestsOn | None = None
    """Of what an answer holds though something else is written; None where nobody can tell."""

    @property
    def weight(self) -> int:
        """Bytes, about."""
        tokens = self.rests_on.tokens if self.rests_on else {}
        return len(self.body) + sum(len(token) + OVERHEAD // 2 for token in tokens.values())


class _Kept(NamedTuple):
    state: str | None
    told: Told


class Answers:
    """Keeps whole answers, each with the state of the database that it was read from. Threads share it."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._kept = Remembered(limit)

    def get(self, question: Hashable, state: str | None, now: datetime) -> tuple[Told | None, bool]:
        """Return the answer to a question that no time has ended, and whether it was read from this very state.

        One from another state still has to be held against what it rests on.
        """
        found: _Kept | None = self._kept.get(question)
        if found is None or (found.told.until is not None and now > found.told.until):
            return None, False
        return found.told, state is not None and found.state == state

    def keep(self, question: Hashable, words: bytes, state: str | None, told: Told) -> None:
        """Keep the answer to a question of so many words. The state was read before anything of the answer was."""
        weight = told.weight + len(words) + OVERHEAD
        if (state or told.rests_on) and weight <= LARGEST_ANSWER:
            self._kept.keep(question, _Kept(state, told), weight)


def earliest(*moments: datetime | None) -> datetime | None:
    """Return the first of the moments that there are."""
    return min([moment for moment in moments if moment], default=None)
