"""What a service would gain from SRE, from 0 to 100, term by term. Pure.

A fact that nobody knows earns nothing and lowers the confidence; it never raises the value. What it would cost SRE is
told apart and never mixed in.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engagements.triage.settings import MOST_BUSINESS_VALUE, NINETY_DAYS, TriageSettings
from engagements.triage.signals import CATALOG, SCORECARDS, Evidence, Known, Signal, Unknown

CRITICALITY_MEANINGS = {
    "T0": "the organisation's existence hangs on it",
    "T1": "its failure has serious consequences for customers",
    "T2": "important inside the organisation",
    "T3": "a day without it is tolerable",
}
ALL_POINTS = "{:g} earn all points."


@dataclass(frozen=True)
class Term:
    """One reason for a service's value: what was seen, what it earns, and where it was seen."""

    signal: str
    raw: Any
    """The value as observed; None when it is unknown."""
    normalised: float
    """The share of its points that it earns, 0 to 1."""
    weight: float
    points: float
    """Weight times share, to two decimals."""
    known: float
    """The share of the weight that rests on something known, 0 to 1."""
    source: str | None
    observed_at: datetime | None
    simulated: bool
    sentence: str
    scale: str = ""
    """How the share follows from the value, with the numbers filled in, so that it can be checked by hand."""


@dataclass(frozen=True)
class Scored:
    """What a known value earns, before it is weighed."""

    share: float
    scale: str
    words: Callable[[], str]
    """Makes the sentence: ranking thousands of services needs none."""
    raw: Any
    known: float = 1.0


def onboarding_terms(evidence: Evidence, settings: TriageSettings, now: datetime) -> tuple[Term, ...]:
    """Return every term of the value, in a fixed order."""
    return tuple(
        _term(name, *_TERMS[name](evidence, settings, now), weight) for name, weight in settings.weights.items()
    )


def value_of(terms: Sequence[Term]) -> float:
    """Return the sum of the points, 0 to 100."""
    return round(sum(term.points for term in terms), 2)


def confidence_of(terms: Sequence[Term]) -> float:
    """Return the share of the whole weight that rests on something known, 0 to 1."""
    total = sum(term.weight for term in terms)
    return round(sum(term.weight * term.known for term in terms) / total, 3) if total else 0.0


def _term(name: str, signal: Signal, scored: Scored | None, weight: float) -> Term:
    if isinstance(signal, Unknown) or scored is None:
        cause = signal.cause if isinstance(signal, Unknown) else ""
        sentence = f"{LABELS[name]}: unknown, so it earns nothing of {weight:g} points. {cause}".rstrip()
        return Term(name, None, 0.0, weight, 0.0, 0.0, None, None, False, sentence)
    return Term(
        signal=name,
        raw=scored.raw,
        normalised=round(_clamped(scored.share), 4),
        weight=weight,
        points=_points(scored.share, weight),
        known=scored.known,
        source=signal.source,
        observed_at=signal.observed_at,
        simulated=signal.simulated,
        sentence=f"{LABELS[name]}: {scored.words()}",
        scale=scored.scale,
    )


def _points(share: float, weight: float) -> float:
    return round(weight * _clamped(share), 2)


def _clamped(share: float) -> float:
    return min(1.0, max(0.0, share))


LABELS = {
    "criticality": "Criticality",
    "business_value": "Business value",
    "dependents": "Dependents",
    "users": "Users",
    "traffic_growth": "Growth of traffic",
    "new_dependents": "New dependents",
    "budget_burn": "Error budget used",
    "severe_incidents": "Severe incidents",
    "pages_per_shift": "Pages",
    "repeated_causes": "Repeated causes",
    "contribution": "What SRE can add",
    "dependencies": "Dependencies",
    "regions": "Failure domains",
    "traffic_class": "Traffic",
}

Judged = tuple[Signal, Scored | None]


