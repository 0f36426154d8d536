"""Results on services as they were last sent, for as long as nothing that they rest on has changed."""

from datetime import datetime
from typing import NamedTuple

from portal_backend.core.remembering import OVERHEAD, Remembered
from scorecards.tech_insights.answers import Answers

MAX_BYTES = 64 * 2**20
"""What a process keeps at most: the answers of 57 checks on some 700 services, or of 6 checks on 7,000."""


class Fragment(NamedTuple):
    """The results of some checks on one service, ready to send."""

    body: bytes
    """The passing ones first, as the inside of a JSON array."""
    until: datetime | None
    """Until when they hold if nothing is written; None where no time ends that."""


Key = tuple[str, bytes]
"""A service, and a digest of the checks in their order."""


class _Kept(NamedTuple):
    token: str
    fragment: Fragment


class Shelf:
    """Keeps the results on services, each with a token of what they rest on; what was not asked for longest goes first.

    Threads share it.
    """

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._kept = Remembered(limit)
        self.answers = Answers()

    def get(self, key: Key, now: datetime) -> tuple[str, Fragment] | None:
        """Return results that no time has ended, with the token of what they rest on; None where there are none."""
        found: _Kept | None = self._kept.get(key)
        if found is None or (found.fragment.until is not None and now > found.fragment.until):
            return None
        return found

    def put(self, key: Key, token: str, fragment: Fragment) -> None:
        """Keep the results of some checks on a service, in place of those that were kept of them."""
        weight = len(token) + len(fragment.body) + OVERHEAD
        self._kept.keep(key, _Kept(token, fragment), weight)
