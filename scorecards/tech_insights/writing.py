"""Writes results as JSON: of each check, what is the same for every service is written once. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson

from scorecards.assessment.verdicts import LETTERS
from scorecards.checks.definitions import Check, Status
from scorecards.evidence.causes import Spec
from scorecards.standing import STATUSES
from scorecards.tech_insights.answers import earliest
from scorecards.tech_insights.checks import PASSING, result_heading, type_of
from scorecards.tech_insights.conditions import Annotate, annotator, rooted

LETTER_OF: Mapping[Status, str] = dict(zip(STATUSES, LETTERS, strict=True))
"""A verdict as stored scorecards have it."""
LEFT_OUT = LETTER_OF[Status.NOT_APPLICABLE]
PASSING_LETTERS = frozenset(LETTER_OF[status] for status in PASSING)


class About(NamedTuple):
    """What is told of an observation beside its value."""

    is_fresh: bool
    """Only then it is judged by."""
    until: datetime | None
    """When a fresh one grows stale; None when it does not."""
    written: bytes
    """What follows the value in the JSON form of the fact."""


Look = Callable[[str, timedelta | None], tuple[Any, About] | None]
"""Returns the observation of a fact that counts, in its JSON form, given for how long it is trusted at most."""


class Stencil:
    """What the results of one check have in common."""

    def __init__(self, check: Check, specs: Mapping[str, Spec]) -> None:
        self.check = check
        self.facts = [(key, check.max_age.get(key), orjson.dumps(key) + b':{"value":') for key in check.facts]
        self.rule: Annotate = annotator(rooted(check.rule.tree if check.rule else None), specs)
        self.headings = {letter: self.heading(letter) for letter in LETTERS}

    def heading(self, letter: str, sentence: str | None = None) -> bytes:
        """Return what stands between the facts of a result and its rule; the sentence says the verdict in words."""
        status = STATUSES[LETTERS.index(letter)]
        head = result_heading(self.check, status)
        if sentence:
            head["metadata"] |= {"sentence": sentence}
        opening = b'},"result":true,"check":' if status in PASSING else b'},"result":false,"check":'
        return opening + orjson.dumps(head)[:-1] + b',"rule":{"conditions":'


class Stencils:
    """Those of the checks of one catalogue, each made when it is first asked for. Threads share them."""

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        self._specs = specs
        self._of: dict[str, Stencil] = {}
        self._openings: dict[str, bytes] = {}

    def of(self, check: Check) -> Stencil:
        """Return the stencil of a check."""
        found = self._of.get(check.id)
        if found is None:
            found = self._of[check.id] = Stencil(check, self._specs)
        return found

    def about(self, key: str, is_fresh: bool, source: str | None, observed_at: str | None) -> bytes:
        """Write what follows the value of a fact."""
        opening = self._openings.get(key)
        if opening is None:
            spec = self._specs[key]
            told = {"type": type_of(spec), "description": spec.description, "metadata": {"unit": spec.unit}}
            opening = self._openings[key] = b"," + orjson.dumps(told)[1:-2] + b","
        seen = {"state": "fresh" if is_fresh else "stale", "source": source, "observed_at": observed_at}
        return opening + orjson.dumps(seen)[1:] + b"}"


def passing_first(results: Sequence[tuple[str, bytes]]) -> bytes:
    """Return results, each with its letter, as the inside of a JSON array."""
    failing = [body for letter, body in results if letter not in PASSING_LETTERS]
    return b",".join([*(body for letter, body in results if letter in PASSING_LETTERS), *failing])


class Writer:
    """Writes the results of checks at one moment; those that are alike in everything are written once."""

    def __init__(self, stencils: Stencils, now: datetime) -> None:
        self.stencils = stencils
        self.now = now
        self._written: dict[tuple[Any, ...], tuple[bytes, datetime | None]] = {}
        """By heading, which names the check and the verdict, and by what its facts are: the rest follows from these."""

    def result(
        self, stencil: Stencil, letter: str, look: Look, sentence: str | None = None
    ) -> tuple[bytes, datetime | None]:
        """Return one result, and when the first of the observations in it grows stale."""
        heading = stencil.heading(letter, sentence) if sentence else stencil.headings[letter]
        seen = [look(key, max_age) for key, max_age, _ in stencil.facts]
        alike: list[Any] = [heading]
        for one in seen:
            alike += (orjson.dumps(one[0]), one[1]) if one else (None,)
        key = tuple(alike)
        found = self._written.get(key)
        if found is None:
            found = self._written[key] = self._write(stencil, heading, seen)
        return found

    def _write(
        self, stencil: Stencil, heading: bytes, seen: Sequence[tuple[Any, About] | None]
    ) -> tuple[bytes, datetime | None]:
        parts = []
        fresh: dict[str, tuple[Any, bytes]] = {}
        ends = []
        for (key, _, opening), one in zip(stencil.facts, seen, strict=True):
            if one is None:
                continue
            value, about = one
            written = orjson.dumps(value)
            parts.append(opening + written + about.written)
            if about.is_fresh:
                fresh[key] = value, written
                ends.append(about.until)
        rule = stencil.rule(fresh, self.now)
        return b'{"facts":{' + b",".join(parts) + heading + rule + b"}}}", earliest(*ends)
