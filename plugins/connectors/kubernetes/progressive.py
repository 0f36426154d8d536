"""Progressive delivery, as Argo Rollouts' and Flagger's own objects specify it. Pure.

Either replaces what a Deployment says of the pods that run: a Rollout may take a Deployment's template and scale it
down to nothing, and Flagger keeps the users on a copy of it whose name ends in `-primary`.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeGuard

from plugins.connectors.kubernetes.listing import Resource
from plugins.connectors.kubernetes.workloads import labels_of, place
from plugins.contract import FactValue

ARGO_ROLLOUTS, FLAGGER = "argo-rollouts", "flagger"
PATHS = {ARGO_ROLLOUTS: "apis/argoproj.io/v1alpha1/rollouts", FLAGGER: "apis/flagger.app/v1beta1/canaries"}
STEPS = "steps"
"""Where a workload keeps the shares of traffic that its releases go through, in percent; empty without a canary."""
ALL = 100.0

Place = tuple[str, str, str]


def with_rollouts(found: Sequence[Resource], rollouts: Sequence[Resource]) -> list[Resource]:
    """Return the workloads with the Rollouts among them, in the place of the Deployments whose templates they take."""
    by_place = {place(workload): workload for workload in found}
    made: list[Resource] = []
    for rollout in rollouts:
        named = _spec(rollout).get("workloadRef") or {}
        key = (place(rollout)[0], str(named.get("kind") or ""), str(named.get("name") or ""))
        made.append(_rollout(rollout, by_place.pop(key, None) if named else None))
    return [*by_place.values(), *made]


def _rollout(rollout: Resource, taken: Resource | None) -> Resource:
    spec, metadata = _spec(rollout), rollout.get("metadata") or {}
    steps = _argo_steps(((spec.get("strategy") or {}).get("canary")) or {})
    if taken is not None:
        spec = {**spec, "template": _spec(taken).get("template"), "selector": _spec(taken).get("selector")}
        metadata = {**metadata, "labels": {**labels_of(taken), **labels_of(rollout)}}
    return {**rollout, "kind": "Rollout", "metadata": metadata, "spec": spec, STEPS: steps}


def with_canaries(found: Sequence[Resource], canaries: Sequence[Resource]) -> list[Resource]:
    """Return the workloads with what Flagger runs of them: the copy's pods, under the name of the original."""
    by_place = {place(workload): workload for workload in found}
    for canary in canaries:
        target = _spec(canary).get("targetRef") or {}
        namespace, kind, name = place(canary)[0], str(target.get("kind") or ""), str(target.get("name") or "")
        original = by_place.get((namespace, kind, name))
        if original is None:
            continue
        primary = by_place.pop((namespace, kind, f"{name}-primary"), {})
        running = {part: primary[part] for part in ("spec", "status") if part in primary}
        by_place[namespace, kind, name] = {**original, **running, STEPS: _flagger_steps(_spec(canary))}
    return list(by_place.values())


def facts_of(workloads: Sequence[Resource]) -> dict[str, FactValue]:
    """Return whether releases of all these workloads are canaried, and the largest step that any of them takes."""
    steps = [workload.get(STEPS) or () for workload in workloads]
    if not all(steps):
        return {"deploys.canary": False}
    return {"deploys.canary": True, "deploys.max_step_pct_30d": max(largest_step(weights) for weights in steps)}


def largest_step(weights: Iterable[float]) -> float:
    """Return by how many percent traffic grows at most at once, from nothing through these shares to everything."""
    return round(max(after - before for before, after in pairwise([0.0, *weights, ALL])), 1)


def _argo_steps(canary: Mapping[str, Any]) -> list[float]:
    """Return the weights of a canary's steps, as shares of the weight that its traffic router knows as all."""
    weights = [step.get("setWeight") for step in canary.get("steps") or [] if isinstance(step, dict)]
    most = (canary.get("trafficRouting") or {}).get("maxTrafficWeight") or ALL
    return [ALL * weight / most for weight in weights if _is_number(weight)]


def _flagger_steps(spec: Mapping[str, Any]) -> list[float]:
    """Return the weights of an analysis, and of the promotion where that goes in steps too.

    After the last weight of the analysis everybody is led to the new version, at once or by `stepWeightPromotion`.
    """
    analysis = spec.get("analysis") or spec.get("canaryAnalysis") or {}
    if spec.get("skipAnalysis"):
        return []
    weights = [float(weight) for weight in analysis.get("stepWeights") or [] if _is_number(weight)]
    step, promoted = analysis.get("stepWeight"), analysis.get("stepWeightPromotion")
    if not weights and _is_number(step) and step > 0:
        weights = _stairs(0.0, float(step), float(analysis.get("maxWeight") or ALL))
    if weights and _is_number(promoted) and promoted > 0:
        weights += _stairs(weights[-1], float(promoted), ALL)
    return weights


def _stairs(start: float, step: float, top: float) -> list[float]:
    """Return the shares from above `start` up to `top`, a step apart; a step is at least one percent."""
    count = int((top - start) / max(step, 1.0))
    return [*(start + number * max(step, 1.0) for number in range(1, count + 1)), top]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spec(resource: Resource) -> Mapping[str, Any]:
    return resource.get("spec") or {}
