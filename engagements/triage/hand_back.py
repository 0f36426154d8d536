"""When SRE may, or should, hand a service back: five rules, each with its own terms, never added up. Pure.

A rule is met only when every term it needs is; what nobody knows leaves it open, with the cause. It recommends; people
decide (SRE book, chapter 32; SRE workbook, chapter 18).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engagements.triage import hand_back_terms as terms_of
from engagements.triage.hand_back_terms import RuleTerm, State, compared, only_people_know
from engagements.triage.settings import TriageSettings
from engagements.triage.signals import Evidence


@dataclass(frozen=True)
class Rule:
    """A rule's verdict with all its terms."""

    id: str
    outcome: str
    """How the engagement would end: the outcome that the disengagement would record."""
    title: str
    state: State
    terms: tuple[RuleTerm, ...]
    sentence: str


@dataclass(frozen=True)
class HandBackRow:
    """A service that SRE runs, seen by the rules of handing back."""

    evidence: Evidence
    rules: tuple[Rule, ...]
    urgency: int
    """0 when a rule is met, 1 when all that is known of one speaks for it, 2 when one is open, 3 when none applies."""
    ladder_step: str | None
    """The next step of the ladder for a neglected service: `escalate`, `return_pager` or `disengage`."""
    next_act: str


def judge_rules(evidence: Evidence, settings: TriageSettings, now: datetime) -> tuple[Rule, ...]:
    """Return the verdicts of D1 to D5 on a service that SRE runs, in this order."""
    return tuple(rule(evidence, settings, now) for rule in (_d1, _d2, _d3, _d4, _d5))


def every(states: Sequence[State]) -> State:
    """Return whether all of them hold: one that does not decides, else one that is unknown."""
    if State.NOT_MET in states:
        return State.NOT_MET
    return State.UNKNOWN if State.UNKNOWN in states else State.MET


def either(states: Sequence[State]) -> State:
    """Return whether one of them holds: one that does decides, else one that is unknown."""
    if State.MET in states:
        return State.MET
    return State.UNKNOWN if State.UNKNOWN in states else State.NOT_MET


def _d1(evidence: Evidence, settings: TriageSettings, now: datetime) -> Rule:
    terms = (
        terms_of.objective_met(evidence, now),
        compared(
            "slo.availability.budget_left",
            evidence.signal("slo.availability.budget_left"),
            settings.graduated_budget_left,
            "ratio",
            lambda value, threshold: value >= threshold,
            "{value:.0%} of the error budget is left; at least {threshold:.0%} is asked for.",
        ),
        compared(
            "alerts.paging.per_shift_30d",
            evidence.signal("alerts.paging.per_shift_30d"),
            settings.graduated_pages_per_shift,
            "pages_per_shift",
            lambda value, threshold: value <= threshold,
            "{value:.2g} pages a shift; at most {threshold:g} are asked for.",
        ),
        terms_of.level_reached(evidence, settings),
        terms_of.no_blocker(evidence),
        only_people_know(
            "development_able",
            f"Only {evidence.owner or 'the developers'} can say whether they can run the service: ask them.",
        ),
    )
    state = every([term.state for term in terms])
    measured = [term for term in terms if term.signal != "development_able"]
    said = {
        State.MET: "The service is stable and cheap to keep: its developers can take it back.",
        State.NOT_MET: "The service still needs SRE.",
        State.UNKNOWN: "All that can be measured speaks for it; whether its developers can take it, only they can say."
        if all(term.state is State.MET for term in measured)
        else "Nothing known speaks against it, but not all is known.",
    }
    return Rule("D1", "graduated", "Stable and cheap to keep", state, terms, said[state])


def _d2(evidence: Evidence, settings: TriageSettings, now: datetime) -> Rule:
    terms = (
        terms_of.below_forecast(evidence, settings, "traffic.peak_rps_30d", "at its peak of the last 30 days"),
        terms_of.below_forecast(evidence, settings, "traffic.rps_180d_ago", "180 days ago"),
        terms_of.never_above_forecast(evidence, settings, now),
    )
    state = every([term.state for term in terms])
    said = {
        State.MET: f"Usage stayed below {settings.forecast_share:.0%} of its forecast for two quarters: "
        "SRE's effort is better spent elsewhere.",
        State.NOT_MET: f"Usage reached {settings.forecast_share:.0%} of its forecast, or more.",
        State.UNKNOWN: "Whether usage stayed below its forecast for two quarters is not known throughout.",
    }
    return Rule("D2", "usage_below_forecast", "Used far less than forecast", state, terms, said[state])


def _d3(evidence: Evidence, _settings: TriageSettings, now: datetime) -> Rule:
    terms = (terms_of.lifecycle_ending(evidence), terms_of.criticality_fell(evidence, now))
    state = either([term.state for term in terms])
    said = {
        State.MET: "The service matters less than when SRE took it over.",
        State.NOT_MET: "The service matters as much as before.",
        State.UNKNOWN: "Whether the service matters less than before is not known.",
    }
    return Rule("D3", "importance_fell", "Matters less, or is being ended", state, terms, said[state])


