"""A Kubernetes API server: lists with limit and continue, whose continuations may expire."""

from pathlib import Path
from typing import Any

from flask import request

from tests.fakes.server import Fake

KINDS = {
    "/apis/apps/v1/deployments": ("DeploymentList", "apps/v1"),
    "/apis/apps/v1/statefulsets": ("StatefulSetList", "apps/v1"),
    "/apis/autoscaling/v2/horizontalpodautoscalers": ("HorizontalPodAutoscalerList", "autoscaling/v2"),
    "/apis/policy/v1/poddisruptionbudgets": ("PodDisruptionBudgetList", "policy/v1"),
    "/apis/batch/v1/cronjobs": ("CronJobList", "batch/v1"),
    "/api/v1/pods": ("PodList", "v1"),
    "/api/v1/nodes": ("NodeList", "v1"),
    "/apis/argoproj.io/v1alpha1/rollouts": ("RolloutList", "argoproj.io/v1alpha1"),
    "/apis/flagger.app/v1beta1/canaries": ("CanaryList", "flagger.app/v1beta1"),
}
GOOD = {
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}},
    "readinessProbe": {"httpGet": {"path": "/ready", "port": 80}},
    "livenessProbe": {"httpGet": {"path": "/live", "port": 80}},
}


class Kubernetes(Fake):
    """Keeps objects by the path of their list; the add_ methods stand for what people apply."""

    undocumented = frozenset({"/api/v1/nodes", "/apis/argoproj.io/", "/apis/flagger.app/"})

    def __init__(self, spec_file: Path, token: str = "fake-token") -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {path: [] for path in KINDS}
        self.page_limit = 500
        self.expired = 0
        super().__init__(spec_file, token)

    @classmethod
    def relax(cls, spec: dict[str, Any]) -> dict[str, Any]:
        """The document calls what is a number or a text (a port, a share of pods) a text."""
        del spec["components"]["schemas"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["type"]
        return spec

    def register(self) -> None:
        for path in KINDS:
            self.app.add_url_rule(path, path.replace(".", "_"), self.answer)

    def add(self, path: str, name: str, namespace: str = "shop", **parts: Any) -> dict[str, Any]:
        labels = parts.pop("labels", {})
        made = {"metadata": {"name": name, "namespace": namespace, "labels": labels}, **parts}
        self.objects[path].append(made)
        return made

    def add_deployment(self, name: str, ready: int = 3, path: str = "/apis/apps/v1/deployments", **parts: Any) -> Any:
        container = {"name": "main", "image": f"registry.example/{name}:1.4", **parts.pop("container", GOOD)}
        pods = {"containers": [container, *parts.pop("more", [])], **parts.pop("pod", {})}
        spec: dict[str, Any] = {
            "replicas": ready,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pods},
        }
        if path.endswith("statefulsets"):
            spec["serviceName"] = name
        return self.add(path, name, spec=spec, status={"replicas": ready, "readyReplicas": ready}, **parts)

    def add_pod(self, name: str, app: str, node: str, ready: bool = True, namespace: str = "shop") -> None:
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        spec = {"nodeName": node, "containers": [{"name": "main", "image": "x:1"}]}
        self.add("/api/v1/pods", name, namespace, labels={"app": app}, spec=spec, status={"conditions": [condition]})

    def add_node(self, name: str, zone: str | None) -> None:
        self.add("/api/v1/nodes", name, "", labels={"topology.kubernetes.io/zone": zone} if zone else {})

    def add_autoscaler(self, name: str, kind: str = "Deployment", low: int = 2, high: int = 6) -> None:
        spec = {
            "scaleTargetRef": {"kind": kind, "name": name, "apiVersion": "apps/v1"},
            "minReplicas": low,
            "maxReplicas": high,
        }
        self.add("/apis/autoscaling/v2/horizontalpodautoscalers", f"{name}-hpa", spec=spec)

    def add_budget(self, name: str, **labels: str) -> None:
        spec = {"minAvailable": 1, "selector": {"matchLabels": labels}}
        self.add("/apis/policy/v1/poddisruptionbudgets", name, spec=spec)

    def answer(self) -> Any:
        kind, version = KINDS[request.path]
        objects = self.objects[request.path]
        start = int(request.args.get("continue") or 0)
        if start and self.expired:
            self.expired -= 1
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}
            return status, 410
        end = start + min(self.page_limit, int(request.args.get("limit", 500)))
        metadata = {"resourceVersion": "1", **({"continue": str(end)} if end < len(objects) else {})}
        return {"kind": kind, "apiVersion": version, "metadata": metadata, "items": objects[start:end]}
