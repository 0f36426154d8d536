"""Regular expressions that cannot run away: RE2's, matched in time that grows with the text alone. Pure.

Python's own engine tries alternatives one after the other, and a pattern such as `(a+)+$` takes it years. What RE2 does
not have (references back, looking around) is refused when a pattern is read.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import re2

MAX_PATTERN = 300
MAX_MEMORY = 1 << 20
"""Bytes that a pattern may take; RE2 refuses one that stands for more, such as `((a{100}){100}){100}`."""


class BadRegex(ValueError):
    """A pattern that is none, or that needs more than RE2 has."""


@dataclass(frozen=True)
class Regex:
    """A pattern; raises BadRegex, which names what is wrong with it."""

    pattern: str
    longest: int = MAX_PATTERN
    """Characters that it may have."""
    spans_lines: bool = False
    """Whether `.` stands for a line break, too."""

    def __post_init__(self) -> None:
        if len(self.pattern) > self.longest:
            raise BadRegex(f"is longer than {self.longest} characters")
        try:
            _compiled(self.pattern, self.spans_lines)
        except re2.error as error:
            raise BadRegex(f"is no regular expression of RE2: {_said(error)}") from None

    def search(self, text: str) -> bool:
        """Say whether the pattern fits anywhere in the text; `^` and `$` tie it to the text's start and end."""
        return _compiled(self.pattern, self.spans_lines).search(_encodable(text)) is not None

    def fits(self, text: str) -> bool:
        """Say whether the pattern fits the whole text."""
        return _compiled(self.pattern, self.spans_lines).fullmatch(_encodable(text)) is not None

    def captured(self, text: str, most: int) -> list[str]:
        """Return what the pattern's first group holds, the whole where it has none, in the first `most` places."""
        found = islice(_compiled(self.pattern, self.spans_lines).finditer(_encodable(text)), most)
        return [one[1] if one.re.groups else one[0] for one in found if not one.re.groups or one[1] is not None]


@lru_cache(maxsize=1000)
def _compiled(pattern: str, spans_lines: bool) -> Any:
    options = re2.Options()
    options.dot_nl = spans_lines
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    return re2.compile(_encodable(pattern), options)


def _encodable(text: str) -> str:
    """Return a text without halves of characters, which JSON may hold and RE2 cannot take."""
    return text.encode(errors="replace").decode()


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
