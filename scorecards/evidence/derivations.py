"""Facts made of other facts: what the sources report, put together with what the catalog says of dependencies. Pure.

A derived fact is as old as its oldest input and lasts as long as its shortest-lived one. If an input is not known the
derived fact is not known either, for the same cause: the smallest of the SLOs that happen to be known proves nothing.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from plugins.contract import FactSpec, FactType
from scorecards.checks.definitions import Subject
from scorecards.evidence.causes import CATALOG_SOURCE, ENTITY, Cause, CauseKind, Party, Supply, absence
from scorecards.evidence.values import Typed
from scorecards.evidence.view import Derive, Evidence, EvidenceState, View

MIN_SLO_TARGET = FactSpec(
    "deps.hard.min_slo_target",
    FactType.NUMBER,
    "ratio",
    "The lowest availability SLO target among the services that it depends on",
    timedelta(days=1),
)
PAGES_PER_SHIFT = FactSpec(
    "alerts.paging.per_shift_30d",
    FactType.NUMBER,
    "count",
    "Pages per on-call shift, mean of the last 30 days",
    timedelta(days=1),
)
ROLLBACK_AUTOMATED = FactSpec(
    "deploys.rollback.automated",
    FactType.BOOLEAN,
    "",
    "A change is taken back by reverting it in the repository: what is merged is deployed without a hand",
    timedelta(days=3),
)
FACTS = (MIN_SLO_TARGET, PAGES_PER_SHIFT, ROLLBACK_AUTOMATED)
DERIVED = frozenset(spec.key for spec in FACTS)

SLO_TARGET = "slo.availability.target"
NEIGHBOUR_FACTS = frozenset({SLO_TARGET})
"""Facts of a service on which derived facts of its dependents rest."""
PAGES = "alerts.paging.count_30d"
SHIFTS = "oncall.shifts_30d"
AUTO_SYNC = "deploys.auto_sync"
INPUTS = frozenset({SLO_TARGET, PAGES, SHIFTS, AUTO_SYNC})
"""What derived facts are made of."""

Neighbours = Mapping[str, View]
"""The evidence on other services, by reference."""


@dataclass(frozen=True)
class _Input:
    """An input, and the service that it is of when that is another one."""

    evidence: Evidence
    of: str = ""


def derivations(subject: Subject, neighbours: Neighbours) -> dict[str, Derive]:
    """Return how each derived fact of a service is made; `neighbours` holds the services that it depends on."""
    makers: dict[str, Callable[[View, Subject, Neighbours], Evidence]] = {
        MIN_SLO_TARGET.key: _min_slo_target,
        PAGES_PER_SHIFT.key: _pages_per_shift,
        ROLLBACK_AUTOMATED.key: _rollback_automated,
    }

    def bind(make: Callable[[View, Subject, Neighbours], Evidence]) -> Derive:
        return lambda view: make(view, subject, neighbours)

    return {key: bind(make) for key, make in makers.items()}


def entity_facts(subject: Subject, paths: Collection[str], supply: Supply) -> dict[str, Derive]:
    """Return how a rule sees what stands at these paths of the catalog's entity: known while the catalog holds it."""

    def bind(key: str, value: Any) -> Derive:
        if value is None:
            missing = Evidence(key, EvidenceState.MISSING, source=CATALOG_SOURCE, cause=absence(supply, key, ()))
            return lambda _view: missing
        return lambda _view: Evidence(key, EvidenceState.FRESH, "", value, CATALOG_SOURCE)

    return {f"{ENTITY}{path}": bind(f"{ENTITY}{path}", subject.fields.get(path)) for path in paths}


def _min_slo_target(_view: View, subject: Subject, neighbours: Neighbours) -> Evidence:
    inputs = []
    for ref in subject.service_dependencies:
        neighbour = neighbours.get(ref)
        inputs.append(_Input(neighbour.get(SLO_TARGET) if neighbour else _unregistered(ref), ref))
    return _combine(MIN_SLO_TARGET, inputs, "It depends on no service", min)


def _unregistered(ref: str) -> Evidence:
    sentence = f"{ref} is not in the catalog"
    action = f"Register {ref} in the catalog, or correct the dependency."
    cause = Cause(CauseKind.NOT_OBSERVED, SLO_TARGET, sentence, action, Party.TEAM)
    return Evidence(SLO_TARGET, EvidenceState.MISSING, cause=cause)


def _pages_per_shift(view: View, _subject: Subject, _neighbours: Neighbours) -> Evidence:
    inputs = [_Input(view.get(PAGES)), _Input(view.get(SHIFTS))]
    return _combine(PAGES_PER_SHIFT, inputs, "There were no on-call shifts", _quotient)


def _quotient(values: list[Any]) -> float | None:
    return values[0] / values[1] if values[1] > 0 else None


def _rollback_automated(view: View, _subject: Subject, _neighbours: Neighbours) -> Evidence:
    """A system that reports it itself goes before; else what deploys by itself also takes back by itself."""
    if ROLLBACK_AUTOMATED.key in view.observed():
        return view.reported(ROLLBACK_AUTOMATED.key)
    return _combine(ROLLBACK_AUTOMATED, [_Input(view.get(AUTO_SYNC))], "", lambda values: values[0])


def _combine(
    spec: FactSpec, inputs: list[_Input], without: str, compute: Callable[[list[Any]], Typed | None]
) -> Evidence:
    """Compute a value from inputs that must all be known; `without` says why they may make none."""
    for given in inputs:
        if given.evidence.cause:
            return Evidence(spec.key, EvidenceState.MISSING, spec.unit, cause=_inherited(spec, given))
    result = compute([given.evidence.value for given in inputs]) if inputs else None
    if result is None:
        cause = Cause(CauseKind.NOT_OBSERVED, spec.key, without, "", Party.TEAM)
        return Evidence(spec.key, EvidenceState.MISSING, spec.unit, cause=cause)
    evidences = [given.evidence for given in inputs]
    observed = [evidence.observed_at for evidence in evidences if evidence.observed_at]
    lasting = [evidence.valid_until for evidence in evidences if evidence.valid_until]
    sources = sorted({evidence.source for evidence in evidences if evidence.source})
    return Evidence(
        spec.key,
        EvidenceState.FRESH,
        spec.unit,
        result,
        ", ".join(sources),
        any(evidence.simulated for evidence in evidences),
        min(observed, default=None),
        min(lasting, default=None),
    )


def _inherited(spec: FactSpec, given: _Input) -> Cause:
    """Hand on the cause of an input; a cause that lies with another service says with which."""
    cause = given.evidence.cause
    assert cause is not None  # noqa: S101 - the caller has looked
    if not given.of:
        return replace(cause, fact=spec.key)
    sentence = f"The dependency {given.of} has no known {given.evidence.key}: {cause.sentence}"
    action = f"For {given.of}: {cause.action}" if cause.action else f"Have {given.of} state {given.evidence.key}."
    return replace(cause, fact=spec.key, sentence=sentence, action=action)
