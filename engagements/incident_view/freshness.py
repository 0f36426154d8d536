"""How far a section can be trusted: told from the health of the sources that it rests on, or of its facts. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from engagements.incident_view.settings import IncidentSettings
from plugins.health import SourceHealth
from scorecards.evidence.causes import Cause, source_trouble
from scorecards.evidence.values import moment, span
from scorecards.evidence.view import Evidence, EvidenceState

FRESH, STALE, UNKNOWN = "fresh", "stale", "unknown"


@dataclass(frozen=True)
class Why:
    """Why something is not as fresh as it should be, and what to do about it."""

    sentence: str
    action: str = ""


@dataclass(frozen=True)
class Freshness:
    """How far a section can be trusted."""

    state: str
    observed_at: datetime | None = None
    sources: Sequence[str] = ()
    simulated: bool = False
    why: Why | None = None
    """None exactly when it is fresh."""

    def told(self) -> dict[str, Any]:
        """Return it as each section begins."""
        return {
            "state": self.state,
            "observed_at": self.observed_at,
            "sources": list(self.sources),
            "simulated": self.simulated,
            "cause": {"sentence": self.why.sentence, "action": self.why.action} if self.why else None,
        }


@dataclass(frozen=True)
class Sources:
    """The configured sources at one moment."""

    health: Mapping[str, SourceHealth]
    now: datetime
    settings: IncidentSettings = field(default_factory=IncidentSettings)

    def reporting(self, prefix: str, also: Iterable[str] = ()) -> list[str]:
        """Return the sources whose facts begin so, and those that are known to have reported."""
        declared = [name for name, state in self.health.items() if any(key.startswith(prefix) for key in state.facts)]
        return sorted({*declared, *also})

    def freshness(self, names: Sequence[str], missing: Why) -> Freshness:
        """Return how far what these sources reported can be trusted; `missing` is said when there are none."""
        if not names:
            return Freshness(UNKNOWN, why=missing)
        each = [self._one(name) for name in names]
        seen = [one.observed_at for one in each if one.observed_at]
        first_trouble = next((one.why for one in each if one.why), None)
        states = {one.state for one in each}
        state = STALE if len(states) > 1 else states.pop()
        return Freshness(state, min(seen, default=None), names, any(one.simulated for one in each), first_trouble)

    def _one(self, name: str) -> Freshness:
        health = self.health.get(name)
        if health is None:
            why = Why(f"The source {name} is not configured any more", f"Configure the source {name} again.")
            return Freshness(STALE, why=why)
        trouble = source_trouble("", health)
        if health.last_success_at is None:
            why = _why(trouble) if trouble else Why(f"The source {name} has not succeeded yet")
            return Freshness(UNKNOWN, None, (name,), health.simulated, why)
        if trouble is None and self._is_late(health):
            since = moment(health.last_success_at)
            sentence = f"The source {name} was last read at {since}; it is due every {span(_period(health))}"
            why = Why(sentence, f"See that a worker runs (`portal worker`), or `portal sources collect {name}`.")
            return Freshness(STALE, health.last_success_at, (name,), health.simulated, why)
        state = STALE if trouble else FRESH
        return Freshness(state, health.last_success_at, (name,), health.simulated, _why(trouble) if trouble else None)

    def _is_late(self, health: SourceHealth) -> bool:
        allowed = max(self.settings.late_after_periods * _period(health), self.settings.late_after)
        return health.last_success_at is not None and self.now - health.last_success_at > allowed


def of_facts(evidences: Sequence[Evidence], missing: Why) -> Freshness:
    """Return how far a section of facts can be trusted: as far as the worst that is known of them."""
    known = [one for one in evidences if one.state in {EvidenceState.FRESH, EvidenceState.STALE}]
    if not known:
        cause = next((one.cause for one in evidences if one.cause), None)
        return Freshness(UNKNOWN, why=_why(cause) if cause else missing)
    stale = next((one for one in known if one.state is EvidenceState.STALE), None)
    observed = [one.observed_at for one in known if one.observed_at]
    return Freshness(
        STALE if stale else FRESH,
        min(observed, default=None),
        sorted({one.source for one in known if one.source}),
        any(one.simulated for one in known),
        _why(stale.cause) if stale and stale.cause else None,
    )


def told_fact(evidence: Evidence) -> dict[str, Any]:
    """Return one fact with where it comes from and how far it can be trusted; a stale value is shown as such."""
    cause = _why(evidence.cause) if evidence.cause else None
    value = evidence.value
    return {
        "key": evidence.key,
        "value": list(value) if isinstance(value, tuple) else value,
        "unit": evidence.unit,
        "state": {EvidenceState.FRESH: FRESH, EvidenceState.STALE: STALE}.get(evidence.state, UNKNOWN),
        "observed_at": evidence.observed_at,
        "source": evidence.source,
        "simulated": evidence.simulated,
        "cause": {"sentence": cause.sentence, "action": cause.action} if cause else None,
    }


def _why(cause: Cause) -> Why:
    return Why(cause.whole_sentence, cause.action)


def _period(health: SourceHealth) -> timedelta:
    return timedelta(seconds=health.every_seconds)
