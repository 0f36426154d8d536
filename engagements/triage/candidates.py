"""Which services merit more support, and what taking them on would cost. Pure.

Every row says why, in terms that can be checked one by one, and what to do next. It recommends; people decide.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from engagements.tiers import Tier
from engagements.triage.hand_back import either
from engagements.triage.hand_back_terms import State
from engagements.triage.onboarding import (
    CRITICALITY_MEANINGS,
    Term,
    confidence_of,
    count_of,
    growth,
    new_dependents,
    onboarding_terms,
    value_of,
)
from engagements.triage.settings import TriageSettings
from engagements.triage.signals import Evidence, Known, Signal, Unknown

SUPPORTED = frozenset({Tier.FULL_SRE, Tier.PLATFORM})


@dataclass(frozen=True)
class Reason:
    """A rule that makes a service a candidate, and whether it is met."""

    rule: str
    state: State
    sentence: str


@dataclass(frozen=True)
class Barrier:
    """What speaks against taking a service on, whatever its value."""

    barrier: str
    sentence: str


@dataclass(frozen=True)
class Cost:
    """What taking a service on would cost SRE; never part of its value."""

    model: str
    """The engagement model that the cost is of."""
    sres: tuple[int, int]
    quarters: tuple[int, int]
    sre_quarters: tuple[int, int]
    """From the least to the most."""
    stack: str
    """`known` when SRE runs services on the same framework, `new` when it does not, else `unknown`."""
    pages_per_shift: float | None
    sentence: str


@dataclass(frozen=True)
class OnboardRow:
    """A service that might get more support."""

    evidence: Evidence
    value: float
    confidence: float
    terms: tuple[Term, ...]
    reasons: tuple[Reason, ...]
    barriers: tuple[Barrier, ...]
    cost: Cost
    verdict: str
    """`barred` by something that must change first, `candidate` when a reason is met, `undecided` when too little is
    known to say, else `stay`."""
    next_act: str


@dataclass(frozen=True)
class Frameworks:
    """The frameworks of the services that SRE supports."""

    supported: Collection[str]
    platform: Collection[str]

    @classmethod
    def of(cls, evidences: Sequence[Evidence]) -> "Frameworks":
        """Gather them from all services."""
        known = [(evidence.framework, evidence.tier) for evidence in evidences if evidence.framework]
        return cls(
            frozenset(framework for framework, tier in known if tier in SUPPORTED),
            frozenset(framework for framework, tier in known if tier is Tier.PLATFORM),
        )


def growth_rule(evidence: Evidence, settings: TriageSettings) -> Reason:
    """Judge R1: traffic grew tenfold since the launch, or doubled in 180 days."""
    launch, half_year = growth(evidence, "traffic.rps_at_launch"), growth(evidence, "traffic.rps_180d_ago")
    state = either([_at_least(launch, settings.growth_since_launch), _at_least(half_year, settings.growth_in_180_days)])
    seen = [
        f"{signal.value:.3g} times that of {since}"
        for signal, since in ((launch, "its launch"), (half_year, "180 days ago"))
        if isinstance(signal, Known)
    ]
    limits = f"{settings.growth_since_launch:g} times that of its launch, or {settings.growth_in_180_days:g} times"
    asked = f"R1 asks for {limits} that of 180 days ago."
    if not seen:
        return Reason("R1", state, f"How its traffic grew is unknown; {asked} {_cause(half_year)}")
    open_end = f" Since launch: {_cause(launch)}" if state is State.UNKNOWN and isinstance(launch, Unknown) else ""
    return Reason("R1", state, f"Its traffic is {' and '.join(seen)}; {asked}{open_end}")


def dependents_rule(evidence: Evidence, settings: TriageSettings, now: datetime) -> Reason:
    """Judge R2: five more dependents in 90 days, or ten in all with one of T0 or T1 among them."""
    added, count = new_dependents(evidence, now), len(evidence.dependents)
    important = any(tier in {"T0", "T1"} for tier in evidence.dependents)
    many = State.MET if count >= settings.important_dependents and important else State.NOT_MET
    few = count < settings.new_dependents_in_90_days
    risen = State.NOT_MET if few else _at_least(added, settings.new_dependents_in_90_days)
    recently = f"in 90 days: at most {count}" if few else "in 90 days: unknown"
    if isinstance(added, Known):
        recently = f"{added.value:+g} in 90 days"
    state = either([risen, many])
    limits = f"{settings.new_dependents_in_90_days} more in 90 days, or for {settings.important_dependents} in all"
    asked = f"R2 asks for {limits} with a T0 or T1 among them."
    among = "a T0 or T1 among them" if important else "no T0 or T1 among them"
    sentence = f"{count_of(count, 'dependent')}, {among} ({recently}); {asked} {'' if few else _cause(added)}".rstrip()
    return Reason("R2", state, sentence)


def barriers_of(evidence: Evidence, settings: TriageSettings) -> tuple[Barrier, ...]:
    """Return what speaks against taking the service on (SRE book, chapter 32; Google's "CRE life lessons")."""
    found = []
    if evidence.owner is None:
        found.append(Barrier("no_owner", "Nobody owns it, so there is nobody to agree on support with."))
    target = evidence.signal("slo.availability.target")
    if evidence.criticality == "T3":
        found.append(Barrier("low_availability_need", f"It is T3: {CRITICALITY_MEANINGS['T3']}."))
    elif isinstance(target, Known) and target.value < settings.low_availability_target:
        sentence = f"Its availability objective is {target.value:.4g}, below {settings.low_availability_target:g}."
        found.append(Barrier("low_availability_need", sentence))
    return tuple(found)


def cost_of(evidence: Evidence, frameworks: Frameworks, settings: TriageSettings) -> Cost:
    """Return what taking the service on would cost, by the figures of the SRE book, chapter 32."""
    if evidence.framework in frameworks.platform:
        model, sres, quarters = "framework", settings.framework_review_sres, settings.framework_review_quarters
    else:
        model = "early" if evidence.lifecycle == "design" else "simple_prr"
        sres, quarters = settings.simple_review_sres, settings.simple_review_quarters
    total = (sres[0] * quarters[0], sres[1] * quarters[1])
    stack = "unknown"
    if evidence.framework:
        stack = "known" if evidence.framework in frameworks.supported else "new"
    pages = evidence.signal("alerts.paging.per_shift_30d")
    per_shift = pages.value if isinstance(pages, Known) else None
    sentence = (
        f"{counted(sres, 'SRE')} for {counted(quarters, 'quarter')} ({counted(total, 'SRE-quarter')}), "
        + {"known": "SRE knows its stack, ", "new": "its stack is new to SRE, "}.get(stack, "it states no stack, ")
        + (
            f"and a shift of twelve hours has {per_shift:.2g} of its pages."
            if per_shift is not None
            else "and its pages are unknown."
        )
    )
    return Cost(model, sres, quarters, total, stack, per_shift, sentence)


def onboard_row(evidence: Evidence, frameworks: Frameworks, settings: TriageSettings, now: datetime) -> OnboardRow:
    """Return a candidate with all the reasons for and against it."""
    terms = onboarding_terms(evidence, settings, now)
    value, confidence = value_of(terms), confidence_of(terms)
    reasons = (
        growth_rule(evidence, settings),
        dependents_rule(evidence, settings, now),
        _value_rule(value, settings),
    )
    barriers = barriers_of(evidence, settings)
    verdict = _verdict(reasons, barriers, confidence, settings)
    cost = cost_of(evidence, frameworks, settings)
    act = _onboard_act(evidence, verdict, barriers, cost, terms)
    return OnboardRow(evidence, value, confidence, terms, reasons, barriers, cost, verdict, act)


def _value_rule(value: float, settings: TriageSettings) -> Reason:
    state = State.MET if value >= settings.candidate_value else State.NOT_MET
    return Reason("value", state, f"Its value is {value:g}; {settings.candidate_value:g} make a candidate by itself.")


def _verdict(
    reasons: Sequence[Reason], barriers: Sequence[Barrier], confidence: float, settings: TriageSettings
) -> str:
    if barriers:
        return "barred"
    if any(reason.state is State.MET for reason in reasons):
        return "candidate"
    return "undecided" if confidence < settings.low_confidence else "stay"


def _onboard_act(
    evidence: Evidence, verdict: str, barriers: Sequence[Barrier], cost: Cost, terms: Sequence[Term]
) -> str:
    if any(barrier.barrier == "no_owner" for barrier in barriers):
        return "Name its owning team in the catalog (spec.owner) first."
    if evidence.under_way:
        return f"Go on with its engagement ({evidence.under_way})."
    if verdict == "barred":
        return f"Leave it in {evidence.tier}: {barriers[0].sentence}"
    if verdict == "candidate":
        return _candidate_act(evidence, cost)
    if verdict == "undecided":
        blind = max(terms, key=lambda term: term.weight * (1 - term.known))
        return f"Find out more before deciding; what is missing most: {blind.sentence}"
    return f"Leave it in {evidence.tier} and look again when it has grown."


def _candidate_act(evidence: Evidence, cost: Cost) -> str:
    takes = counted(cost.sre_quarters, "SRE-quarter")
    act = f"Talk with {evidence.owner} about an engagement (model {cost.model}, {takes})"
    failing = evidence.readiness.failing_blockers if evidence.readiness else ()
    if failing:
        return f"{act}; first on the list are its failing blockers: {', '.join(failing)}."
    if evidence.tier is Tier.DOCUMENTATION:
        return f"{act}, and offer consultation until then."
    return f"{act}."


def _at_least(signal: Signal, threshold: float) -> State:
    if isinstance(signal, Unknown):
        return State.UNKNOWN
    return State.MET if signal.value >= threshold else State.NOT_MET


def _cause(signal: Signal) -> str:
    return signal.cause if isinstance(signal, Unknown) else ""


def counted(pair: tuple[int, int], noun: str) -> str:
    """Write from how many to how many there are of something."""
    return count_of(pair[0], noun) if pair[0] == pair[1] else f"{pair[0]}–{pair[1]} {noun}s"
