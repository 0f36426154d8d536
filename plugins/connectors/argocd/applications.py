"""Argo CD's applications: read from its JSON, and joined to the services that claim them."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from plugins.contract import PullFault, Target
from plugins.moments import moment, required_moment

APP_NAME = "argocd/app-name"
APP_SELECTOR = "argocd/app-selector"
APP_NAMESPACE = "argocd/app-namespace"

_FAILED_PHASES = frozenset({"Failed", "Error"})


@dataclass(frozen=True)
class Deploy:
    """One entry of `status.history`: a whole sync that succeeded."""

    id: int
    """Counted up by one per application."""
    at: datetime
    identity: str
    """The same for two deploys that put out the same thing: the resolved revisions with their parameters."""
    automated: bool | None
    """Whether Argo CD itself began it; None where the server is too old to say."""
    revision: str = ""
    initiator: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True)
class FailedSync:
    """The last operation of an application, where it failed."""

    started_at: datetime
    at: datetime
    phase: str
    revision: str


@dataclass(frozen=True)
class Application:
    """What we read of an application."""

    key: str
    """Its uid, which a new application under the same name does not inherit; else namespace/name."""
    namespace: str
    name: str
    labels: Mapping[str, str]
    sync_status: str | None = None
    health: str | None = None
    reconciled_at: datetime | None = None
    """When Argo CD last compared it with Git."""
    auto_sync: bool = False
    synced_resources: int = 0
    all_resources: int = 0
    keeps_history: bool = True
    deploys: Sequence[Deploy] = ()
    failed_sync: FailedSync | None = None

    @property
    def title(self) -> str:
        """Namespace and name, as Argo CD writes them."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass
class Reading:
    """Collects applications and what could not be read of them."""

    applications: list[Application] = field(default_factory=list)
    faults: list[PullFault] = field(default_factory=list)


def read_applications(answers: Iterable[Any]) -> Reading:
    """Read the items of the list calls. A broken application becomes a fault, the others are read."""
    reading = Reading()
    read: dict[str, Application] = {}
    for number, item in enumerate(answers):
        metadata = _mapping(_mapping(item).get("metadata"))
        name = metadata.get("name")
        if not isinstance(name, str) or not name:
            reading.faults.append(PullFault(f"item {number}", "an application without metadata.name"))
            continue
        try:
            application = _application(item, metadata, name, reading.faults)
            read.setdefault(application.key, application)  # one that stands in two lists is one
        except (TypeError, ValueError, AttributeError) as error:
            reading.faults.append(PullFault(name, f"the application cannot be read: {error}"))
    reading.applications += read.values()
    return reading


def join(
    targets: Sequence[Target], applications: Sequence[Application]
) -> tuple[dict[str, list[Application]], list[PullFault]]:
    """Return each claiming service's applications, by its reference, and the claims that came to nothing."""
    by_name: dict[str, list[Application]] = defaultdict(list)
    by_label: dict[tuple[str, str], list[Application]] = defaultdict(list)
    for application in applications:
        by_name[application.name].append(application)
        for label in application.labels.items():
            by_label[label].append(application)
    joined: dict[str, list[Application]] = {}
    faults: list[PullFault] = []
    for target in targets:
        if not is_claiming(target):
            continue
        try:
            found = _claimed(target, by_name, by_label)
        except ValueError as error:
            faults.append(PullFault(target.ref, str(error)))
            continue
        if found:
            joined[target.ref] = found
        else:
            faults.append(PullFault(target.ref, _nothing_found(target)))
    return joined, faults


def is_claiming(target: Target) -> bool:
    """Say whether a service names applications at all."""
    return APP_NAME in target.annotations or APP_SELECTOR in target.annotations


def _claimed(
    target: Target,
    by_name: Mapping[str, list[Application]],
    by_label: Mapping[tuple[str, str], list[Application]],
) -> list[Application]:
    annotations = target.annotations
    if APP_NAME in annotations and APP_SELECTOR in annotations:
        raise ValueError(f"carries both {APP_NAME} and {APP_SELECTOR}; keep one of them")
    if APP_NAME in annotations:
        found = list(by_name.get(annotations[APP_NAME].strip(), ()))
    else:
        first, *others = _labels(annotations[APP_SELECTOR])
        found = [a for a in by_label.get(first, ()) if all(a.labels.get(key) == value for key, value in others)]
    namespace = annotations.get(APP_NAMESPACE)
    return [a for a in found if not namespace or a.namespace == namespace]


