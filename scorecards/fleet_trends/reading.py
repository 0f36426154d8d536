"""Reads how services stood at the end of each day or week, from the changes that judgements left.

Three queries whatever the span: the services, how each stood when the span began, and of each day or week the last
change of each service. The services are those of today, grouped by what is said of them today.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func, select
from sqlalchemy.orm import Session

from portal_backend.core.errors import Fault, InvalidInput
from scorecards.documents import Document
from scorecards.fleet import TIER
from scorecards.fleet_trends.totals import Standings, Totals
from scorecards.judging import Judging
from scorecards.models import Scorecard, ScorecardChange

MAX_GROUPS = 20
MOST_POINTS = 110
"""Two years of weeks, or a quarter and more of days."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Step(StrEnum):
    """How far apart the points are."""

    DAY = "day"
    WEEK = "week"

    @property
    def length(self) -> timedelta:
        """The time from one point to the next."""
        return timedelta(days=1 if self is Step.DAY else 7)


def fleet_trend(
    session: Session,
    judging: Judging,
    span: tuple[datetime, datetime],
    step: Step,
    group_by: str | None,
    only: Mapping[str, str],
) -> Document:
    """Return a point at the beginning and at the end of each day or week: services by level and mean percentages.

    `only` limits it to services of an owner, a system, a support tier, …. Raises InvalidInput on a span that is empty
    or has more than MOST_POINTS points.
    """
    since, until = span
    _check_span(since, until, step)
    group_of = _groups(session, judging, group_by, only)
    ranked = [name for name, _ in Counter(group_of.values()).most_common()] if group_by else []
    shown = sorted(ranked[:MAX_GROUPS], key=lambda name: (name is None, name or ""))
    fleet = _Fleet(group_of, shown)
    series: dict[str | None, list[Document]] = {name: [] for name in shown}
    points: list[Document] = []
    for moment in _walk(session, fleet, span, step):
        points.append({"at": moment, **fleet.whole.form()})
        for name in shown:
            series[name].append({"at": moment, **fleet.by_group[name].form()})
    return {
        "from": since,
        "to": until,
        "step": step.value,
        "services": len(group_of),
        "points": points,
        "group_by": group_by,
        "groups": [{"group": name, "points": series[name]} for name in shown],
        "more_groups": len(ranked) - len(shown),
    }


def _check_span(since: datetime, until: datetime, step: Step) -> None:
    if not since < until:
        raise InvalidInput("The span must end after it begins; set from and to.", [Fault("from", "is not before `to`")])
    if (until - since) / step.length > MOST_POINTS:
        message = f"would make more than {MOST_POINTS} points; ask for weeks, or for less at a time"
        raise InvalidInput(
            f"A span of {(until - since).days} days by {step.value} {message}.", [Fault("from", message)]
        )


def _groups(session: Session, judging: Judging, group_by: str | None, only: Mapping[str, str]) -> dict[str, str | None]:
    """Return the services that are asked for, each with its group."""
    plain = [getattr(Scorecard, name) == value for name, value in only.items() if name != TIER]
    column = getattr(Scorecard, group_by) if group_by and group_by != TIER else Scorecard.owner
    found: dict[str, str | None] = dict(session.execute(select(Scorecard.entity_ref, column).where(*plain)).all())
    if TIER not in {group_by, *only}:
        return found
    tiers = judging.tiers(session, found.keys()) if judging.tiers else {}
    wanted = only.get(TIER)
    found = {ref: group for ref, group in found.items() if wanted is None or tiers.get(ref) == wanted}
    return {ref: tiers.get(ref) for ref in found} if group_by == TIER else found


class _Fleet:
    """Services, how each stood last, and the totals over them and over their groups."""

    def __init__(self, group_of: Mapping[str, str | None], shown: Sequence[str | None]) -> None:
        self.group_of = group_of
        self.whole = Totals()
        self.by_group = {name: Totals() for name in shown}
        self._last: dict[str, Standings] = {}

    def take(self, ref: str, standings: Standings) -> None:
        """Let a service stand otherwise; one that is not asked for changes nothing."""
        if ref not in self.group_of:
            return
        before = self._last.get(ref)
        group = self.by_group.get(self.group_of[ref])
        for totals in (self.whole, *([group] if group else [])):
            if before is not None:
                totals.put(before, -1)
            totals.put(standings)
        self._last[ref] = standings


def _walk(session: Session, fleet: _Fleet, span: tuple[datetime, datetime], step: Step) -> Iterator[datetime]:
    """Bring the fleet to each point in turn, and yield its moment."""
    since, until = span
    for ref, standings in session.execute(_standing_at(since)):
        fleet.take(ref, standings)
    yield since
    number = 0
    for bucket, ref, standings in session.execute(_last_of_each(session, since, until, step)):
        while number < bucket:
            number += 1
            yield since + number * step.length
        fleet.take(ref, standings)
    while since + number * step.length < until:
        number += 1
        yield min(since + number * step.length, until)


def _standing_at(moment: datetime) -> Any:
    """Select how each service stood at a moment."""
    place = func.row_number().over(partition_by=ScorecardChange.entity_ref, order_by=ScorecardChange.id.desc())
    ranked = select(ScorecardChange.entity_ref, ScorecardChange.standings, place.label("place"))
    before = ranked.where(ScorecardChange.at <= moment).subquery()
    return select(before.c.entity_ref, before.c.standings).where(before.c.place == 1)


def _last_of_each(session: Session, since: datetime, until: datetime, step: Step) -> Any:
    """Select the last change of each service in each step, in the order of the steps, counted from 0."""
    seconds = _seconds(session, ScorecardChange.at) - int((since - EPOCH).total_seconds())
    # What lies at a point's very moment belongs to the step that it ends.
    bucket = (seconds - 1) // int(step.length.total_seconds())
    place = func.row_number().over(
        partition_by=(ScorecardChange.entity_ref, bucket), order_by=ScorecardChange.id.desc()
    )
    ranked = select(bucket.label("bucket"), ScorecardChange.entity_ref, ScorecardChange.standings, place.label("place"))
    within = ranked.where(ScorecardChange.at > since, ScorecardChange.at <= until).subquery()
    query = select(within.c.bucket, within.c.entity_ref, within.c.standings).where(within.c.place == 1)
    return query.order_by(within.c.bucket).execution_options(yield_per=1_000)


def _seconds(session: Session, at: Any) -> ColumnElement[int]:
    """Return a time in whole seconds since 1970, a part of one counting as a whole."""
    if session.get_bind().dialect.name == "postgresql":
        return cast(func.ceil(func.extract("epoch", at)), BigInteger)
    return cast(func.strftime("%s", at), BigInteger) + cast(
        func.strftime("%f", at) != func.strftime("%S.000", at), BigInteger
    )


def series_of(found: Document, axis: str | None) -> Sequence[tuple[datetime, Document]]:
    """Return of each point its moment and the standing over all, or on one axis."""
    return [(point["at"], point if axis is None else point["axes"][axis]) for point in found["points"]]
