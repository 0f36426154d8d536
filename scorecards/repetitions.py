"""Knows a batch that only says again what the last one said: then the times are renewed, and nothing else is written.

Most pulls change nothing about most services. To learn that from the documents would mean to read and write all of them
at every pull.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from plugins.contract import Fact, FactSpec
from portal_backend.core.arrays import among
from portal_backend.core.db import chunks
from scorecards.models import EntityFacts

DIGEST_BYTES = 16


@dataclass(frozen=True)
class Stamp:
    """What a batch of one moment says of one entity, in short."""

    digest: bytes
    """Of the keys, their types and their values."""
    observed_at: datetime
    shortest_age: timedelta
    """For how long the first of the facts may be trusted."""


def stamps(
    batches: Mapping[str, Sequence[Fact]], specs: Mapping[str, FactSpec], newest: datetime, now: datetime
) -> dict[str, Stamp]:
    """Return the stamps of the entities whose facts were all observed at one moment, `newest` at the latest.

    What was observed in a future up to there counts as observed `now`.
    """
    shapes: dict[tuple[str, ...], tuple[bytes, timedelta] | None] = {}
    found = {}
    for ref, facts in batches.items():
        moment = facts[0].observed_at if facts else None
        if moment is None or moment.tzinfo is None or moment > newest:
            continue
        if any(fact.observed_at != moment for fact in facts):
            continue
        ordered = sorted(facts, key=attrgetter("key"))
        keys = tuple([fact.key for fact in ordered])
        if keys not in shapes:
            shapes[keys] = _shape(keys, specs)
        shape = shapes[keys]
        content = shape and _content([fact.value for fact in ordered])
        if shape and content:
            digest = blake2b(content, digest_size=DIGEST_BYTES, key=shape[0]).digest()
            found[ref] = Stamp(digest, min(moment, now), shape[1])
    return found


def _shape(keys: Sequence[str], specs: Mapping[str, FactSpec]) -> tuple[bytes, timedelta] | None:
    """Return a digest of keys with their types, and the shortest age; None when one of them is not declared."""
    declared = [specs[key] for key in keys if key in specs]
    if len(declared) < len(keys):
        return None
    written = orjson.dumps([[spec.key, str(spec.type)] for spec in declared])
    return blake2b(written, digest_size=DIGEST_BYTES).digest(), min(spec.max_age for spec in declared)


def _content(values: Sequence[Any]) -> bytes | None:
    try:
        return orjson.dumps(values)
    except TypeError:  # a value that is none of a fact; storing it says so
        return None


def renew(session: Session, source: str, stamped: Mapping[str, Stamp], now: datetime) -> set[str]:
    """Renew the times of those entities of which the batch repeats the last one; return them."""
    repeated: set[str] = set()
    renewed: dict[datetime, list[str]] = defaultdict(list)
    for ref, row in _last(session, source, stamped.keys()):
        stamp = stamped[ref]
        if row.batch_digest != stamp.digest or not _is_repetition(stamp, row, now):
            continue
        repeated.add(ref)
        if stamp.observed_at > row.batch_observed_at:
            renewed[stamp.observed_at].append(ref)
    for moment, refs in renewed.items():
        times = {"batch_observed_at": moment, "batch_collected_at": now, "updated_at": now}
        for chunk in chunks(sorted(refs)):
            statement = update(EntityFacts).where(EntityFacts.source == source)
            statement = statement.where(among(session, EntityFacts.entity_ref, chunk)).values(times)
            session.execute(statement, execution_options={"synchronize_session": False})
    return repeated


def _last(session: Session, source: str, refs: Collection[str]) -> list[tuple[str, Any]]:
    columns = (
        EntityFacts.entity_ref,
        EntityFacts.batch_digest,
        EntityFacts.batch_observed_at,
        EntityFacts.batch_repeats_until,
    )
    found: list[tuple[str, Any]] = []
    for chunk in chunks(sorted(refs)):
        query = select(*columns).where(EntityFacts.source == source, EntityFacts.batch_digest.is_not(None))
        rows = session.execute(query.where(among(session, EntityFacts.entity_ref, chunk)))
        found += [(row.entity_ref, row) for row in rows]
    return found


def _is_repetition(stamp: Stamp, last: Any, now: datetime) -> bool:
    """Say whether renewing the times is all that storing the batch would do, or not even that."""
    if stamp.observed_at <= last.batch_observed_at:
        return True
    had_grown_stale = last.batch_observed_at + stamp.shortest_age < now
    is_due = last.batch_repeats_until is not None and stamp.observed_at >= last.batch_repeats_until
    return not had_grown_stale and not is_due
