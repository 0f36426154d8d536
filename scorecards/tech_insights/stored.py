"""Reads the verdicts on many services with all that is told of them, by one statement."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import orjson

from portal_backend.core.quick_reading import Column, Reader
from scorecards.assessment.kit import State
from scorecards.checks.definitions import Check, Status
from scorecards.evidence.causes import Supply
from scorecards.evidence.observations import Told
from scorecards.judging import Judging
from scorecards.models import EntityFacts, Scorecard
from scorecards.quick_loading import among, listed
from scorecards.tech_insights.answers import Tokens
from scorecards.tech_insights.tokens import BASIS, LINE, token
from scorecards.tech_insights.writing import LEFT_OUT, LETTER_OF

IS_SHORT = {
    True: "position(CAST('\"verdicts\"' AS BYTEA) IN card.document) > 0",
    False: "instr(card.document, CAST('\"verdicts\"' AS BLOB)) > 0",
}
"""By whether it is PostgreSQL: whether a scorecard's short form tells all of its verdicts."""
GATHERED = """
SELECT {basis}, card.entity_ref, {line}, card.valid_until, card.catalogue_version, card.document,
  CASE WHEN {is_short} THEN NULL ELSE CAST(card.statuses AS TEXT) END,
  told.source, CAST(told.document AS TEXT), told.batch_observed_at, told.batch_collected_at
FROM scorecard card LEFT JOIN entity_facts told ON told.entity_ref = card.entity_ref WHERE card.entity_ref {among}
"""
COLUMNS: tuple[Column, ...] = (
    *[EntityFacts.source] * 2,
    *[Scorecard.entity_ref] * 2,
    Scorecard.valid_until,
    *[Scorecard.catalogue_version] * 3,
    *[EntityFacts.source] * 2,
    EntityFacts.batch_observed_at,
    EntityFacts.batch_collected_at,
)

Letters = Sequence[str]
"""The verdicts on some checks, in their order."""


@dataclass(slots=True)
class Card:
    """A stored scorecard with what was observed of its service."""

    letters: Letters | None
    """None where the verdicts no longer hold: evidence went stale since, or the checks are others."""
    until: datetime | None
    """Until when they hold; None while no time ends that."""
    lines: list[str] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


class Gathered(NamedTuple):
    """What is stored of services."""

    cards: Mapping[str, Card]
    """By reference; of what was never judged there is none."""
    tokens: Tokens
    """As `tokens.tokens_of` returns them."""
    supply: Supply
    """Which source goes before which, and for how long each is trusted."""


def gather(reader: Reader, judging: Judging, refs: Collection[str], checks: Sequence[Check], now: datetime) -> Gathered:
    """Return the stored verdicts of these checks on services, in the checks' order, and what was observed of them."""
    on = reader.is_postgresql
    sql = GATHERED.format(basis=BASIS[on], line=LINE[on], is_short=IS_SHORT[on], among=among(reader))
    letters = _Letters(judging, checks)
    cards: dict[str, Card] = {}
    basis: tuple[str | None, ...] = ()
    # PostgreSQL's driver knows times by itself.
    for row in reader.rows(sql, (listed(reader, refs),), () if on else COLUMNS):
        sources, start, ref, line, valid_until, version, document, statuses, source, facts, observed, collected = row
        card = cards.get(ref)
        if card is None:
            basis = sources, start
            holds = version == judging.catalogue.version and (valid_until is None or now <= valid_until)
            card = cards[ref] = Card(letters.of(document, statuses) if holds else None, valid_until)
        card.lines.append(line)
        if source is not None and card.letters is not None:
            card.told.append(Told(source, orjson.loads(facts), observed, collected))
    tokens = {ref: token(basis, card.lines) for ref, card in cards.items()}
    return Gathered(cards, tokens, judging.supply(_sources(basis)))


class _Letters:
    """Reads the verdicts on some checks."""

    def __init__(self, judging: Judging, checks: Sequence[Check]) -> None:
        number_of = judging.plan.number_of
        self.count = len(number_of)
        self.checks = [check.id for check in checks]
        self.numbers = [number_of[check] for check in self.checks]

    def of(self, document: bytes, statuses: str | None) -> Letters | None:
        """Return the verdicts that a scorecard tells in short or in full; None where it does neither."""
        letters = orjson.loads(document).get("verdicts", "")
        if len(letters) == self.count:
            return [letters[number] for number in self.numbers]
        if statuses is None:
            return None
        told = orjson.loads(statuses)
        return [LETTER_OF[Status(told[check][0])] if check in told else LEFT_OUT for check in self.checks]


def _sources(basis: Sequence[str | None]) -> dict[str, State]:
    """Return of the configured sources what bears on which observation counts: their order, and their plugins."""
    listed_ = orjson.loads(basis[0]) if basis and basis[0] else []
    return {name: State(name, plugin, False, "", None, None, None, None, None, frozenset()) for name, plugin in listed_}
