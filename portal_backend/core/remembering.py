"""A bounded memory of what was used last, shared by the threads of a process."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Any

OVERHEAD = 500
"""Bytes that an entry costs beside what is in it."""
LARGEST_ANSWER = 2 * 1024 * 1024
"""Bytes of one answer that is kept; a few larger ones would drive out all others."""


class Remembered:
    """Keeps what was used last, up to a weight; safe for threads."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._weight = 0
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Any:
        """Return what is kept under the key, or None."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def keep(self, key: Hashable, value: Any, weight: int) -> None:
        """Keep a value, and forget those that were not used longest; one beyond the capacity is not kept."""
        if weight > self.capacity:
            return
        with self._lock:
            _, old = self._entries.pop(key, (None, 0))
            self._entries[key] = (value, weight)
            self._weight += weight - old
            while self._weight > self.capacity:
                _, (_, freed) = self._entries.popitem(last=False)
                self._weight -= freed
