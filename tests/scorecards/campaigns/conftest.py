"""The people and the catalog of the exceptions' tests."""

from tests.scorecards.exceptions.conftest import at, call, judged

__all__ = ["at", "call", "judged"]