def _d4(evidence: Evidence, settings: TriageSettings, now: datetime) -> Rule:
    exhausted, unplanned, overdue = (
        terms_of.budget_exhausted(evidence, settings, now),
        terms_of.no_plan(evidence),
        terms_of.improvements_overdue(evidence),
    )
    state = every([exhausted.state, either([unplanned.state, overdue.state])])
    said = {
        State.MET: "The budget is used up again and again and nothing agreed is done about it. Causes that the error "
        "budget policy excludes (another team's outage, network, load tests) must be taken out first.",
        State.NOT_MET: "The service is not neglected.",
        State.UNKNOWN: "Whether the service is neglected is not known.",
    }
    return Rule("D4", "neglected", "Neglected by its developers", state, (exhausted, unplanned, overdue), said[state])


def _d5(evidence: Evidence, settings: TriageSettings, _now: datetime) -> Rule:
    term = compared(
        "sre.operations_share_90d",
        evidence.signal("sre.operations_share_90d"),
        settings.mostly_operations,
        "ratio",
        lambda value, threshold: value > threshold,
        "{value:.0%} of SRE's time on it is operations; more than {threshold:.0%} is mostly operations.",
    )
    said = {
        State.MET: "Little engineering is left to do: revisit why SRE runs it.",
        State.NOT_MET: "SRE still has engineering to do on it.",
        State.UNKNOWN: "How SRE's time on it is spent is not known.",
    }
    return Rule("D5", "mostly_operations", "Mostly operations", term.state, (term,), said[term.state])


def hand_back_row(evidence: Evidence, settings: TriageSettings, now: datetime) -> HandBackRow:
    """Return a service that SRE runs with the verdicts of all rules and what to do next."""
    rules = judge_rules(evidence, settings, now)
    neglected = next(rule for rule in rules if rule.id == "D4")
    step = _ladder_step(evidence) if neglected.state is State.MET else None
    act = _hand_back_act(rules, step)
    if evidence.under_way and evidence.under_way.endswith(" in disengaging"):
        act = f"Go on with handing it back ({evidence.under_way})."
    return HandBackRow(evidence, rules, min(_urgency(rule) for rule in rules), step, act)


def _urgency(rule: Rule) -> int:
    """Return how much speaks for a rule: an open one counts more when something of it is known and nothing against."""
    if rule.state is not State.UNKNOWN:
        return 0 if rule.state is State.MET else 3
    met = sum(term.state is State.MET for term in rule.terms)
    return 1 if 2 * met >= len(rule.terms) else 2


def _ladder_step(evidence: Evidence) -> str:
    """Return the next step of the ladder (SRE workbook, chapter 18), which starts anew once SRE has the pager again."""
    starts = (evidence.supported_since, evidence.last_events.get("pager.resumed"))
    start = max((moment for moment in starts if moment is not None), default=None)
    for step, event in (("escalate", "engagement.escalated"), ("return_pager", "pager.returned")):
        taken = evidence.last_events.get(event)
        if taken is None or (start is not None and taken < start):
            return step
    return "disengage"


_STEPS = {
    "escalate": "Escalate: named engineers on both sides, a reliability hackathon, a feature freeze, all hands. If "
    "that changes nothing, return the pager to the developers for a while; disengage only after that.",
    "return_pager": "It was escalated and is still neglected: return the pager to the developers for a while, with a "
    "date of review; disengage only after that.",
    "disengage": "The pager is back with the developers and the service is still neglected: start to disengage.",
}
_ACTS = {
    "D1": "Offer it back to its developers as a success: it is stable and cheap to keep.",
    "D2": "Agree with its developers to hand it back: it is used far less than was forecast.",
    "D3": "Agree with its developers to hand it back: it matters less than it did.",
    "D5": "Revisit why SRE runs it: what is left is mostly operations.",
}


def _hand_back_act(rules: Sequence[Rule], step: str | None) -> str:
    if step:
        return _STEPS[step]
    met = [rule for rule in rules if rule.state is State.MET]
    if met:
        return _ACTS[met[0].id]
    likely = [rule for rule in rules if _urgency(rule) == 1]
    if likely:
        names = " and ".join(f"{rule.id} ({rule.title.lower()})" for rule in likely)
        missing = dict.fromkeys(term.cause for rule in likely for term in rule.terms if term.state is State.UNKNOWN)
        return f"Likely to be handed back by {names}; settle what is open: {' '.join(missing)}"
    return _keep_act(rules)


def _keep_act(rules: Sequence[Rule]) -> str:
    """Say what to do with a service that stays: an ample budget is to be spent (SRE workbook, chapter 18)."""
    budget = next(term for term in rules[0].terms if term.signal == "slo.availability.budget_left")
    if budget.state is State.MET:
        return "Keep it. Its error budget is ample: spend it on releasing faster rather than on more reliability."
    return "Keep it; no rule of handing back is met."
