"""Patterns of labels as Prometheus and Alertmanager write them: RE2's, which fit the whole of a value. Pure."""

from functools import lru_cache

from portal_backend.core.regex import Regex

MAX_PATTERN = 2000


@lru_cache(maxsize=1000)
def label_pattern(pattern: str) -> Regex:
    """Return a pattern ready to be used, in which `.` stands for a line break too; raises ValueError for a bad one."""
    return Regex(pattern, MAX_PATTERN, spans_lines=True)
