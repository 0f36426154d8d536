"""Whether a person may answer a check for a service, or a source does. Pure."""

from datetime import datetime

from scorecards.checks.definitions import Check, Status, Subject
from scorecards.evaluation import judge
from scorecards.evidence.causes import CauseKind
from scorecards.evidence.view import View

UNSUPPLIED = frozenset({CauseKind.NO_SOURCE, CauseKind.NOT_ATTESTED})
"""The causes that leave a check to people. Any other means that a source supplies the fact, and something is amiss."""


def why_not_attested(check: Check, subject: Subject, view: View, now: datetime) -> str | None:
    """Return why no attestation is taken for this check on this service; None when one may answer."""
    if check.attested_for is None:
        facts = ", ".join(check.facts)
        return f"{check.id} is only ever measured: connect a source that supplies {facts}."
    result = judge(check, subject, view, now)
    if result.status is Status.NOT_APPLICABLE:
        return f"{check.id} does not apply to this service. {result.sentence}".rstrip()
    if result.status in {Status.PASS, Status.FAIL}:
        return f"{check.id} is measured, and what is measured decides. {result.sentence}".rstrip()
    supplied = [cause for cause in result.causes if cause.kind not in UNSUPPLIED]
    if supplied:
        cause = supplied[0]
        told = f"A source supplies {cause.fact}, so it is to be measured. {cause.whole_sentence}. {cause.action}"
        return told.rstrip()
    return None
