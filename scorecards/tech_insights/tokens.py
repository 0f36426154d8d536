"""What results rest on, in short: a token that is another one as soon as any of it is written."""

from collections.abc import Collection
from datetime import datetime
from hashlib import blake2b

import orjson

from portal_backend.core.quick_reading import Reader
from scorecards.judging import Judging
from scorecards.models import Scorecard

TOKEN_BYTES = 16

POSTGRESQL = """
SELECT card.entity_ref, card.valid_until, card.catalogue_version, card.fingerprint,
  (SELECT string_agg(told.source || ' ' || told.xmin, ',' ORDER BY told.source)
   FROM entity_facts told WHERE told.entity_ref = card.entity_ref),
  (SELECT string_agg(name || ' ' || plugin, ',' ORDER BY position, name) FROM plugin_source WHERE configured)
FROM scorecard card WHERE card.entity_ref = ANY(%s)
"""
"""The number of the transaction that wrote a row tells whether it was written since, without reading it."""
SQLITE = """
SELECT card.entity_ref, card.valid_until, card.catalogue_version, card.fingerprint,
  (SELECT group_concat(source || ' ' || document || coalesce(batch_observed_at, ''), char(0))
   FROM (SELECT * FROM entity_facts told WHERE told.entity_ref = card.entity_ref ORDER BY source)),
  (SELECT group_concat(name || ' ' || plugin)
   FROM (SELECT name, plugin FROM plugin_source WHERE configured ORDER BY position, name))
FROM scorecard card WHERE card.entity_ref IN (SELECT value FROM json_each(%s))
"""
COLUMNS = (
    Scorecard.entity_ref,
    Scorecard.valid_until,
    Scorecard.catalogue_version,
    Scorecard.fingerprint,
    Scorecard.entity_ref,
    Scorecard.entity_ref,
)


def tokens_of(reader: Reader, judging: Judging, refs: Collection[str], now: datetime) -> dict[str, bytes | None]:
    """Return of each judged service a token of its verdicts and of all that was observed of it.

    None for one whose stored verdicts no longer hold: evidence went stale since, or the checks are others. A token does
    not cover what `results.is_from_afar`.
    """
    listed = sorted(refs)
    sql, given = (POSTGRESQL, listed) if reader.is_postgresql else (SQLITE, orjson.dumps(listed).decode())
    tokens: dict[str, bytes | None] = {}
    for ref, valid_until, version, *told in reader.rows(sql, (given,), COLUMNS):
        holds = version == judging.catalogue.version and (valid_until is None or now <= valid_until)
        tokens[ref] = blake2b(repr(told).encode(), digest_size=TOKEN_BYTES).digest() if holds else None
    return tokens
