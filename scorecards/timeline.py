"""A service's scorecard over time: what changed and why, how it stood on a date, and the trend of each axis.

Everything is read from the changes that judgements left. What they do not hold cannot be known: the sentence of a
verdict is made again from the values that it rested on when it last changed, by the check as it is today, and only
while that check decides by the same rule.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.errors import Fault, InvalidInput, NotFound
from portal_backend.core.pagination import Page, bad_cursor, decode_cursor, encode_cursor
from scorecards.changes import ChangeCause, LevelMove, read_move, sentence_of
from scorecards.checks.definitions import AXIS_TITLES, Axis, Status
from scorecards.documents import Document
from scorecards.exceptions.in_force import Given
from scorecards.exceptions.loading import load_given
from scorecards.judging import Judging
from scorecards.models import Scorecard, ScorecardChange
from scorecards.retelling import BEGAN_TO_COUNT, CEASED_TO_COUNT, GONE, Told, all_told, edited_words, retell

AXES = list(Axis)
MAX_TREND = timedelta(days=731)


@dataclass(frozen=True)
class Verdict:
    """A verdict as it stood at some moment."""

    status: str
    version: int
    since: datetime
    """When it, or the check, last changed."""
    cause: str
    digest: str | None
    values: Mapping[str, Any]
    """Of the facts that it rested on when it changed."""
    shadow: bool | None
    """The check was in shadow; None where that was not kept."""


@dataclass(frozen=True)
class Past:
    """How a service stood at some moment."""

    at: datetime
    judged_at: datetime
    """When a judgement last changed anything before that."""
    catalogue_version: str
    standings: Sequence[Sequence[Any]]
    verdicts: Mapping[str, Verdict]
    frozen_until: datetime | None


def list_changes(session: Session, judging: Judging, ref: str, cursor: str | None, limit: int) -> Page[Document]:
    """Return the changes of a service's verdicts, the latest first; raises NotFound when there never was any."""
    query = select(ScorecardChange).where(ScorecardChange.entity_ref == ref).order_by(ScorecardChange.id.desc())
    start = 0
    if cursor is not None:
        row_id, start = _position(cursor)
        query = query.where(ScorecardChange.id <= row_id)
    items: list[Document] = []
    places: list[list[int]] = []
    given = load_given(session, ref)
    for row in session.scalars(query.limit(limit + 2)):
        for index, told in enumerate(all_told(judging, orjson.loads(row.document), row.at)):
            if cursor is not None and row.id == row_id and index < start:
                continue
            if len(items) == limit:
                return Page(items, encode_cursor([row.id, index]))
            items.append(_change(judging, row, told, given))
            places.append([row.id, index])
    if not items and cursor is None and not _is_known(session, ref):
        raise no_history(ref)
    last_row = places[-1][0] if places else None
    more = last_row is not None and len(items) < limit and _has_older(session, ref, last_row)
    return Page(items, encode_cursor([last_row - 1, 0]) if more and last_row else None)


def _position(cursor: str) -> tuple[int, int]:
    position = decode_cursor(cursor)
    if not (isinstance(position, list) and len(position) == 2 and all(type(part) is int for part in position)):
        raise bad_cursor()
    return position[0], position[1]


def _has_older(session: Session, ref: str, row_id: int) -> bool:
    query = select(ScorecardChange.id).where(ScorecardChange.entity_ref == ref, ScorecardChange.id < row_id)
    return session.scalar(query.limit(1)) is not None


def _is_known(session: Session, ref: str) -> bool:
    query = select(ScorecardChange.id).where(ScorecardChange.entity_ref == ref).limit(1)
    return session.get(Scorecard, ref) is not None or session.scalar(query) is not None


def _change(judging: Judging, row: ScorecardChange, told: Told, given: Given) -> Document:
    return {
        "check_id": told.check,
        "from_status": told.from_status,
        "to_status": told.to_status,
        "cause": told.cause,
        "check_version": told.version,
        "shadow": told.shadow,
        "sentence": retell(judging, told, row.at, given),
        "values": dict(told.values),
        "at": row.at,
    }


def level_changes(session: Session, ref: str, cursor: str | None, limit: int) -> Page[Document]:
    """Return how a service's levels moved, overall and on each axis, the latest first, with what moved them."""
    query = select(ScorecardChange).where(ScorecardChange.entity_ref == ref).order_by(ScorecardChange.id.desc())
    if cursor is not None:
        query = query.where(ScorecardChange.id < _position(cursor)[0])
    rows = list(session.scalars(query.limit(limit + 1)))
    if not rows and cursor is None and not _is_known(session, ref):
        raise no_history(ref)
    more = len(rows) > limit
    items = [{**_move_form(move), "at": row.at} for row in rows[:limit] for move in moves_of(row)]
    return Page(items, encode_cursor([rows[limit - 1].id, 0]) if more else None)


