"""A simulated Argo CD: its application list over what `deploys.yaml` declares."""

from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from examples.simulated import server
from examples.simulated.deploys import (
    SYNC_SECONDS,
    Application,
    Sync,
    application_uid,
    failed_revision,
    history,
    last_failure,
    load,
)

REPOSITORY = "https://git.shakespeare.example/deploy.git"
NAMESPACE = "argocd"
CLUSTER = "https://kubernetes.default.svc"
PLAIN_KINDS = (("apps", "Deployment"), ("", "Service"), ("", "ConfigMap"), ("", "ServiceAccount"))
ROLLOUT_KINDS = (("argoproj.io", "Rollout"), ("argoproj.io", "AnalysisTemplate"), *PLAIN_KINDS[1:])
"""Group and kind of an application's resources; further ones repeat the last."""
KNOWN_PARAMETERS = frozenset(
    {"name", "refresh", "projects", "resourceVersion", "selector", "repo", "appNamespace", "project", "fields"}
)
SELECTABLE_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.annotations",
    "metadata.labels",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "spec",
    "status.sourceHydrator",
    "status.sync.status",
    "status.health",
    "status.summary",
    "status.operationState.startedAt",
    "status.operationState.finishedAt",
    "status.resources",
    "operation.sync",
    "status.operationState.phase",
    "status.operationState.operation.sync",
)
"""All that a real server's `fields` can select: it keeps a list by hand, and uid and history are not on it."""


def create_app(deploys: Path) -> Flask:
    """Return the application; raises DeploysFault when the file cannot be understood."""
    app = server.make_app("simulated-argocd", "Argo CD")
    applications = load(deploys)

    def list_applications() -> Response:
        if unknown := set(request.args) - KNOWN_PARAMETERS:
            return _refuse(f"the simulated Argo CD does not know the parameters {sorted(unknown)}")
        now = server.present().timestamp()
        items = [document(name, one, now) for name, one in applications.items() if _selected(name, one)]
        fields = request.args.get("fields")
        if fields:
            items = [selected_fields(item, fields.split(",")) for item in items]
        return server.answer({"metadata": {"resourceVersion": str(int(now))}, "items": items or None})

    def get_application(name: str) -> Response:
        if name not in applications:
            return _refuse(f'applications.argoproj.io "{name}" not found', 404, 5)
        return server.answer(document(name, applications[name], server.present().timestamp()))

    app.add_url_rule("/api/v1/applications", "applications", list_applications)
    app.add_url_rule("/api/v1/applications/<name>", "application", get_application)
    app.add_url_rule("/api/version", "version", lambda: server.answer({"Version": f"v{server.VERSION}"}))
    return app


def _refuse(message: str, status: int = 400, code: int = 3) -> Response:
    """Answer as Argo CD's gateway does: a gRPC code, and the message twice."""
    return server.answer({"error": message, "code": code, "message": message}, status)


def _selected(name: str, application: Application) -> bool:
    projects = [*request.args.getlist("projects"), *request.args.getlist("project")]
    selector = [term.partition("=") for term in request.args.get("selector", "").split(",") if term]
    wanted = {key.strip(): value.lstrip("=").strip() for key, _, value in selector}
    return (
        request.args.get("name", name) == name
        and (not projects or application.project in projects)
        and request.args.get("appNamespace", NAMESPACE) == NAMESPACE
        and all(application.labels.get(key) == value for key, value in wanted.items())
    )


def document(name: str, application: Application, now: float) -> dict[str, Any]:
    """Return an application as the API has it."""
    source = {"repoURL": REPOSITORY, "path": name, "targetRevision": "main"}
    syncs = history(name, application, now)
    spec: dict[str, Any] = {
        "project": application.project,
        "source": source,
        "destination": {"server": CLUSTER, "namespace": application.project},
        "revisionHistoryLimit": application.history,
    }
    if application.auto_sync:
        spec["syncPolicy"] = {"automated": {"prune": True, "selfHeal": True}}
    status: dict[str, Any] = {
        "health": {"status": application.health},
        "history": [_entry(sync, source, application.by) for sync in syncs],
        "reconciledAt": server.rfc3339(now - now % 60),
        "resources": [_resource(name, application, number) for number in range(application.resources)],
        "sync": {"status": "OutOfSync" if application.out_of_sync else "Synced"},
    }
    if syncs:
        status["sync"]["revision"] = syncs[-1].revision
        status["operationState"] = _operation(name, application, syncs[-1], now)
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": application_uid(name),
        "labels": dict(application.labels),
        "annotations": {"shakespeare.example/simulated": "true"},
    }
    return {"metadata": metadata, "spec": spec, "status": status}


def _entry(sync: Sync, source: dict[str, str], by: str) -> dict[str, Any]:
    return {
        "id": sync.number,
        "revision": sync.revision,
        "source": source,
        "deployStartedAt": server.rfc3339(sync.at - SYNC_SECONDS),
        "deployedAt": server.rfc3339(sync.at),
        "initiatedBy": {"automated": True} if sync.automated else {"username": by},
    }


def _operation(name: str, application: Application, last: Sync, now: float) -> dict[str, Any]:
    """Return the last operation: the last sync, or a later one that failed."""
    failed_at = last_failure(application, now)
    failed = failed_at is not None and failed_at > last.at
    finished = failed_at if failed and failed_at is not None else last.at
    revision = failed_revision(name) if failed else last.revision
    initiated_by = {"automated": True} if failed or last.automated else {"username": application.by}
    return {
        "phase": "Failed" if failed else "Succeeded",
        "message": "one or more objects failed to apply" if failed else "successfully synced (all tasks run)",
        "startedAt": server.rfc3339(finished - SYNC_SECONDS),
        "finishedAt": server.rfc3339(finished),
        "operation": {"initiatedBy": initiated_by, "sync": {"revision": revision}},
        "syncResult": {"revision": revision},
    }


def _resource(name: str, application: Application, number: int) -> dict[str, Any]:
    kinds = ROLLOUT_KINDS if application.rollout else PLAIN_KINDS
    group, kind = kinds[min(number, len(kinds) - 1)]
    return {
        **({"group": group} if group else {}),
        "kind": kind,
        "name": f"{name}-{number}",
        "namespace": application.project,
        "version": "v1alpha1" if group == "argoproj.io" else "v1",
        "status": "OutOfSync" if number >= application.resources - application.out_of_sync else "Synced",
    }


def selected_fields(item: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    """Return of an application what `fields` asks for and a real server can select."""
    kept: dict[str, Any] = {}
    for path in SELECTABLE_FIELDS:
        if f"items.{path}" in fields:
            _copy(item, kept, path.split("."))
    return kept


def _copy(source: Any, target: dict[str, Any], path: list[str]) -> None:
    *parents, last = path
    for parent in parents:
        source = (source or {}).get(parent)
        target = target.setdefault(parent, {})
    if isinstance(source, dict) and last in source:
        target[last] = source[last]
