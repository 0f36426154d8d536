"""What results rest on, in short: a token that is another one as soon as any of it is written."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter

from portal_backend.core.quick_reading import Reader
from scorecards.quick_loading import among, listed
from scorecards.tech_insights.answers import Tokens, Told

TOKEN_BYTES = 16

STATE = """
SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE
  CAST(pg_current_snapshot() AS TEXT) || ' ' || EXTRACT(EPOCH FROM pg_postmaster_start_time()) END
"""
"""Which transactions have ended, of all that there ever were: two equal snapshots see the same rows.

A copy that follows another server tells of its snapshots only in part; a server that started anew may have been
restored from a backup, and count the same numbers again.
"""
WRITTEN = {True: "CAST(told.xmin AS TEXT)", False: "told.document || coalesce(told.batch_observed_at, '')"}
"""By whether it is PostgreSQL: what tells one row of facts from what it was before.

There the number of the transaction that wrote it, without reading the row; a server that started anew may count the
same numbers again, so its start takes part.
"""
LINE = {
    True: "card.entity_ref || ' ' || card.xmin || coalesce(' ' || told.source || ' ' || told.xmin, '')",
    False: f"""card.entity_ref || ' ' || card.fingerprint || card.catalogue_version || card.evaluated_at
  || coalesce(card.valid_until, '') || coalesce(' ' || told.source || ' ' || {WRITTEN[False]}, '')""",
}
"""What tells a scorecard, and what one source observed of its service, from what they were before."""
BASIS = {
    True: """(SELECT CAST(json_agg(json_build_array(name, plugin) ORDER BY position, name) AS TEXT)
  FROM plugin_source WHERE configured), CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) AS TEXT)""",
    False: """(SELECT json_group_array(json_array(name, plugin))
  FROM (SELECT name, plugin FROM plugin_source WHERE configured ORDER BY position, name)), ''""",
}
"""What the results on all services rest on: the sources in their order of precedence, with the start of the server."""
TOGETHER = {True: "string_agg({line}, chr(10))", False: "group_concat({line}, char(10))"}
LINES = """
SELECT {basis}, {lines} FROM scorecard card LEFT JOIN entity_facts told ON told.entity_ref = card.entity_ref
WHERE card.entity_ref {among}
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


def state_of(reader: Reader) -> str | None:
    """Return the state of the whole database, or None where it cannot be told.

    Any write makes another, whoever makes it and of whatever. SQLite has nothing like it.
    """
    state: str | None = reader.rows(STATE)[0][0] if reader.is_postgresql else None
    return state


def tokens_of(reader: Reader, refs: Collection[str]) -> Tokens:
    """Return of each judged service a token of its scorecard and of what was observed of it.

    It does not cover what `looking.is_from_afar`; `tokens_from_afar` do.
    """
    if not refs:
        return {}
    on = reader.is_postgresql
    sql = LINES.format(basis=BASIS[on], lines=TOGETHER[on].format(line=LINE[on]), among=among(reader))
    ((*basis, told),) = reader.rows(sql, (listed(reader, refs),))
    lines: dict[str, list[str]] = defaultdict(list)
    for line in told.split("\n") if told else ():
        lines[line.partition(" ")[0]].append(line)
    return {ref: token(basis, of_ref) for ref, of_ref in lines.items()}


def token(basis: Iterable[str | None], lines: Collection[str]) -> str:
    """Return the token of a service, given what its rows tell of themselves."""
    return "\n".join([*map(str, basis), *sorted(lines)])


def tokens_from_afar(reader: Reader, tokens: Tokens) -> Tokens:
    """Return tokens that also cover what stands in the catalog's entities, and what was observed around them."""
    if not tokens:
        return {}
    sql = AROUND.format(among=among(reader), written=WRITTEN[reader.is_postgresql])
    rows = reader.rows(sql, [listed(reader, tokens)] * 3)
    found = {}
    for ref, of_ref in groupby(rows, key=itemgetter(0)):
        told = repr((tokens[ref], *of_ref))
        found[ref] = blake2b(told.encode(), digest_size=TOKEN_BYTES).hexdigest()
    return found


def is_still_true(reader: Reader, told: Told) -> bool:
    """Say whether all that an answer rests on, which was read from an earlier state, is what it was."""
    if told.rests_on is None:
        return False
    refs, is_far, tokens = told.rests_on
    found = tokens_of(reader, refs)
    return (tokens_from_afar(reader, found) if is_far else found) == tokens