def moves_of(row: ScorecardChange) -> Iterator[LevelMove]:
    """Return the levels that a judgement moved."""
    yield from map(read_move, orjson.loads(row.document)["levels"])


def _move_form(move: LevelMove) -> Document:
    return {
        "axis": move.axis,
        "from_level": move.from_level,
        "to_level": move.to_level,
        "cause": move.cause,
        "checks": list(move.checks),
        "rules": [rule._asdict() for rule in move.rules or ()],
        "sentence": sentence_of(move),
    }


def past(session: Session, judging: Judging, ref: str, at: datetime) -> Past:
    """Return how a service stood at a moment; raises NotFound when it had not been judged by then."""
    query = (
        select(ScorecardChange)
        .where(ScorecardChange.entity_ref == ref, ScorecardChange.at <= at)
        .order_by(ScorecardChange.id)
    )
    verdicts: dict[str, Verdict] = {}
    last = None
    for row in session.scalars(query.execution_options(yield_per=200)):
        last = row
        for told in all_told(judging, orjson.loads(row.document), row.at):
            verdicts.pop(told.check, None)
            if told.to_status is not None:
                verdicts[told.check] = Verdict(
                    told.to_status, told.version, row.at, told.cause, told.digest, told.values, told.shadow
                )
    if last is None:
        raise _not_yet(session, ref, at)
    frozen = orjson.loads(last.document)["frozen_until"]
    return Past(at, last.at, last.catalogue_version, last.standings, verdicts, parse_time(frozen) if frozen else None)


def _not_yet(session: Session, ref: str, at: datetime) -> NotFound:
    first = session.scalar(select(func.min(ScorecardChange.at)).where(ScorecardChange.entity_ref == ref))
    if first is None:
        return no_history(ref)
    return NotFound(f"{ref} was not judged before {format_time(first)}; ask for a moment from then on.")


def scorecard_at(session: Session, judging: Judging, ref: str, at: datetime) -> Document:
    """Return a service's scorecard as it stood at a moment, with what cannot be known of it."""
    found, given = past(session, judging, ref, at), load_given(session, ref)
    results = [_past_result(judging, check, verdict, given) for check, verdict in found.verdicts.items()]
    return {
        "ref": ref,
        "at": at,
        "judged_at": found.judged_at,
        **_standing(found.standings[0]),
        "axes": [
            {"axis": axis.value, "title": AXIS_TITLES[axis], **_standing(standing)}
            for axis, standing in zip(AXES, found.standings[1:], strict=True)
        ],
        "frozen_until": found.frozen_until if found.frozen_until and found.frozen_until > at else None,
        "results": [result for result in results if not result["shadow"]],
        "shadow_results": [result for result in results if result["shadow"]],
        "catalogue_version": found.catalogue_version,
        "not_known": _not_known(judging, found),
    }


def _standing(standing: Sequence[Any]) -> Document:
    level, percent, coverage = standing
    return {"level": level, "percent": percent, "coverage": coverage}


def _past_result(judging: Judging, check_id: str, verdict: Verdict, given: Given) -> Document:
    check = judging.catalogue.checks.get(check_id)
    told = Told(check_id, None, verdict.status, verdict.cause, verdict.version, verdict.digest, verdict.values)
    return {
        "check": check_id,
        "title": check.title if check else None,
        "axis": check.axis.value if check else None,
        "status": verdict.status,
        "shadow": verdict.shadow,
        "version": verdict.version,
        "since": verdict.since,
        "cause": verdict.cause,
        "sentence": retell(judging, told, verdict.since, given),
        "values": dict(verdict.values),
    }


def _not_known(judging: Judging, found: Past) -> list[str]:
    """Say what a scorecard of the past leaves open."""
    said = [
        "The values are those of the moment at which each verdict last changed; what was observed between then and "
        "this date without changing it is not kept with it.",
        "What to do next, causes and remedies are made of the present evidence only.",
    ]
    if found.catalogue_version != judging.catalogue.version:
        said.append(
            "The checks have changed since: percentages and levels are those of that day's checks, titles and "
            "sentences those of today's where a check still decides by the same rule."
        )
    if any(verdict.shadow is None for verdict in found.verdicts.values()):
        said.append("Whether checks with `shadow` null were enforced is not kept: they have changed since.")
    if any(verdict.status == Status.UNKNOWN for verdict in found.verdicts.values()):
        said.append("How the sources were doing that day is not kept here; `unknown` says only that it was not known.")
    return said


