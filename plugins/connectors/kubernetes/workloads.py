"""What a service's workloads say of how it runs. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plugins.connectors.kubernetes.labelled import Labelled, Selectors, in_namespaces
from plugins.connectors.kubernetes.listing import Resource
from plugins.connectors.kubernetes.selectors import of_object
from plugins.contract import FactValue

ZONE_LABELS = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
LATEST = "latest"


@dataclass
class Cluster:
    """Everything that was listed. A list that could not be had is None: what rests on it stays unknown."""

    workloads: Sequence[Resource] = ()
    """Deployments, StatefulSets and Rollouts, each with its `kind`."""
    releases_known: bool = False
    """What leads releases through steps was looked for, and could be listed."""
    zones: Mapping[str, Labelled[str]] | None = None
    """By namespace, the zones of the ready pods (see `zones_of_pods`)."""
    autoscalers: Mapping[tuple[str, str, str], Resource] | None = None
    """By namespace, kind and name of what they scale."""
    budgets: Mapping[str, Selectors] | None = None
    """The selectors of the disruption budgets by namespace."""


def facts_of(workloads: Sequence[Resource], cluster: Cluster) -> dict[str, FactValue]:
    """Return the facts of a service that runs as these workloads (at least one)."""
    containers = [container for workload in workloads for container in _containers(workload)]
    found: dict[str, FactValue] = {
        "runtime.replicas": sum(_ready(workload) for workload in workloads),
        "runtime.resources.set": all(_has_resources(workload) for workload in workloads),
        "runtime.probes.set": all(_has_probes(workload) for workload in workloads),
        "runtime.images.pinned": bool(containers) and all(_is_pinned(container) for container in containers),
        "runtime.spread.set": all(_is_spread(workload) for workload in workloads),
        "runtime.service_account.own": all(_has_account(workload) for workload in workloads),
    }
    if cluster.autoscalers is not None:
        found["runtime.autoscaler.enabled"] = all(_scales(workload, cluster.autoscalers) for workload in workloads)
    if cluster.budgets is not None:
        found["runtime.disruption_budget.set"] = all(_is_guarded(workload, cluster.budgets) for workload in workloads)
    if cluster.zones is not None:
        zones = {zone for workload in workloads for zone in _zones(workload, cluster.zones)}
        if zones or not found["runtime.replicas"]:
            found["runtime.zones"] = len(zones)
    return found


def labels_of(resource: Resource) -> Mapping[str, str]:
    """Return an object's labels."""
    return (resource.get("metadata") or {}).get("labels") or {}


def place(resource: Resource) -> tuple[str, str, str]:
    """Return namespace, kind and name."""
    metadata = resource.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(resource.get("kind") or ""), str(metadata.get("name") or "")


def _spec(workload: Resource) -> Mapping[str, Any]:
    return workload.get("spec") or {}


def _pod_spec(workload: Resource) -> Mapping[str, Any]:
    return (_spec(workload).get("template") or {}).get("spec") or {}


def _pod_labels(workload: Resource) -> Mapping[str, str]:
    return ((_spec(workload).get("template") or {}).get("metadata") or {}).get("labels") or {}


def _containers(workload: Resource) -> Sequence[Mapping[str, Any]]:
    return [container for container in _pod_spec(workload).get("containers") or [] if isinstance(container, dict)]


def _ready(workload: Resource) -> int:
    return int((workload.get("status") or {}).get("readyReplicas") or 0)


def _has_resources(workload: Resource) -> bool:
    """Containers have requests and limits of their own, or their pod has them for all together."""
    containers = _containers(workload)
    shared = _pod_spec(workload).get("resources")
    return _limited(shared) or (bool(containers) and all(_limited(one.get("resources")) for one in containers))


def _limited(resources: Mapping[str, Any] | None) -> bool:
    parts = ((resources or {}).get(part) or {} for part in ("requests", "limits"))
    return all(kind in part for part in parts for kind in ("cpu", "memory"))


def _has_probes(workload: Resource) -> bool:
    """A sidecar may do without; the pod must be probed for both."""
    containers = _containers(workload)
    return all(any(container.get(probe) for container in containers) for probe in ("readinessProbe", "livenessProbe"))


def _is_pinned(container: Mapping[str, Any]) -> bool:
    """A tag that is no tag, or `latest`, may be another program tomorrow."""
    image = str(container.get("image") or "")
    if "@" in image:
        return True
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return bool(colon) and tag not in ("", LATEST)


def _is_spread(workload: Resource) -> bool:
    spec = _pod_spec(workload)
    return bool(spec.get("topologySpreadConstraints") or (spec.get("affinity") or {}).get("podAntiAffinity"))


def _has_account(workload: Resource) -> bool:
    return _pod_spec(workload).get("serviceAccountName") not in (None, "", "default")


def _scales(workload: Resource, autoscalers: Mapping[tuple[str, str, str], Resource]) -> bool:
    spec = (autoscalers.get(place(workload)) or {}).get("spec") or {}
    return int(spec.get("maxReplicas") or 0) > int(spec.get("minReplicas") or 1)


def _is_guarded(workload: Resource, budgets: Mapping[str, Selectors]) -> bool:
    own = budgets.get(place(workload)[0])
    return own is not None and own.any_selects(_pod_labels(workload))


def _zones(workload: Resource, zones: Mapping[str, Labelled[str]]) -> list[str]:
    """Return the zones of its pods that are ready."""
    own = zones.get(place(workload)[0])
    return own.selected(of_object(_spec(workload).get("selector"))) if own is not None else []


def zones_of_pods(pods: Iterable[Resource], nodes: Iterable[Resource]) -> Mapping[str, Labelled[str]]:
    """Return, by namespace, the zone of each ready pod whose node tells one, to be found by the pod's labels."""
    of_nodes = {place(node)[2]: zone for node in nodes if (zone := _zone_of(node))}
    return in_namespaces(
        (place(pod)[0], labels_of(pod), of_nodes[node])
        for pod in pods
        if (node := str((pod.get("spec") or {}).get("nodeName") or "")) in of_nodes and _is_ready(pod)
    )


def _is_ready(pod: Resource) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions)


def _zone_of(node: Resource) -> str | None:
    """Return the zone that a node says it is in."""
    labels = labels_of(node)
    return next((labels[label] for label in ZONE_LABELS if labels.get(label)), None)
