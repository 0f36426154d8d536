"""The words that reviews use: where a finding comes from, how grave it is, the states of an improvement. Pure."""

from enum import StrEnum


class Answer(StrEnum):
    """What an item of a checklist is answered with."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    NOT_APPLICABLE = "na"


class ItemSource(StrEnum):
    """Where an item that only this service's checklist has comes from (SRE book, chapter 32)."""

    EXPERT = "expert"
    LESSON = "lesson"
    SIMILAR_SERVICE = "similar_service"
    INCIDENT = "incident"


class FindingSource(StrEnum):
    """What brought a defect to light."""

    CHECK = "check"
    INCIDENT = "incident"
    DESIGN = "design"
    CONSULTATION = "consultation"
    DRILL = "drill"
    LESSON = "lesson"


class LessonSource(StrEnum):
    """What taught a lesson: whatever brings defects to light, and what an engagement itself shows."""

    CHECK = "check"
    INCIDENT = "incident"
    DESIGN = "design"
    CONSULTATION = "consultation"
    DRILL = "drill"
    LESSON = "lesson"
    ENGAGEMENT = "engagement"
    LAUNCH = "launch"
    DISENGAGEMENT = "disengagement"


class Severity(StrEnum):
    """How grave a defect is; an open blocker bars SRE support."""

    BLOCKER = "blocker"
    MAJOR = "major"
    MINOR = "minor"


class FindingState(StrEnum):
    """Whether a defect is still there."""

    OPEN = "open"
    RESOLVED = "resolved"
    ACCEPTED = "accepted"
    """The risk is taken, by a named person with a reason."""


class ImprovementState(StrEnum):
    """Where an improvement stands."""

    PROPOSED = "proposed"
    NEGOTIATING = "negotiating"
    AGREED = "agreed"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    VERIFIED = "verified"
    DEFERRED = "deferred"
    REJECTED = "rejected"


class Urgency(StrEnum):
    """Follow-ups of incidents that go before everything else (the workbook's example error-budget policy)."""

    P0 = "P0"
    P1 = "P1"


class Effort(StrEnum):
    """How long a change usually takes one engineer; breaks ties only."""

    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"


class ReusableAs(StrEnum):
    """What others can use of an improvement (SRE book, chapter 32: work that stays local helps one service only)."""

    NONE = "none"
    GUIDE = "guide"
    CHECK = "check"
    MODULE = "module"


class Side(StrEnum):
    """The two sides of an engagement."""

    DEV = "dev"
    SRE = "sre"


class LaunchStage(StrEnum):
    """How far a launch has come."""

    PLANNED = "planned"
    DARK = "dark"
    """Real traffic is copied and the answers are thrown away: no user can notice."""
    CANARY = "canary"
    RAMP = "ramp"
    FULL = "full"
    ABORTED = "aborted"
