"""Where a document stands. Pure; importing this brings nothing else along."""

from dataclasses import dataclass

FILE, URL = "file", "url"


@dataclass(frozen=True)
class Place:
    """One file or one URL."""

    type: str
    target: str