def _labels(selector: str) -> list[tuple[str, str]]:
    """Read `k=v,k2=v2`; raises ValueError on anything else."""
    pairs = []
    for term in selector.split(","):
        key, equals, value = term.partition("=")
        key, value = key.strip(), value.removeprefix("=").strip()
        if not equals or not key or not value or "!" in key:
            raise ValueError(f"{APP_SELECTOR}: {term.strip()!r} is not of the form label=value")
        pairs.append((key, value))
    return pairs


def _nothing_found(target: Target) -> str:
    key = APP_NAME if APP_NAME in target.annotations else APP_SELECTOR
    return (
        f"{key} names {target.annotations[key]!r}, which Argo CD does not list: check the name, {APP_NAMESPACE}, "
        "and that the token may get the application"
    )


def _application(
    item: Mapping[str, Any], metadata: Mapping[str, Any], name: str, faults: list[PullFault]
) -> Application:
    spec, status = _mapping(item.get("spec")), _mapping(item.get("status"))
    namespace = str(metadata.get("namespace") or "")
    synced, total = _resources(status)
    return Application(
        key=str(metadata.get("uid") or f"{namespace}/{name}"),
        namespace=namespace,
        name=name,
        labels={str(key): str(value) for key, value in _mapping(metadata.get("labels")).items()},
        sync_status=_text(_mapping(status.get("sync")).get("status")),
        health=_text(_mapping(status.get("health")).get("status")),
        reconciled_at=moment(status.get("reconciledAt")),
        auto_sync=_auto_sync(spec),
        synced_resources=synced,
        all_resources=total,
        keeps_history=spec.get("revisionHistoryLimit") != 0,
        deploys=tuple(_deploys(status.get("history") or [], name, faults)),
        failed_sync=_failed_sync(_mapping(status.get("operationState")), name, faults),
    )


def _auto_sync(spec: Mapping[str, Any]) -> bool:
    automated = _mapping(spec.get("syncPolicy")).get("automated")
    return isinstance(automated, dict) and automated.get("enabled") is not False


def _resources(status: Mapping[str, Any]) -> tuple[int, int]:
    """Count the managed resources: those equal to Git, and all. Hooks come and go by design and are left out."""
    resources = [r for r in status.get("resources") or [] if isinstance(r, dict) and not r.get("hook")]
    return sum(1 for r in resources if r.get("status") == "Synced"), len(resources)


def _deploys(history: Sequence[Any], name: str, faults: list[PullFault]) -> Iterable[Deploy]:
    for entry in history:
        entry = _mapping(entry)
        try:
            number = entry.get("id", 0)
            if isinstance(number, bool) or not isinstance(number, int):
                raise ValueError(f"id {number!r} is no number")
            initiator = _mapping(entry.get("initiatedBy"))
            yield Deploy(
                id=number,
                at=required_moment(entry.get("deployedAt")),
                identity=_identity(entry),
                automated=_automated(initiator),
                revision=", ".join(_revisions(entry)),
                initiator=str(initiator.get("username") or ("Argo CD" if initiator.get("automated") else "")),
                started_at=moment(entry.get("deployStartedAt")),
            )
        except ValueError as error:
            faults.append(PullFault(name, f"history entry {entry.get('id')}: {error}; it is not counted"))


def _failed_sync(operation: Mapping[str, Any], name: str, faults: list[PullFault]) -> FailedSync | None:
    sync = _mapping(_mapping(operation.get("operation")).get("sync"))
    if operation.get("phase") not in _FAILED_PHASES or sync.get("dryRun"):
        return None
    try:
        started = required_moment(operation.get("startedAt"))
    except ValueError as error:
        faults.append(PullFault(name, f"failed sync: {error}; it is not counted"))
        return None
    result = _mapping(operation.get("syncResult"))
    revisions = _revisions(result) or _revisions(sync)
    finished = moment(operation.get("finishedAt"))
    return FailedSync(started, finished or started, operation["phase"], ", ".join(revisions))


def _revisions(entry: Mapping[str, Any]) -> list[str]:
    """Return the revisions of an entry: one, or one per source of a multi-source application."""
    revisions = entry.get("revisions") or [entry.get("revision")]
    return [str(revision) for revision in revisions if revision]


def _identity(entry: Mapping[str, Any]) -> str:
    """Return a short digest of what was put out.

    The branch or tag that was asked for (`targetRevision`) is left out: a rollback by hand asks for the commit itself.
    """
    sources = entry.get("sources") or [entry.get("source")]
    parameters = [{k: v for k, v in _mapping(source).items() if k != "targetRevision"} for source in sources]
    text = json.dumps([_revisions(entry), parameters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _automated(initiator: Mapping[str, Any]) -> bool | None:
    if initiator.get("automated"):
        return True
    return False if initiator.get("username") else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