def _criticality(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    tier = evidence.criticality
    if tier is None or tier not in settings.criticality_values:
        return Unknown("The catalog states none (annotation sre.portal/criticality, T0 to T3)."), None
    share, meaning = settings.criticality_values[tier], CRITICALITY_MEANINGS.get(tier, "as configured")
    return Known(tier, CATALOG, evidence.stated_at), Scored(
        share, f"{tier} earns {share:g}, by a table", lambda: f"{tier}, {meaning}.", tier
    )


def _business_value(evidence: Evidence, _settings: TriageSettings, _now: datetime) -> Judged:
    signal = evidence.business_value
    return signal, _linear(signal, MOST_BUSINESS_VALUE, lambda value: f"{value:g} of 10, as its owner states.")


def _dependents(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    least = min(settings.dependent_weights.values())
    weighted = sum(settings.dependent_weights.get(tier or "", least) for tier in evidence.dependents)
    count = len(evidence.dependents)
    important = sum(1 for tier in evidence.dependents if tier in {"T0", "T1"})
    share, scale = _logarithmic(1 + weighted, 1 + settings.full_at_weighted_dependents)
    said = f"no service depends on it; {ALL_POINTS.format(settings.full_at_weighted_dependents)}"
    if count:
        depend = "service depends" if count == 1 else "services depend"
        weighed = f"weighed by criticality, {weighted:g}; {ALL_POINTS.format(settings.full_at_weighted_dependents)}"
        said = f"{count} {depend} on it, {important} of T0 or T1; {weighed}"
    return Known(count, CATALOG, evidence.stated_at), Scored(share, scale, lambda: said, count)


def _users(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    signal = evidence.signal("users.active_30d")
    if isinstance(signal, Unknown):
        return signal, None
    share, scale = _logarithmic(1 + max(0.0, signal.value), settings.full_at_users)
    return signal, Scored(share, scale, lambda: f"{signal.value:g} in 30 days.", signal.value)


def growth(evidence: Evidence, since: str) -> Signal:
    """Return how many times the traffic of an earlier time (a fact's key) today's is."""
    today, before = evidence.signal("traffic.rps_now"), evidence.signal(since)
    if isinstance(today, Unknown):
        return today
    if isinstance(before, Unknown):
        return before
    if before.value <= 0:
        return Unknown(f"{since} is 0: there is nothing to compare today's traffic with.")
    return Known(
        today.value / before.value, today.source, today.observed_at, simulated=today.simulated or before.simulated
    )


def _traffic_growth(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    launch = growth(evidence, "traffic.rps_at_launch")
    half_year = growth(evidence, "traffic.rps_180d_ago")
    known = [(signal, since) for signal, since in ((launch, "its launch"), (half_year, "180 days ago"))
             if isinstance(signal, Known)]  # fmt: skip
    if not known:
        return half_year, None
    signal, since = max(known, key=lambda pair: pair[0].value)
    share, scale = _logarithmic(signal.value, settings.full_at_growth)

    def words() -> str:
        full = f"{settings.full_at_growth:g} times earns all points, no growth none."
        return f"{signal.value:.3g} times the traffic of {since}; {full}"

    return signal, Scored(share, scale, words, round(signal.value, 4))


def new_dependents(evidence: Evidence, now: datetime) -> Signal:
    """Return how many more services depend on this one than 90 days ago."""
    today, record = evidence.signal("dependents.count"), evidence.records.get("dependents.count")
    if isinstance(today, Unknown):
        return today
    if record is None:
        return Unknown("The number of dependents was never recorded before.")
    before = record.earlier.get(now - NINETY_DAYS)
    if before is None:
        return Unknown(
            f"The record of dependents begins on {record.begins_at:%Y-%m-%d}, less than 90 days ago; "
            "it grows long enough by itself."
        )
    return Known(today.value - before, today.source, today.observed_at, today.simulated)


def _new_dependents(evidence: Evidence, settings: TriageSettings, now: datetime) -> Judged:
    signal = new_dependents(evidence, now)
    return signal, _linear(signal, settings.full_at_new_dependents, lambda value: f"{value:+g} in 90 days.")


def _budget_burn(evidence: Evidence, _settings: TriageSettings, _now: datetime) -> Judged:
    left = evidence.signal("slo.availability.budget_left")
    if isinstance(left, Unknown):
        return left, None
    used = 1 - left.value

    def words() -> str:
        return f"{used:.0%} of the availability budget of the objective's period."

    return left, Scored(used, f"{used:.4g}, at most 1", words, round(used, 4))


def _severe_incidents(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    signal = evidence.signal("incidents.sev12_90d")
    words = "of severity 1 or 2 in 90 days."
    return signal, _linear(signal, settings.full_at_severe_incidents, lambda value: f"{value:g} {words}")


def _pages(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    signal = evidence.signal("alerts.paging.per_shift_30d")
    full = settings.full_at_pages_per_shift
    return signal, _linear(signal, full, lambda value: f"{value:.2g} a shift; {full:g} fill a shift of twelve hours.")


def _repeated_causes(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    signal = evidence.signal("incidents.repeated_causes_90d")
    return signal, _linear(signal, settings.full_at_repeated_causes, lambda value: f"{value:g} in 90 days.")


def _contribution(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    """Count what is known to fail on the axes that SRE can improve itself; what is unknown is no gap."""
    if evidence.readiness is None:
        return Unknown("The service was never judged."), None
    axes = [evidence.readiness.axes[axis] for axis in settings.sre_fixable_axes if axis in evidence.readiness.axes]
    judged = [(axis.percent, axis.coverage) for axis in axes if axis.percent is not None and axis.coverage is not None]
    if not judged or not any(coverage for _, coverage in judged):
        return Unknown("No check of an axis that SRE can improve could be judged."), None
    gap = sum(max(0.0, coverage - percent) for percent, coverage in judged) / len(judged) / 100
    known = sum(coverage for _, coverage in judged) / len(judged) / 100

    def words() -> str:
        names = ", ".join(settings.sre_fixable_axes)
        return f"{gap:.0%} of the weight of the checks on {names} fails, and {1 - known:.0%} is unknown."

    signal = Known(gap, SCORECARDS, evidence.readiness.evaluated_at)
    return signal, Scored(gap, f"{gap:.4g}", words, round(gap, 4), known=round(known, 4))


def _dependencies(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    signal = evidence.signal("deps.count")
    if isinstance(signal, Unknown):
        return signal, None
    share, scale = _logarithmic(1 + max(0, signal.value), 1 + settings.full_at_dependencies)

    def words() -> str:
        return f"it declares {signal.value:g}, services, resources and providers of APIs together."

    return signal, Scored(share, scale, words, signal.value)


def _regions(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    signal = evidence.signal("runtime.zones")
    if isinstance(signal, Unknown):
        return signal, None
    share = (signal.value - 1) / (settings.full_at_regions - 1)
    scale = f"({signal.value:g} - 1) / ({settings.full_at_regions:g} - 1), from 0 to 1"
    return signal, Scored(share, scale, lambda: f"it runs in {count_of(signal.value, 'zone')}.", signal.value)


def _traffic_class(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Judged:
    signal = evidence.signal("traffic.peak_rps_30d")
    if isinstance(signal, Unknown):
        return signal, None
    share, scale = _logarithmic(signal.value, settings.full_at_rps)
    said = f"{signal.value:.4g} requests a second at its peak of 30 days."
    return signal, Scored(share, scale, lambda: said, signal.value)


_TERMS: dict[str, Callable[[Evidence, TriageSettings, datetime], Judged]] = {
    "criticality": _criticality,
    "business_value": _business_value,
    "dependents": _dependents,
    "users": _users,
    "traffic_growth": _traffic_growth,
    "new_dependents": _new_dependents,
    "budget_burn": _budget_burn,
    "severe_incidents": _severe_incidents,
    "pages_per_shift": _pages,
    "repeated_causes": _repeated_causes,
    "contribution": _contribution,
    "dependencies": _dependencies,
    "regions": _regions,
    "traffic_class": _traffic_class,
}


def _linear(signal: Signal, full: float, words: Callable[[float], str]) -> Scored | None:
    if isinstance(signal, Unknown):
        return None
    scale = f"{signal.value:.6g} / {full:.6g}, from 0 to 1"
    return Scored(signal.value / full, scale, lambda: words(signal.value), signal.value)


def _logarithmic(value: float, full: float) -> tuple[float, str]:
    """Return 0 at a value of 1 or less and 1 at the full value, and how that is counted."""
    share = math.log2(value) / math.log2(full) if value > 1 else 0.0
    return share, f"log {value:.6g} / log {full:.6g}, from 0 to 1"


def count_of(number: float, noun: str) -> str:
    """Write a number of things."""
    return f"{number:g} {noun}" if number == 1 else f"{number:g} {noun}s"
