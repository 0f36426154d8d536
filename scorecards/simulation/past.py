"""What was known of services at moments of the past: rolled forward from the history of facts. Reads only."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal_backend.core.arrays import among
from portal_backend.core.clock import format_time, parse_time
from scorecards.evidence.observations import Observations
from scorecards.models import FactChange

NOT_KNOWN = (
    "The history holds changes of facts, of measured numbers one a day. What was observed before a moment and again "
    "later is taken to have been known at it: an outage in between is not seen.",
    "Fields and dependencies of services, what is asked of other entities, support tiers and the modules that services "
    "are built on are those of today; services that are gone are not counted.",
    "What is older than the history is kept (`retention` in portal.yaml) was not known.",
)
FactId = tuple[str, str, str]
"""Service, source, key."""


def observations_at(
    session: Session, present: Mapping[str, Observations], keys: Collection[str], moments: Sequence[datetime]
) -> Iterator[tuple[datetime, dict[str, Observations]]]:
    """Yield what was known of services at each moment, the earliest first; `present` is what is known of them now.

    The history is read once, in order of time. A fact counts as observed at a moment when it was observed later too;
    else it is as old as its last observation.
    """
    refs = sorted(present)
    last_seen = _last_seen(session, present, refs, keys)
    values: dict[FactId, Any] = {}
    rows = session.execute(_history(session, refs, keys, max(moments)), execution_options={"yield_per": 2_000})
    row = next(rows, None)
    for moment in sorted(moments):
        while row is not None and row.observed_at <= moment:
            values[row.entity_ref, row.source, row.key] = row.value
            row = next(rows, None)
        yield moment, _observations(refs, values, last_seen, moment)


def _history(session: Session, refs: Sequence[str], keys: Collection[str], until: datetime) -> Any:
    columns = (FactChange.entity_ref, FactChange.source, FactChange.key, FactChange.value, FactChange.observed_at)
    query = select(*columns).where(
        among(session, FactChange.entity_ref, refs),
        among(session, FactChange.key, sorted(keys)),
        FactChange.observed_at <= until,
    )
    return query.order_by(FactChange.observed_at)


def _last_seen(
    session: Session, present: Mapping[str, Observations], refs: Sequence[str], keys: Collection[str]
) -> dict[FactId, datetime]:
    """Return when each fact was last observed: its latest observation, or the last change of one that is gone."""
    columns = (FactChange.entity_ref, FactChange.source, FactChange.key, func.max(FactChange.observed_at))
    query = select(*columns).where(
        among(session, FactChange.entity_ref, refs), among(session, FactChange.key, sorted(keys))
    )
    grouped = session.execute(query.group_by(FactChange.entity_ref, FactChange.source, FactChange.key))
    found = {(ref, source, key): at for ref, source, key, at in grouped}
    for ref, observations in present.items():
        for source, document in observations.documents:
            for key in document.keys() & keys:
                found[ref, source, key] = parse_time(document[key]["observed_at"])
    return found


def _observations(
    refs: Sequence[str], values: Mapping[FactId, Any], last_seen: Mapping[FactId, datetime], moment: datetime
) -> dict[str, Observations]:
    documents: dict[str, dict[str, dict[str, Any]]] = {ref: {} for ref in refs}
    for fact, value in values.items():
        ref, source, key = fact
        at = format_time(min(moment, last_seen[fact]))
        entry = {"value": value, "observed_at": at, "collected_at": at}
        documents[ref].setdefault(source, {})[key] = entry
    return {ref: Observations(list(of_ref.items())) for ref, of_ref in documents.items()}
