"""Keeps the judgements of services: one row each, and a row of changes where something changed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal_backend.core.arrays import among
from portal_backend.core.clock import parse_time
from portal_backend.core.db import chunks
from scorecards import bulk
from scorecards.assessment.outcome import AXES, PARTS, Written
from scorecards.assessment.plan import Plan
from scorecards.assessment.verdicts import Last
from scorecards.holding import Held, HeldVerdict
from scorecards.models import Scorecard, ScorecardChange

STANDINGS = [Scorecard.level, Scorecard.percent, Scorecard.coverage] + [
    getattr(Scorecard, f"{axis}_{part}") for axis in AXES for part in PARTS
]

LZ4 = """
SELECT set_config(name, 'lz4', true) FROM pg_settings
WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)
"""


def last_of(session: Session, refs: Sequence[str], plan: Plan) -> dict[str, Last]:
    """Return what the last judgements of services left."""
    version = plan.catalogue.version
    columns = (
        Scorecard.entity_ref,
        Scorecard.fingerprint,
        Scorecard.catalogue_version,
        Scorecard.document,
        *STANDINGS,
    )
    found: dict[str, Last] = {}
    in_full: list[str] = []
    for few in chunks(refs):
        for ref, fingerprint, judged_by, document, *standings in session.execute(
            select(*columns).where(among(session, Scorecard.entity_ref, few))
        ):
            kept = orjson.loads(document)
            verdicts = kept.get("verdicts") if judged_by == version else None
            if verdicts is None or len(verdicts) != len(plan.checks):
                verdicts = None
                in_full.append(ref)
            found[ref] = Last(fingerprint, verdicts, {}, standings, _held_in(kept))
    for few in chunks(in_full):
        query = select(Scorecard.entity_ref, Scorecard.statuses).where(among(session, Scorecard.entity_ref, few))
        for ref, statuses in session.execute(query):
            found[ref] = replace(found[ref], statuses=statuses)
    return found


def _held_in(kept: Mapping[str, Any]) -> Held:
    """Return the checks that a stored scorecard says are held."""
    return {
        check: HeldVerdict(source, parse_time(since), parse_time(until))
        for check, (source, since, until) in kept.get("held", {}).items()
    }


def compress_quickly(session: Session) -> None:
    """Have what is written in this transaction compressed by LZ4 where the server knows it.

    Of what PostgreSQL spends on keeping many judgements, its own method takes two fifths; either is read alike.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(LZ4))


def keep(session: Session, written: Sequence[Written]) -> None:
    """Write what changed of services.

    An unchanged scorecard is not written again: it only learns until when it holds now.
    """
    rows = [{**row, "statuses": orjson.Fragment(row["statuses"])} for one in written for row in one.rows]
    bulk.upsert(session, Scorecard, rows, ["entity_ref"])
    bulk.change(session, Scorecard, [row for one in written for row in one.unchanged], "entity_ref")
    bulk.add(session, ScorecardChange, [row for one in written for row in one.changes])
