"""The conditions of the hand-back rules: each says what was seen, against which threshold, and where. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from engagements.tiers import ENDING_LIFECYCLES
from engagements.triage.settings import BUDGET_WINDOW, TWO_QUARTERS, TriageSettings
from engagements.triage.signals import CATALOG, HISTORY, SCORECARDS, Evidence, Known, Signal, Unknown


class State(StrEnum):
    """Whether something holds, does not hold, or cannot be known."""

    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RuleTerm:
    """One condition of a rule: what was seen, against which threshold, and where."""

    signal: str
    state: State
    value: Any
    threshold: Any
    unit: str
    observed_at: datetime | None
    source: str | None
    simulated: bool
    sentence: str
    cause: str = ""
    """Why it is unknown; empty otherwise."""


def objective_met(evidence: Evidence, now: datetime) -> RuleTerm:
    """Whether the availability objective was met throughout two quarters."""
    name, target = "slo.availability.met_two_quarters", evidence.signal("slo.availability.target")
    if isinstance(target, Unknown):
        return _unknown(name, target.cause)
    lowest, cause = _extreme(evidence, "slo.availability.actual_28d", min, now)
    if lowest is not None and lowest.value < target.value:
        words = "It fell to {value:.3%} in the last two quarters; {threshold:.3%} is the objective."
        return _told(name, State.NOT_MET, lowest, target.value, "ratio", words)
    half_year = evidence.signal("slo.availability.actual_180d")
    if isinstance(half_year, Known):
        state = State.MET if half_year.value >= target.value else State.NOT_MET
        words = "It was {value:.3%} over 180 days; {threshold:.3%} is the objective."
        return _told(name, state, half_year, target.value, "ratio", words)
    if lowest is None or cause:
        return _unknown(name, cause or half_year.cause, target.value, "ratio")
    words = "It never fell below {value:.3%} in two quarters; {threshold:.3%} is the objective."
    return _told(name, State.MET, lowest, target.value, "ratio", words)


def level_reached(evidence: Evidence, settings: TriageSettings) -> RuleTerm:
    """Whether the service is ready enough to be kept without SRE."""
    name, threshold = "scorecard.level", f"L{settings.graduated_level}"
    if evidence.readiness is None or evidence.readiness.level is None:
        return _unknown(name, "The service was never judged, or no check applies to it.", threshold)
    level = evidence.readiness.level
    state = State.MET if level >= threshold else State.NOT_MET
    seen = Known(level, SCORECARDS, evidence.readiness.evaluated_at)
    return _told(name, state, seen, threshold, "", "It has readiness {value}; {threshold} is asked for.")


def no_blocker(evidence: Evidence) -> RuleTerm:
    """Whether no check that bars a level up to L3 fails."""
    name = "scorecard.failing_blockers"
    if evidence.readiness is None:
        return _unknown(name, "The service was never judged.", 0)
    failing, unknown = evidence.readiness.failing_blockers, evidence.readiness.unknown_blockers
    if not failing and unknown:
        return _unknown(name, f"Nobody knows whether these blockers pass: {', '.join(unknown)}.", 0, "count")
    seen = Known(len(failing), SCORECARDS, evidence.readiness.evaluated_at)
    words = f"These blockers fail: {', '.join(failing)}." if failing else "No blocker fails."
    return _told(name, State.NOT_MET if failing else State.MET, seen, 0, "count", words)


def below_forecast(evidence: Evidence, settings: TriageSettings, key: str, when: str) -> RuleTerm:
    """Whether usage at one time (a fact's key) was below the share of the forecast."""
    threshold = _forecast_threshold(evidence, settings)
    if threshold is None:
        return _no_forecast(key)
    words = (
        f"{{value:.4g}} requests a second {when}; {settings.forecast_share:.0%} of the forecast are {{threshold:g}}."
    )
    return compared(key, evidence.signal(key), threshold, "requests_per_second", lambda a, b: a < b, words)


def never_above_forecast(evidence: Evidence, settings: TriageSettings, now: datetime) -> RuleTerm:
    """Whether the peak stayed below the share of the forecast for all of two quarters."""
    name, threshold = "traffic.peak_two_quarters", _forecast_threshold(evidence, settings)
    if threshold is None:
        return _no_forecast(name)
    unit = "requests_per_second"
    words = "At most {value:.4g} requests a second in two quarters; {threshold:g} is the limit of this rule."
    half_year = evidence.signal("traffic.peak_rps_180d")
    highest, cause = _extreme(evidence, "traffic.peak_rps_30d", max, now)
    seen = half_year if isinstance(half_year, Known) else highest
    if isinstance(seen, Known) and seen.value >= threshold:
        return _told(name, State.NOT_MET, seen, threshold, unit, words)
    if isinstance(half_year, Known) or not cause:
        return _told(name, State.MET, seen, threshold, unit, words) if seen else _unknown(name, cause)
    return _unknown(name, cause, threshold, unit)


def lifecycle_ending(evidence: Evidence) -> RuleTerm:
    """Whether the service is being ended."""
    name, threshold = "service.lifecycle", ", ".join(sorted(ENDING_LIFECYCLES))
    if evidence.lifecycle is None:
        return _unknown(name, "The catalog states no lifecycle.", threshold)
    state = State.MET if evidence.lifecycle in ENDING_LIFECYCLES else State.NOT_MET
    return _told(
        name, state, Known(evidence.lifecycle, CATALOG, evidence.stated_at), threshold, "", "Its lifecycle is {value}."
    )


def criticality_fell(evidence: Evidence, now: datetime) -> RuleTerm:
    """Whether the service was more critical within the last two quarters."""
    name = "service.criticality"
    highest, cause = _extreme(evidence, "catalog.criticality", min, now)
    if evidence.criticality is None:
        return _unknown(name, "The catalog states no criticality.")
    if highest is not None and highest.value < evidence.criticality:
        words = f"It was {{value}} within the last two quarters and is {evidence.criticality} now."
        return _told(name, State.MET, highest, evidence.criticality, "", words)
    if cause:
        return _unknown(name, cause)
    seen = Known(evidence.criticality, CATALOG, evidence.stated_at)
    return _told(name, State.NOT_MET, seen, evidence.criticality, "", "It stayed {value} for two quarters.")


def budget_exhausted(evidence: Evidence, settings: TriageSettings, now: datetime) -> RuleTerm:
    """Whether the budget was used up at the end of enough of the last windows."""
    name, key = "slo.availability.exhausted_windows", "slo.availability.budget_left"
    needed, record = settings.exhausted_windows, evidence.records.get(key)
    latest = evidence.signal(key)
    ends: list[Any] = [latest.value if isinstance(latest, Known) else None]
    for index in range(1, settings.budget_windows):
        ends.append(record.earlier.get(now - index * BUDGET_WINDOW) if record else None)
    exhausted = sum(1 for left in ends if left is not None and left <= 0)
    open_ends = ends.count(None)
    if exhausted < needed <= exhausted + open_ends:
        cause = latest.cause if isinstance(latest, Unknown) else "The record of the budget does not reach back so far."
        return _unknown(name, f"{open_ends} of the last {len(ends)} windows cannot be judged. {cause}", needed, "count")
    source = latest.source if isinstance(latest, Known) else HISTORY
    seen = Known(exhausted, source, now, isinstance(latest, Known) and latest.simulated)
    words = (
        f"The budget was used up at the end of {{value}} of the last {len(ends)} windows; {{threshold}} make it met."
    )
    return _told(name, State.MET if exhausted >= needed else State.NOT_MET, seen, needed, "count", words)


def no_plan(evidence: Evidence) -> RuleTerm:
    """Whether no improvement plan is signed."""
    agreed = evidence.last_events.get("plan.agreed")
    if agreed is None:
        return only_people_know(
            "improvement_plan.absent",
            "No improvement plan is on record here; whether one is signed, the two teams know: ask them.",
        )
    seen = Known(agreed.date().isoformat(), HISTORY, agreed)
    words = "A plan was agreed on {value}."
    return _told("improvement_plan.absent", State.NOT_MET, seen, None, "", words)


def improvements_overdue(evidence: Evidence) -> RuleTerm:
    """Whether agreed improvements are long overdue."""
    return compared(
        "improvements.overdue_30d",
        evidence.signal("improvements.overdue_30d"),
        0,
        "count",
        lambda value, threshold: value > threshold,
        "{value} agreed improvements are overdue by more than 30 days.",
    )


def _extreme(
    evidence: Evidence, key: str, choose: Callable[[list[Any]], Any], now: datetime
) -> tuple[Known | None, str]:
    """Return a fact's lowest or highest value of two quarters as far as it is recorded, and why that falls short."""
    latest, record = evidence.signal(key), evidence.records.get(key)
    values = [value for value in (record.lowest, record.highest) if value is not None] if record else []
    if isinstance(latest, Known):
        values.append(latest.value)
    if not values:
        return None, latest.cause if isinstance(latest, Unknown) else ""
    witness = latest if isinstance(latest, Known) else record
    seen = Known(choose(values), witness.source, now, witness.simulated) if witness else None
    if isinstance(latest, Unknown):
        return seen, latest.cause
    if record is None or record.begins_at > now - TWO_QUARTERS:
        days = (now - record.begins_at).days if record else 0
        return seen, f"The record of {key} reaches back {days} days; {TWO_QUARTERS.days} are needed."
    return seen, ""


def _forecast_threshold(evidence: Evidence, settings: TriageSettings) -> float | None:
    forecast = evidence.usage_forecast_rps
    return None if forecast is None else settings.forecast_share * forecast


def _no_forecast(name: str) -> RuleTerm:
    return _unknown(name, "No usage forecast was recorded when the support was accepted (usage_forecast_rps).")


def compared(
    name: str, signal: Signal, threshold: Any, unit: str, holds: Callable[[Any, Any], bool], words: str
) -> RuleTerm:
    """Return the term that compares a signal with a threshold; `words` is filled with `value` and `threshold`."""
    if isinstance(signal, Unknown):
        return _unknown(name, signal.cause, threshold, unit)
    state = State.MET if holds(signal.value, threshold) else State.NOT_MET
    return _told(name, state, signal, threshold, unit, words)


def _told(name: str, state: State, seen: Known, threshold: Any, unit: str, words: str) -> RuleTerm:
    sentence = words.format(value=seen.value, threshold=threshold)
    return RuleTerm(
        name, state, seen.value, threshold, unit, seen.observed_at, seen.source, seen.simulated, sentence
    )  # fmt: skip


def _unknown(name: str, cause: str, threshold: Any = None, unit: str = "") -> RuleTerm:
    return RuleTerm(name, State.UNKNOWN, None, threshold, unit, None, None, False, f"{name} is unknown.", cause)


def only_people_know(name: str, cause: str) -> RuleTerm:
    """Return the term of a question that no fact answers."""
    return RuleTerm(name, State.UNKNOWN, None, None, "", None, None, False, "No fact can show this.", cause)
