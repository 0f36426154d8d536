"""What a process remembers of the catalog: statements and answers, each under the version that it was made at."""

from portal_backend.core.remembering import Remembered

statements = Remembered(16 * 1024 * 1024)
"""SQL with its parameters, in bytes."""
answers = Remembered(32 * 1024 * 1024)
"""Totals, facets and whole answers, in bytes."""
