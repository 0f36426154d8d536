"""One thing wrong with an input, as pure modules tell it: importing this brings nothing else along."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Where (a dotted path, `tier` or `sources[2].url`), what, and how to mend it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message
