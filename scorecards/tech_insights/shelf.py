"""Results of checks as they were last sent, for as long as nothing that they rest on has changed."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

MAX_BYTES = 64 * 2**20
"""What a process keeps at most: the answers of 57 checks on some 700 services, or of 6 checks on 7,000."""


@dataclass(frozen=True, slots=True)
class Ready:
    """One result, ready to send."""

    passing: bool
    body: bytes


Results = dict[str, Ready | None]
"""By check; None where the check does not apply and is left out."""


class Shelf:
    """Keeps the results on services, each with a token of what they rest on; what was not asked for longest goes first.

    Threads share it.
    """

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[str, tuple[bytes, Results, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, ref: str, token: bytes) -> Results:
        """Return the results on a service that rest on what the token stands for; empty when there are none."""
        with self._lock:
            found = self._kept.get(ref)
            if found is None or found[0] != token:
                return {}
            self._kept.move_to_end(ref)
            return found[1]

    def put(self, ref: str, token: bytes, results: Results) -> None:
        """Keep results on a service, beside those of other checks that rest on the same."""
        with self._lock:
            before = self._kept.pop(ref, None)
            if before:
                self._size -= before[2]
                if before[0] == token:
                    results = before[1] | results
            size = sum(len(one.body) for one in results.values() if one)
            self._kept[ref] = (token, results, size)
            self._size += size
            while self._size > self._limit:
                self._size -= self._kept.popitem(last=False)[1][2]
