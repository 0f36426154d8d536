"""Until when the verdict on a check reads as it does if nothing is written. Pure."""

from datetime import UTC, datetime, time, timedelta

from scorecards.evaluation import CheckResult
from scorecards.rules.related import RELATED
from scorecards.tech_insights.answers import earliest

BY_THE_CLOCK = frozenset({"youngerThan", "olderThan", "isAhead"})
"""Operators that time alone turns."""
DAY = timedelta(days=1)
UNITS = (DAY, timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))
"""In which a sentence says how long ago something was."""
AN_INSTANT = timedelta(microseconds=1)


def lasts_until(result: CheckResult, now: datetime) -> datetime | None:
    """Return until when a verdict and its sentence stay; None where no time ends them, `now` where nobody knows."""
    applies_to = result.check.applies_to
    if applies_to and not applies_to.rule.operators.isdisjoint(BY_THE_CLOCK):
        return now
    ends = [result.changes_at]
    for used in result.facts:
        if used.evidence.key.startswith(RELATED):
            return now  # its values are sentences themselves
        if isinstance(used.evidence.value, datetime):
            ends.append(reads_alike_until(used.evidence.value, now))
    return earliest(*ends)


def reads_alike_until(moment: datetime, now: datetime) -> datetime:
    """Return the last instant at which `wording.write` writes a moment as it does `now`: 'today', '3 hours ago'."""
    midnight = datetime.combine(now.astimezone(UTC).date() + DAY, time(), UTC) - AN_INSTANT
    distance = abs(now - moment)
    unit = next((unit for unit in UNITS if distance >= unit), UNITS[-1])
    if moment > now:
        return min(midnight, moment - (distance // unit) * unit)
    return min(midnight, moment + (distance // unit + 1) * unit - AN_INSTANT)
