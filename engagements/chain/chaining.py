"""Gives events that were recorded before there was a chain their hashes: for the migration that brings the columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Connection,
    Integer,
    SmallInteger,
    Text,
    bindparam,
    column,
    select,
    table,
    tuple_,
    update,
)

from engagements.chain.links import FIRST, HASHED, link
from engagements.chain.patterns import pattern_of
from portal_backend.core.db import UtcDateTime

BATCH = 1000
TYPES: dict[str, Any] = {
    "id": Integer(),
    "sequence": Integer(),
    "occurred_at": UtcDateTime(),
    "recorded_at": UtcDateTime(),
    "simulated": Boolean(),
    "schema_version": SmallInteger(),
    "details": JSON(),
}
EVENTS = table("history_event", *(column(name, TYPES.get(name, Text())) for name in ("id", "hash", "pattern", *HASHED)))
HEADS = table("history_head", column("entity_ref", Text()), column("last_hash", Text()))


def chain_existing(connection: Connection) -> int:
    """Fill in hash and pattern of all events, and last_hash of their heads; return how many events there are.

    For a transaction without writers beside it, before the triggers that refuse changes are made. Safe to repeat.
    """
    set_hash = (
        update(EVENTS)
        .where(EVENTS.c.id == bindparam("row_id"))
        .values(hash=bindparam("new_hash"), pattern=bindparam("new_pattern"))
    )
    set_end = update(HEADS).where(HEADS.c.entity_ref == bindparam("ref")).values(last_hash=bindparam("new_hash"))
    connection.execute(update(HEADS).values(last_hash=FIRST))
    ref, end, count = "", FIRST, 0
    for batch in _batches(connection):
        hashes, ends = [], {}
        for row in batch:
            end = link(end if row["entity_ref"] == ref else FIRST, row)
            ref = row["entity_ref"]
            ends[ref] = end
            hashes.append({"row_id": row["id"], "new_hash": end, "new_pattern": pattern_of(row["details"])})
        connection.execute(set_hash, hashes)
        connection.execute(set_end, [{"ref": one, "new_hash": last} for one, last in ends.items()])
        count += len(batch)
    return count


def _batches(connection: Connection) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Yield the events by service and sequence number."""
    query = select(EVENTS).order_by(EVENTS.c.entity_ref, EVENTS.c.sequence).limit(BATCH)
    after = None
    while True:
        place = tuple_(EVENTS.c.entity_ref, EVENTS.c.sequence)
        batch = connection.execute(query if after is None else query.where(place > after)).mappings().all()
        if not batch:
            return
        yield [dict(row) for row in batch]
        after = (batch[-1]["entity_ref"], batch[-1]["sequence"])
