"""Until when something may take."""

import time


class Deadline:
    """A point in time after which nothing more may be waited for."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left; negative when it has passed."""
        return self._end - time.monotonic()