def trend(session: Session, ref: str, since: datetime, until: datetime) -> Document:
    """Return level, percent and coverage over all and per axis, one point for each day on which any of them changed.

    The first point tells how the service stood at the beginning, when it had been judged by then. Raises InvalidInput
    on a span that is empty or longer than two years, NotFound when the service has never been judged.
    """
    if not since < until or until - since > MAX_TREND:
        message = f"must lie before `to`, at most {MAX_TREND.days} days"
        raise InvalidInput(f"The span must end after it begins: from {message}.", [Fault("from", message)])
    if not _is_known(session, ref):
        raise no_history(ref)
    columns = select(ScorecardChange.at, ScorecardChange.standings).where(ScorecardChange.entity_ref == ref)
    before = session.execute(
        columns.where(ScorecardChange.at <= since).order_by(ScorecardChange.id.desc()).limit(1)
    ).all()
    rows = session.execute(
        columns.where(ScorecardChange.at > since, ScorecardChange.at <= until).order_by(ScorecardChange.id)
    ).all()
    points: dict[Any, Document] = {}
    if before:
        points[since.date()] = _point(since, before[0].standings)
    for at, standings in rows:
        points[at.date()] = _point(at, standings)
    return {"ref": ref, "from": since, "to": until, "points": _changed(list(points.values()))}


def _point(at: datetime, standings: Sequence[Sequence[Any]]) -> Document:
    axes = {axis.value: _standing(standing) for axis, standing in zip(AXES, standings[1:], strict=True)}
    return {"at": at, **_standing(standings[0]), "axes": axes}


def _changed(points: Sequence[Document]) -> list[Document]:
    """Leave out the points that say what the one before them says."""
    kept: list[Document] = []
    for point in points:
        said = {key: value for key, value in point.items() if key != "at"}
        if not kept or said != {key: value for key, value in kept[-1].items() if key != "at"}:
            kept.append(point)
    return kept


def diff(session: Session, judging: Judging, ref: str, since: datetime, until: datetime) -> Document:
    """Return what is different between two moments, parted by cause: what the service, the rules, the evidence did.

    A verdict that changed and changed back is no difference. Raises InvalidInput when `until` is not after `since`,
    NotFound when the service had not been judged by `since`.
    """
    if not since < until:
        message = "must lie before `to`"
        raise InvalidInput(f"The second moment must be after the first: from {message}.", [Fault("from", message)])
    first, second = past(session, judging, ref, since), past(session, judging, ref, until)
    given = load_given(session, ref)
    by_cause: dict[str, list[Document]] = {}
    for check in dict.fromkeys((*first.verdicts, *second.verdicts)):
        was, is_now = first.verdicts.get(check), second.verdicts.get(check)
        if was and is_now and was.status == is_now.status and not (_crossed(was, is_now) or _edited(was, is_now)):
            continue
        cause = _cause_between(was, is_now)
        by_cause.setdefault(cause, []).append(_difference(judging, check, was, is_now, cause, given))
    names = [None, *AXES]
    levels = [
        {"axis": axis.value if axis else None, "from": _standing(old), "to": _standing(new)}
        for axis, old, new in zip(names, first.standings, second.standings, strict=True)
        if list(old) != list(new)
    ]
    return {
        "ref": ref,
        "from": since,
        "to": until,
        "service_changed": by_cause.pop(ChangeCause.SERVICE, []),
        "rule_changed": by_cause.pop(ChangeCause.RULE, []),
        "other": [one for found in by_cause.values() for one in found],
        "standings": levels,
        "rules_changed": first.catalogue_version != second.catalogue_version,
    }


def _cause_between(was: Verdict | None, is_now: Verdict | None) -> str:
    """Say why a verdict differs: a rule that is another one explains it before anything else."""
    if was is None or is_now is None or _crossed(was, is_now):
        return ChangeCause.RULE
    return ChangeCause.RULE if _edited(was, is_now) else is_now.cause


def _edited(was: Verdict, is_now: Verdict) -> bool:
    """Say whether the check decides by another rule than before."""
    return None not in (was.digest, is_now.digest) and was.digest != is_now.digest


def _crossed(was: Verdict, is_now: Verdict) -> bool:
    """Say whether the check came out of shadow in between, or went into it."""
    return None not in (was.shadow, is_now.shadow) and was.shadow is not is_now.shadow


def _difference(
    judging: Judging, check: str, was: Verdict | None, is_now: Verdict | None, cause: str, given: Given
) -> Document:
    sentence = _past_result(judging, check, is_now, given)["sentence"] if is_now else GONE
    if was and is_now and _crossed(was, is_now):
        sentence = f"{CEASED_TO_COUNT if is_now.shadow else BEGAN_TO_COUNT} {sentence}"
    elif was and is_now and was.status == is_now.status:
        sentence = f"{edited_words(was.version, is_now.version)} {sentence}"
    return {
        "check": check,
        "from_status": was.status if was else None,
        "to_status": is_now.status if is_now else None,
        "cause": cause,
        "from_shadow": was.shadow if was else None,
        "to_shadow": is_now.shadow if is_now else None,
        "since": is_now.since if is_now else None,
        "sentence": sentence,
    }


def no_history(ref: str) -> NotFound:
    """Return the error for a service that has never been judged."""
    return NotFound(
        f"There is no scorecard of {ref}: register it, or see whether its spec.type counts as a service "
        "(`services.types` in portal.yaml)."
    )
