"""What is known of a service's facts: which observation counts, and when none does, why. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from scorecards.evidence.causes import Cause, CauseKind, Party, Supply, absence, staleness, wrong_type
from scorecards.evidence.observations import Observations, Reading
from scorecards.evidence.values import Typed, moment, span, typed


class EvidenceState(StrEnum):
    """Whether an observation may be judged by."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    WRONG_TYPE = "wrong_type"


__all__ = ["Derive", "Evidence", "EvidenceState", "Reading", "View", "narrow"]


@dataclass(frozen=True)
class Evidence:
    """The one observation of a fact that counts, or the cause for there being none."""

    key: str
    state: EvidenceState
    unit: str = ""
    value: Typed | None = None
    source: str | None = None
    simulated: bool = False
    observed_at: datetime | None = None
    valid_until: datetime | None = None
    """When a fresh observation grows stale."""
    cause: Cause | None = None
    """None exactly when the evidence is fresh."""


Derive = Callable[["View"], Evidence]


class View:
    """All evidence on one service at one moment; each fact is resolved once."""

    def __init__(
        self,
        readings: Mapping[str, Sequence[Reading]],
        supply: Supply,
        now: datetime,
        derive: Mapping[str, Derive] | None = None,
    ) -> None:
        self.readings = readings
        self.supply = supply
        self.now = now
        self.derive = derive or {}
        self._resolved: dict[tuple[str, timedelta | None], Evidence] = {}

    def get(self, key: str, max_age: timedelta | None = None) -> Evidence:
        """Return the evidence on a declared fact; `max_age` narrows what its source allows."""
        found = self._resolved.get((key, max_age))
        if found is None:
            found = self._resolved[key, max_age] = self._resolve(key, max_age)
        return found

    @cached_property
    def known_to(self) -> set[str]:
        """Return the sources that have ever observed anything of this service."""
        if isinstance(self.readings, Observations):
            return self.readings.sources
        return {reading.source for readings in self.readings.values() for reading in readings}

    def observed(self) -> Collection[str]:
        """Return the keys of which any source has ever made an observation, fresh or not."""
        return self.readings.keys()

    def _resolve(self, key: str, max_age: timedelta | None) -> Evidence:
        derive = self.derive.get(key)
        if derive is not None:
            return narrow(derive(self), max_age, self.now)
        return self.reported(key, max_age)

    def reported(self, key: str, max_age: timedelta | None = None) -> Evidence:
        """Return the evidence as sources report it, even of a fact that is derived otherwise."""
        candidates = [self._judge_age(key, reading, max_age) for reading in self._ranked(key)]
        for state in (EvidenceState.FRESH, EvidenceState.STALE, EvidenceState.WRONG_TYPE):
            fitting = [evidence for evidence in candidates if evidence.state is state]
            if fitting:
                return fitting[0]
        spec = self.supply.specs[key]
        cause = absence(self.supply, key, self.known_to)
        return Evidence(key, EvidenceState.MISSING, spec.unit, source=cause.source, cause=cause)

    def _ranked(self, key: str) -> Sequence[Reading]:
        found = self.readings.get(key, ())
        if len(found) < 2:
            return found
        ranks = self.supply.ranks
        return sorted(found, key=lambda reading: ranks.get(reading.source, len(ranks)))

    def _judge_age(self, key: str, reading: Reading, max_age: timedelta | None) -> Evidence:
        spec = self.supply.specs[key]
        allowed = self.supply.max_age(reading.source, key)
        if max_age is not None:
            allowed = min(allowed, max_age)
        try:
            if reading.fault:
                raise ValueError(reading.fault)
            value = typed(spec.type, reading.value)
        except ValueError as error:
            return Evidence(
                key,
                EvidenceState.WRONG_TYPE,
                spec.unit,
                None,
                reading.source,
                self.supply.is_simulated(reading.source),
                reading.observed_at,
                cause=wrong_type(key, spec.type, reading.source, str(error)),
            )
        valid_until = reading.observed_at + allowed
        fresh = self.now <= valid_until
        return Evidence(
            key,
            EvidenceState.FRESH if fresh else EvidenceState.STALE,
            spec.unit,
            value,
            reading.source,
            self.supply.is_simulated(reading.source),
            reading.observed_at,
            valid_until,
            None if fresh else staleness(self.supply, key, reading.source, reading.observed_at, allowed),
        )


def narrow(evidence: Evidence, max_age: timedelta | None, now: datetime) -> Evidence:
    """Return the evidence as seen by somebody who trusts it for a shorter time."""
    if max_age is None or evidence.state is not EvidenceState.FRESH or evidence.observed_at is None:
        return evidence
    valid_until = min(evidence.valid_until or evidence.observed_at + max_age, evidence.observed_at + max_age)
    if now > valid_until:
        sentence = f"{evidence.key} was observed at {moment(evidence.observed_at)}, longer than {span(max_age)} ago"
        cause = Cause(CauseKind.STALE, evidence.key, sentence, "Have it observed again.", Party.OPERATORS)
        return replace(evidence, state=EvidenceState.STALE, valid_until=valid_until, cause=cause)
    return replace(evidence, valid_until=valid_until)
