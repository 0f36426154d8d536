"""Where each service stood from day to day, and what changed since an earlier one, with what moved it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from engagements.triage_models import TriageResult, TriageSnapshot
from portal_backend.core.db import upsert

A_WEEK = timedelta(days=7)
NOWHERE: dict[str, Any] = {"direction": "none", "place": 0.0, "points": {}, "rules_met": ""}


@dataclass(frozen=True)
class Standing:
    """Where a service stood at the end of a day."""

    direction: str
    place: float
    points: Mapping[str, float]
    rules_met: str

    @property
    def value(self) -> float:
        """Return what it would gain from SRE."""
        return round(sum(self.points.values()), 2)


@dataclass(frozen=True)
class Change:
    """What became of a service's place between two days."""

    ref: str
    change: str
    """`entered`, `left` or `moved`."""
    direction: str
    """The list that it entered, left or moved on."""
    rank_before: int | None
    rank: int | None
    value_before: float | None
    value: float | None
    cause: str | None
    """The term or rule that changed most; None when other services moved it."""
    sentence: str


@dataclass(frozen=True)
class Changes:
    """What changed, and from which day on that is known."""

    since: date
    """The day that today is compared with."""
    asked: date
    complete: bool
    """False when the record begins only after the day asked for."""
    items: tuple[Change, ...]


def take(session: Session, rows: Sequence[Mapping[str, Any]], gone: Collection[str], now: datetime) -> None:
    """Keep where services stand today; one that stands as at the last snapshot before today gets no row."""
    day = now.astimezone(UTC).date()
    refs = [*(row["entity_ref"] for row in rows), *gone]
    last = _standings(session, day - timedelta(days=1), refs)
    today = set(session.scalars(select(TriageSnapshot.entity_ref).where(
        TriageSnapshot.day == day, TriageSnapshot.entity_ref.in_(refs))))  # fmt: skip
    standing = [
        {name: row[name] for name in ("entity_ref", "direction", "place", "points", "rules_met")} for row in rows
    ]
    standing += [{**NOWHERE, "entity_ref": ref} for ref in gone if ref in last or ref in today]
    kept = [
        {**row, "day": day}
        for row in standing
        if row["entity_ref"] in today or last.get(row["entity_ref"]) != _plain(row)
    ]
    upsert(session, TriageSnapshot, kept, ["entity_ref", "day"])


def _plain(row: Mapping[str, Any]) -> Standing:
    return Standing(row["direction"], row["place"], row["points"], row["rules_met"])


def _standings(session: Session, day: date, refs: Collection[str] | None = None) -> dict[str, Standing]:
    """Return where services stood at the end of a day; one without a snapshot until then is left out."""
    newest = select(TriageSnapshot.entity_ref, func.max(TriageSnapshot.day).label("day")).where(
        TriageSnapshot.day <= day
    )
    if refs is not None:
        newest = newest.where(TriageSnapshot.entity_ref.in_(sorted(refs)))
    last = newest.group_by(TriageSnapshot.entity_ref).subquery()
    query = select(
        TriageSnapshot.entity_ref,
        TriageSnapshot.direction,
        TriageSnapshot.place,
        TriageSnapshot.points,
        TriageSnapshot.rules_met,
    ).join(last, and_(TriageSnapshot.entity_ref == last.c.entity_ref, TriageSnapshot.day == last.c.day))
    return {row[0]: Standing(*row[1:]) for row in session.execute(query)}


def _current(session: Session) -> dict[str, Standing]:
    columns = (TriageResult.direction, TriageResult.place, TriageResult.points, TriageResult.rules_met)
    return {row[0]: Standing(*row[1:]) for row in session.execute(select(TriageResult.entity_ref, *columns))}


def changes(session: Session, since: date) -> Changes:
    """Return what entered, left and moved on the lists since the end of a day; what changed most comes first."""
    begins = session.scalar(select(func.min(TriageSnapshot.day)))
    basis = since if begins is None else max(since, begins)
    before, after = _standings(session, basis), _current(session)
    ranks_before, ranks = _ranks(before), _ranks(after)
    found = []
    for ref in sorted(before.keys() | after.keys()):
        then, now = before.get(ref, Standing(**NOWHERE)), after.get(ref, Standing(**NOWHERE))
        for direction in ("onboard", "hand_back"):
            pair = (ranks_before.get((direction, ref)), ranks.get((direction, ref)))
            change = _change(ref, direction, then, now, pair)
            if change is not None:
                found.append(change)
    found.sort(key=lambda one: (one.change == "moved", -_size(one), one.ref))
    return Changes(basis, since, begins is not None and begins <= since, tuple(found))


def _ranks(standings: Mapping[str, Standing]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for direction in ("onboard", "hand_back"):
        on_list = sorted((one.place, ref) for ref, one in standings.items() if one.direction == direction)
        found.update({(direction, ref): rank for rank, (_, ref) in enumerate(on_list, start=1)})
    return found


def _change(
    ref: str, direction: str, then: Standing, now: Standing, ranks: tuple[int | None, int | None]
) -> Change | None:
    rank_before, rank = ranks
    if rank_before is None and rank is None:
        return None
    value_before = then.value if rank_before else None
    value = now.value if rank else None
    if rank_before is None:
        said = f"It entered the list at place {rank}."
        return Change(ref, "entered", direction, None, rank, None, value, _cause(direction, then, now), said)
    if rank is None:
        said = f"It left the list (place {rank_before} before)."
        return Change(ref, "left", direction, rank_before, None, value_before, None, None, said)
    cause = _cause(direction, then, now)
    if rank == rank_before and cause is None:
        return None
    return Change(
        ref, "moved", direction, rank_before, rank, value_before, value, cause,
        _moved(direction, then, now, rank_before, rank, cause),
    )  # fmt: skip


def _cause(direction: str, then: Standing, now: Standing) -> str | None:
    """Return what of the service itself changed most: a term of its value, or a rule of handing back."""
    if direction == "hand_back":
        changed = {*then.rules_met.split("|")} ^ {*now.rules_met.split("|")}
        return min((rule for rule in changed if rule), default=None)
    moved = _differences(then, now)
    return max(moved, key=lambda signal: (abs(moved[signal]), signal)) if moved else None


def _differences(then: Standing, now: Standing) -> dict[str, float]:
    signals = then.points.keys() | now.points.keys()
    found = {signal: round(now.points.get(signal, 0.0) - then.points.get(signal, 0.0), 2) for signal in signals}
    return {signal: points for signal, points in found.items() if points}


def _moved(direction: str, then: Standing, now: Standing, rank_before: int, rank: int, cause: str | None) -> str:
    place = f"From place {rank_before} to {rank}" if rank != rank_before else f"Still at place {rank}"
    if cause is None:
        return f"{place}: other services changed."
    if direction == "hand_back":
        state = "is met now" if f"|{cause}|" in now.rules_met else "is met no longer"
        return f"{place}: {cause} {state}."
    points = _differences(then, now)[cause]
    return f"{place}: {cause.replace('_', ' ')} {points:+g} points, {then.value:g} before and {now.value:g} now."


def _size(change: Change) -> float:
    return abs((change.value or 0.0) - (change.value_before or 0.0)) + abs(
        (change.rank or 0) - (change.rank_before or 0)
    )
