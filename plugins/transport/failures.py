"""What a failed pull says, in terms that tell a person who has to act."""

from enum import StrEnum


class FailureKind(StrEnum):
    """Why a pull failed, in terms that tell a person who has to act."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    RATE_LIMITED = "rate_limited"
    BAD_ANSWER = "bad_answer"
    MISCONFIGURED = "misconfigured"
    INTERNAL = "internal"
    """The portal itself failed, not the source."""


class PullFailed(Exception):
    """The source could not be read. Carries the kind of failure and a sentence without secrets."""

    def __init__(
        self, kind: FailureKind, message: str, *, status: int | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        """The HTTP status that was answered, if it came to an answer."""
        self.retry_after_seconds = retry_after_seconds
        """How long the source asked to be left alone; the next pull is not due before."""
