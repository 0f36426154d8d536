"""The stored verdicts of a few checks on many services.

The whole document is fetched as text and read here: both databases take several times as long to reach into a JSON
value, once for each check, as to hand it over.
"""

from collections.abc import Collection, Iterable, Mapping

import orjson
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from portal_backend.core.db import chunks
from scorecards.models import Scorecard

Statuses = Mapping[str, Mapping[str, str]]
"""By service and check."""

STATUSES_TEXT = cast(Scorecard.statuses, Text)
"""To select; `verdicts` reads it."""
FETCHED = 500
"""Rows of a query that are held at a time."""


def verdicts(text: str, checks: Iterable[str] | None = None) -> dict[str, str]:
    """Return the verdicts on the checks named (None: on all); those that were never judged are absent."""
    document = orjson.loads(text)
    wanted = document if checks is None else checks
    return {check: document[check][0] for check in wanted if check in document}


def statuses_of(session: Session, refs: Collection[str], checks: Collection[str] | None = None) -> Statuses:
    """Return the last judgement's verdicts on these services: of the checks named (None: of all)."""
    query = select(Scorecard.entity_ref, STATUSES_TEXT)
    return {
        ref: verdicts(text, checks)
        for few in chunks(sorted(refs), FETCHED)
        for ref, text in session.execute(query.where(Scorecard.entity_ref.in_(few)))
    }
