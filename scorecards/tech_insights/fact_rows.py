"""Facts in the form that Tech Insights gives them: the latest of each, and those of a span of time."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.format.refs import EntityRef
from portal_backend.core.clock import format_time, parse_time
from portal_backend.core.db import chunks
from portal_backend.core.errors import Fault, InvalidInput
from portal_backend.core.quick_reading import Reader
from scorecards.judging import Judging
from scorecards.models import FactChange
from scorecards.tech_insights.checks import SCHEMA_VERSION, Document, schema_form
from scorecards.tech_insights.looking import FactSeen
from scorecards.tech_insights.results import observations

MAX_ROWS = 10_000


def schemas(judging: Judging, ids: Collection[str] | None) -> list[Document]:
    """Return the schemas of the declared facts (None: of all); ids that nothing declares are left out."""
    facts = judging.told_facts
    return [schema_form(facts[key]) for key in sorted(facts if ids is None else facts.keys() & set(ids))]


def latest(
    session: Session, reader: Reader, judging: Judging, entity: EntityRef, ids: Collection[str], now: datetime
) -> Document:
    """Return the observation that counts of each fact, by its id; facts without any are absent.

    `state` tells a stale one, which Tech Insights itself would hand out as if it were fresh.
    """
    found = observations(session, reader, judging, str(entity), judging.told_facts.keys() & set(ids), now)
    return {key: _row(entity, key, seen) for key, seen in found.items()}


def between(
    session: Session,
    reader: Reader,
    judging: Judging,
    entity: EntityRef,
    ids: Collection[str],
    span: tuple[datetime, datetime],
    now: datetime,
) -> dict[str, list[Document]]:
    """Return what was observed from one moment to another, both inclusive, by fact and in order of time.

    The history has a row for each change of a value, and of numbers one a day; the latest observation counts too.
    Raises InvalidInput when that is more than MAX_ROWS.
    """
    rows: dict[str, dict[str, Document]] = defaultdict(dict)
    for change in _changes(session, str(entity), judging.specs.keys() & set(ids), span):
        seen = FactSeen(change.value, "recorded", change.source, format_time(change.observed_at))
        rows[change.key][str(seen.observed_at)] = _row(entity, change.key, seen)
    for key, row in latest(session, reader, judging, entity, ids, now).items():
        if span[0] <= parse_time(row["timestamp"]) <= span[1]:
            rows[key][row["timestamp"]] = row
    return {key: [of_key[moment] for moment in sorted(of_key, key=parse_time)] for key, of_key in rows.items()}


def _changes(session: Session, ref: str, ids: Collection[str], span: tuple[datetime, datetime]) -> Sequence[FactChange]:
    found: list[FactChange] = []
    for some in chunks(sorted(ids)):
        query = select(FactChange).where(
            FactChange.entity_ref == ref, FactChange.key.in_(some), FactChange.observed_at.between(*span)
        )
        found += session.scalars(query.limit(MAX_ROWS + 1 - len(found)))
        if len(found) > MAX_ROWS:
            message = f"holds more than {MAX_ROWS} rows; ask for fewer ids or a shorter span"
            raise InvalidInput(f"The span {message}.", [Fault("startDatetime", message)])
    return found


def _row(entity: EntityRef, key: str, seen: FactSeen) -> Document:
    facts: dict[str, Any] = {key: seen.value}
    return {
        "id": key,
        "entity": {"namespace": entity.namespace, "kind": entity.kind.lower(), "name": entity.name},
        "timestamp": seen.observed_at,
        "version": SCHEMA_VERSION,
        "facts": facts,
        "state": seen.state,
        "source": seen.source,
    }
