"""What results rest on, in short: a token that is another one as soon as any of it is written."""

from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter

from portal_backend.core.quick_reading import Reader
from scorecards.judging import Judging
from scorecards.models import Scorecard
from scorecards.quick_loading import among, listed
from scorecards.tech_insights.answers import RestsOn, Told, earliest

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
AROUND = """
WITH near AS (
  SELECT source_ref AS ref, target_ref FROM catalog_relation WHERE type = 'dependsOn' AND source_ref {among}
  UNION
  SELECT consumed.source_ref, provided.target_ref
  FROM catalog_relation consumed JOIN catalog_relation provided ON provided.source_ref = consumed.target_ref
  WHERE consumed.type = 'consumesApi' AND provided.type = 'apiProvidedBy' AND consumed.source_ref {among}
)
SELECT entity.ref, entity.etag, near.target_ref, other.kind, other.type, told.source, {written}
FROM catalog_entity entity
LEFT JOIN near ON near.ref = entity.ref
LEFT JOIN catalog_entity other ON other.ref = near.target_ref
LEFT JOIN entity_facts told ON told.entity_ref = near.target_ref
WHERE entity.ref {among} ORDER BY entity.ref, near.target_ref, told.source
"""
"""What stands in an entity, which services it depends on, and what was observed of those."""
STATE = """
SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE
  CAST(pg_current_snapshot() AS TEXT) || ' ' || EXTRACT(EPOCH FROM pg_postmaster_start_time()) END
"""
"""Which transactions have ended, of all that there ever were: two equal snapshots see the same rows.

A copy that follows another server tells of its snapshots only in part; a server that started anew may have been
restored from a backup, and count the same numbers again.
"""
WRITTEN = {True: "CAST(told.xmin AS TEXT)", False: "told.document || coalesce(told.batch_observed_at, '')"}
"""By whether it is PostgreSQL: what tells one row of facts from what it was before."""
COLUMNS = (
    Scorecard.entity_ref,
    Scorecard.valid_until,
    Scorecard.catalogue_version,
    Scorecard.fingerprint,
    Scorecard.entity_ref,
    Scorecard.entity_ref,
)


def state_of(reader: Reader) -> str | None:
    """Return the state of the whole database, or None where it cannot be told.

    Any write makes another, whoever makes it and of whatever. SQLite has nothing like it.
    """
    state: str | None = reader.rows(STATE)[0][0] if reader.is_postgresql else None
    return state


def tokens_of(
    reader: Reader, judging: Judging, refs: Collection[str], now: datetime
) -> tuple[dict[str, bytes | None], datetime | None]:
    """Return of each judged service a token of its verdicts and of what was observed of it, and until when all hold.

    The token is None for one whose stored verdicts no longer hold: evidence went stale since, or the checks are others.
    Then all hold only `now`. A token does not cover what `results.is_from_afar`; `tokens_from_afar` do.
    """
    sql = POSTGRESQL if reader.is_postgresql else SQLITE
    tokens: dict[str, bytes | None] = {}
    ends: list[datetime | None] = []
    for ref, valid_until, version, *told in reader.rows(sql, (listed(reader, refs),), COLUMNS):
        holds = version == judging.catalogue.version and (valid_until is None or now <= valid_until)
        tokens[ref] = blake2b(repr(told).encode(), digest_size=TOKEN_BYTES).digest() if holds else None
        ends.append(valid_until if holds else now)
    return tokens, earliest(*ends)


def tokens_from_afar(reader: Reader, tokens: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Return tokens that also cover what stands in the catalog's entities, and what was observed around them."""
    holding = sorted(ref for ref, token in tokens.items() if token)
    found: dict[str, bytes | None] = dict.fromkeys(tokens)
    sql = AROUND.format(among=among(reader), written=WRITTEN[reader.is_postgresql])
    rows = reader.rows(sql, [listed(reader, holding)] * 3) if holding else []
    for ref, of_ref in groupby(rows, key=itemgetter(0)):
        told = repr((tokens[ref], *of_ref))
        found[ref] = blake2b(told.encode(), digest_size=TOKEN_BYTES).digest()
    return found


def resting_on(refs: Collection[str], is_far: bool, tokens: Mapping[str, bytes | None]) -> RestsOn | None:
    """Return what an answer on these services rests on, given their tokens; None where one of them has none."""
    if None in tokens.values():
        return None
    told = repr(sorted(tokens.items()))
    return RestsOn(frozenset(refs), is_far, blake2b(told.encode(), digest_size=TOKEN_BYTES).digest())


def confirmed(reader: Reader, judging: Judging, told: Told, now: datetime) -> Told | None:
    """Return an answer that was read from an earlier state, if all that it rests on is what it was."""
    if told.rests_on is None:
        return None
    refs, is_far, _ = told.rests_on
    tokens, until = tokens_of(reader, judging, refs, now)
    if is_far:
        tokens = tokens_from_afar(reader, tokens)
    if resting_on(refs, is_far, tokens) != told.rests_on:
        return None
    return told._replace(until=earliest(told.until, until))
