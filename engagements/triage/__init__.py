"""Judging who merits more support, and what SRE might hand back: values in, reasons out."""

from engagements.triage.candidates import OnboardRow
from engagements.triage.hand_back import HandBackRow

__all__ = ["HandBackRow", "OnboardRow"]
