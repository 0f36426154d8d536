"""Results of checks as they were last sent, for as long as nothing that they rest on has changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from portal_backend.core.remembering import Remembered
from scorecards.tech_insights.answers import Answers, earliest

MAX_BYTES = 64 * 2**20
"""What a process keeps at most: the answers of 57 checks on some 700 services, or of 6 checks on 7,000."""


@dataclass(frozen=True, slots=True)
class Ready:
    """One result, ready to send."""

    passing: bool
    body: bytes
    until: datetime | None = None
    """When the first of the observations that it shows grows stale; None where none does."""


Results = dict[str, Ready | None]
"""By check; None where the check does not apply and is left out."""


Key = tuple[str, bool]
"""A service, and whether it is about what is looked at from afar: the one is known by more than the other."""


class _Kept(NamedTuple):
    token: bytes
    results: Results
    until: datetime | None


class Shelf:
    """Keeps the results on services, each with a token of what they rest on; what was not asked for longest goes first.

    Threads share it.
    """

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._kept = Remembered(limit)
        self.answers = Answers()

    def get(self, key: Key, token: bytes, now: datetime) -> Results:
        """Return the results on a service that rest on what the token stands for; empty when there are none."""
        found: _Kept | None = self._kept.get(key)
        if found is None or found.token != token or (found.until is not None and now > found.until):
            return {}
        return found.results

    def put(self, key: Key, token: bytes, results: Results, until: datetime | None) -> None:
        """Keep results on a service, beside those of other checks that rest on the same.

        They hold `until` the first of the observations that they show grows stale; None where none does. Of two threads
        that put at once one may be forgotten: it is then made again.
        """
        before: _Kept | None = self._kept.get(key)
        if before and before.token == token:
            results = before.results | results
            until = earliest(before.until, until)
        size = sum(len(one.body) for one in results.values() if one)
        self._kept.keep(key, _Kept(token, results, until), size)
