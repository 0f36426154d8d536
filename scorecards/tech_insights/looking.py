"""Looks at the observations behind verdicts; of many services, at the stored documents themselves. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from portal_backend.core.clock import format_time
from scorecards.checks.definitions import Check, Subject
from scorecards.evidence.causes import ENTITY, Supply
from scorecards.evidence.derivations import DERIVED, MIN_SLO_TARGET, derivations
from scorecards.evidence.observations import Observations, Told
from scorecards.evidence.view import Evidence, EvidenceState, View
from scorecards.rules.related import RELATED
from scorecards.tech_insights.writing import About, Look, Stencils


class FactSeen(NamedTuple):
    """A fact's observation that counts, in its JSON form."""

    value: Any
    state: str
    """`fresh` or `stale`; only fresh ones are judged by."""
    source: str | None
    observed_at: str | None
    until: datetime | None = None
    """When a fresh one grows stale; None when it does not."""


def is_from_afar(check: Check) -> bool:
    """Say whether a check looks at what is kept with other entities, or in the catalog."""
    return any(key == MIN_SLO_TARGET.key or key.startswith((ENTITY, RELATED)) for key in check.facts)


def seen(evidence: Evidence) -> FactSeen | None:
    """Return the observation that is the evidence; None where there is none."""
    value: Any = evidence.value
    if value is None:
        return None
    if isinstance(value, datetime):
        value = format_time(value)
    elif isinstance(value, tuple):
        value = list(value)
    observed_at = format_time(evidence.observed_at) if evidence.observed_at else None
    until = evidence.valid_until if evidence.state is EvidenceState.FRESH else None
    return FactSeen(value, evidence.state.value, evidence.source, observed_at, until)


def in_view(view: View, stencils: Stencils) -> Look:
    """Return what looks at the evidence on one service."""
    return lambda key, max_age: _told(view.get(key, max_age), stencils)


def in_evidence(used: Mapping[str, Evidence], stencils: Stencils) -> Look:
    """Return what looks at the evidence that one verdict rests on, by fact."""
    return lambda key, _max_age: _told(used[key], stencils) if key in used else None


def _told(evidence: Evidence, stencils: Stencils) -> tuple[Any, About] | None:
    found = seen(evidence)
    if found is None:
        return None
    is_fresh = evidence.state is EvidenceState.FRESH
    about = stencils.about(evidence.key, is_fresh, found.source, found.observed_at)
    return found.value, About(is_fresh, found.until, about)


class Documents:
    """Looks at observations as they are stored; those of one pull share all that is told of them but their values."""

    def __init__(self, supply: Supply, stencils: Stencils, now: datetime) -> None:
        self.supply, self.stencils, self.now = supply, stencils, now
        self._known: dict[tuple[str, str, timedelta | None, str], About] = {}
        self._times: dict[datetime, str] = {}

    def look(self, told: Sequence[Told]) -> Look:
        """Return what finds of a service's facts what `View.get` does: of derived ones by asking it."""
        ranks, known = self.supply.ranks, self._known
        ordered = sorted(told, key=lambda one: (ranks.get(one.source, len(ranks)), one.source))
        batches = [(one.source, one.document, self._written(one.observed_at)) for one in ordered]

        def look(key: str, max_age: timedelta | None) -> tuple[Any, About] | None:
            if key in DERIVED:
                return _told(self._view(told).get(key, max_age), self.stencils)
            found = None
            for source, document, of_batch in batches:
                entry = document.get(key)
                if entry is None or "value" not in entry:
                    continue
                alike = source, key, max_age, entry.get("observed_at") or of_batch
                about = known.get(alike) or self._about(*alike)
                if about.is_fresh:
                    return entry["value"], about
                found = found or (entry["value"], about)
            return found

        return look

    def _view(self, told: Sequence[Told]) -> View:
        """Return the evidence on a service, but for what rests on its neighbours."""
        own = derivations(Subject("", ""), {})
        own.pop(MIN_SLO_TARGET.key)
        return View(Observations.as_stored(told), self.supply, self.now, own)

    def _written(self, moment: datetime | None) -> str:
        """Batches of one pull have one time."""
        if moment is None:
            return ""
        found = self._times.get(moment)
        if found is None:
            found = self._times[moment] = format_time(moment)
        return found

    def _about(self, source: str, key: str, narrowed: timedelta | None, observed_at: str) -> About:
        if not observed_at:
            raise ValueError("an entry without times is in a row without a batch")
        allowed = self.supply.max_age(source, key)
        end = datetime.fromisoformat(observed_at) + (min(allowed, narrowed) if narrowed else allowed)
        is_fresh = end >= self.now
        written = self.stencils.about(key, is_fresh, source, observed_at)
        found = About(is_fresh, end if is_fresh else None, written)
        self._known[source, key, narrowed, observed_at] = found
        return found
