"""One thing wrong with an input, as pure modules tell it: importing this brings nothing else along."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Where (a dotted path, `tier` or `sources[2].url`), what, and how to mend it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


MOST_FAULTS = 100
"""As many as an answer names."""


def first_faults(faults: Sequence[Fault], most: int = MOST_FAULTS) -> list[Fault]:
    """Return the first of many faults, and a last one that tells how many more there are."""
    if len(faults) <= most:
        return list(faults)
    count = len(faults) - most
    more = "1 more fault" if count == 1 else f"{count} more faults"
    return [*faults[:most], Fault("", f"{more}; mend these first and send all of it again")]
