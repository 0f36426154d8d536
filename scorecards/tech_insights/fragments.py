"""The results of checks on many services: what is on the shelf and still true is taken from there, the rest is made."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy.orm import Session

from portal_backend.core.memory import uncollected
from portal_backend.core.quick_reading import Reader
from scorecards.checks.definitions import Check
from scorecards.judging import Judging
from scorecards.tech_insights.answers import RestsOn, Tokens
from scorecards.tech_insights.looking import is_from_afar
from scorecards.tech_insights.results import Verdicts, verdicts_on_many
from scorecards.tech_insights.shelf import Fragment, Shelf
from scorecards.tech_insights.stored import gather
from scorecards.tech_insights.tokens import tokens_from_afar, tokens_of
from scorecards.tech_insights.writing import LEFT_OUT, Stencils, Writer, passing_first

DIGEST_BYTES = 16


@dataclass(frozen=True)
class Desk:
    """What a run works with."""

    session: Session
    reader: Reader
    judging: Judging
    stencils: Stencils
    now: datetime


class Found(NamedTuple):
    """The results on some services."""

    fragments: Mapping[str, Fragment]
    """By reference; of what is no service there is none."""
    rests_on: RestsOn | None
    """None where nobody can tell."""


class Run:
    """One run of some checks on many services."""

    def __init__(self, desk: Desk, shelf: Shelf, checks: Sequence[Check]) -> None:
        self.desk, self.shelf, self.checks = desk, shelf, checks
        self.stencils = [desk.stencils.of(check) for check in checks]
        self.is_far = any(is_from_afar(check) for check in checks)
        self.can_be_kept = not any(check.related for check in checks)
        """What checks ask of related entities may lie anywhere in the catalog."""
        self._digest = blake2b("\0".join([check.id for check in checks]).encode(), digest_size=DIGEST_BYTES).digest()

    def fragments(self, refs: Collection[str]) -> Found:
        """Return the results on services, at most a page of them."""
        if not self.checks:
            return Found({}, RestsOn(frozenset(), False, {}))
        with uncollected():
            found, tokens = self._still_true(refs)
            lacking = [ref for ref in refs if ref not in found]
            if lacking:
                tokens = {**tokens, **self._make(lacking, found)}
        rests_on = RestsOn(frozenset(refs), self.is_far, tokens)
        return Found(found, rests_on if tokens.keys() == found.keys() else None)

    def _still_true(self, refs: Collection[str]) -> tuple[dict[str, Fragment], Tokens]:
        """Return what is on the shelf and rests on what is stored now, with its tokens."""
        now, digest = self.desk.now, self._digest
        kept = {ref: one for ref in refs if (one := self.shelf.get((ref, digest), now))}
        tokens = self._tokens(tokens_of(self.desk.reader, kept))
        found = {ref: fragment for ref, (token, fragment) in kept.items() if token == tokens.get(ref)}
        return found, {ref: tokens[ref] for ref in found}

    def _make(self, refs: Collection[str], found: dict[str, Fragment]) -> Tokens:
        """Make the results on services, and keep them; return the tokens of those that may be kept."""
        desk = self.desk
        gathered = gather(desk.reader, desk.judging, refs, self.checks, desk.now)
        holding = {ref: token for ref, token in gathered.tokens.items() if gathered.cards[ref].letters is not None}
        tokens = self._tokens(holding)  # before anything from afar is read
        writer = Writer(desk.stencils, desk.now)
        for verdicts in verdicts_on_many(desk.session, desk.judging, gathered, self.checks, desk.stencils, desk.now):
            fragment = found[verdicts.ref] = self._fragment(writer, verdicts)
            token = tokens.get(verdicts.ref)
            if token:
                self.shelf.put((verdicts.ref, self._digest), token, fragment)
        return tokens

    def _tokens(self, near: Tokens) -> Tokens:
        """Return the tokens of all that the results rest on; there are none of what cannot be kept."""
        if not self.can_be_kept:
            return {}
        return tokens_from_afar(self.desk.reader, near) if self.is_far else near

    def _fragment(self, writer: Writer, verdicts: Verdicts) -> Fragment:
        told: list[tuple[str, bytes]] = []
        until = verdicts.until
        for stencil, letter in zip(self.stencils, verdicts.letters, strict=True):
            if letter == LEFT_OUT:
                continue
            body, end = writer.result(stencil, letter, verdicts.look)
            told.append((letter, body))
            if end is not None and (until is None or end < until):
                until = end
        return Fragment(passing_first(told), until)
