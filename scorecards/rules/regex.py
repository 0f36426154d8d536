"""Regular expressions that cannot run away: RE2's, matched in time that grows with the text alone. Pure.

Python's own engine tries alternatives one after the other, and a pattern such as `(a+)+$` takes it years. What RE2 does
not have (references back, looking around) is refused when the rule is loaded.
"""

from dataclasses import dataclass
from functools import lru_cache
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

    def __post_init__(self) -> None:
        if len(self.pattern) > MAX_PATTERN:
            raise BadRegex(f"is longer than {MAX_PATTERN} characters")
        try:
            _compiled(self.pattern)
        except re2.error as error:
            raise BadRegex(f"is no regular expression of RE2: {_said(error)}") from None

    def search(self, text: str) -> bool:
        """Say whether the pattern fits anywhere in the text; `^` and `$` tie it to the text's start and end."""
        return _compiled(self.pattern).search(text.encode(errors="replace").decode()) is not None


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    return re2.compile(pattern, options)


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
