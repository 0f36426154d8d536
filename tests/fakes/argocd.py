"""Argo CD: projects, applications, syncs and rollbacks, answered as the server's list call does."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import request

from examples.simulated.argocd import selected_fields
from tests.fakes.server import Fake


class ArgoCd(Fake):
    """Keeps applications; `sync` and `fail` change them as the controller would."""

    extra_parameters: Mapping[str, frozenset[str]] = {"/api/v1/applications": frozenset({"fields"})}

    def __init__(self, spec_file: Path, token: str = "fake-token") -> None:
        self.applications: dict[str, dict[str, Any]] = {}
        super().__init__(spec_file, token)

    def register(self) -> None:
        self.app.get("/api/version")(lambda: {"Version": "v3.1.0"})
        self.app.get("/api/v1/applications")(self.list_applications)

    def add(self, name: str, **parts: Any) -> dict[str, Any]:
        """Create an application: labels, project, namespace, uid, automated, status may be given."""
        application: dict[str, Any] = {
            "metadata": {
                "name": name,
                "namespace": parts.get("namespace", "argocd"),
                "uid": parts.get("uid", f"uid-{name}"),
                "labels": parts.get("labels", {}),
            },
            "spec": {
                "project": parts.get("project", "default"),
                "source": {"repoURL": "https://git.example/deploy", "path": name, "targetRevision": "main"},
                "syncPolicy": {"automated": {"selfHeal": True}} if parts.get("automated", True) else {},
            },
            "status": parts.get("status", {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}),
        }
        self.applications[name] = application
        return application

    def sync(self, name: str, revision: str, at: datetime, automated: bool = True, limit: int = 10) -> None:
        """Finish a sync: append to the history and cut it, as the controller does."""
        application = self.applications[name]
        history = application["status"].setdefault("history", [])
        history.append(
            {
                "id": history[-1]["id"] + 1 if history else 0,
                "revision": revision,
                "deployedAt": rfc3339(at),
                "deployStartedAt": rfc3339(at - timedelta(seconds=20)),
                "source": deepcopy(application["spec"]["source"]),
                "initiatedBy": {"automated": True} if automated else {"username": "ada"},
            }
        )
        del history[: max(0, len(history) - limit)]

    def fail(self, name: str, revision: str, at: datetime, phase: str = "Failed") -> None:
        """Leave a failed sync as the last operation."""
        self.applications[name]["status"]["operationState"] = {
            "phase": phase,
            "message": "one or more objects failed to apply",
            "startedAt": rfc3339(at - timedelta(seconds=30)),
            "finishedAt": rfc3339(at),
            "operation": {"sync": {"revision": revision}},
            "syncResult": {"revision": revision},
        }

    def list_applications(self) -> Any:
        chosen = [a for a in self.applications.values() if self._selected(a)]
        fields = request.args.get("fields")
        if fields:
            chosen = [selected_fields(a, fields.split(",")) for a in chosen]
        return {"metadata": {"resourceVersion": "1"}, "items": chosen or None}

    def _selected(self, application: dict[str, Any]) -> bool:
        projects = request.args.getlist("projects")
        namespace = request.args.get("appNamespace")
        selector = request.args.get("selector")
        metadata = application["metadata"] or {}
        labels = metadata.get("labels", {})
        return (
            (not projects or application["spec"]["project"] in projects)
            and (not namespace or metadata["namespace"] == namespace)
            and (not selector or all(labels.get(k) == v for k, v in (p.split("=") for p in selector.split(","))))
        )


def rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
