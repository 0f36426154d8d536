"""What the simulated Argo CD knows: `deploys.yaml`, and the histories that follow from it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from examples.simulated.recurrence import Recurrence
from examples.simulated.telemetry import shape

DEFAULT_HISTORY = 10
"""Argo CD's own default of `revisionHistoryLimit`."""
DAY_SECONDS = 86_400
SYNC_SECONDS = 40


@dataclass(frozen=True)
class Application:
    """An application, and the calendar of its deploys."""

    project: str
    deploys: tuple[Recurrence, ...]
    rollbacks: tuple[Recurrence, ...] = ()
    failures: tuple[Recurrence, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    history: int = DEFAULT_HISTORY
    auto_sync: bool = True
    by: str = "stage-manager"
    """Who begins what auto-sync does not."""
    rollout: bool = False
    """The workload is an Argo Rollout with an analysis, rather than a Deployment."""
    resources: int = 5
    out_of_sync: int = 0
    health: str = "Healthy"


@dataclass(frozen=True)
class Sync:
    """One entry of an application's history."""

    number: int
    at: float
    """When it finished, Unix seconds."""
    revision: str
    automated: bool


class DeploysFault(ValueError):
    """`deploys.yaml` says something that the simulation cannot understand."""


def load(path: Path) -> dict[str, Application]:
    """Read the applications by name; raises DeploysFault naming application and field."""
    applications = {}
    for name, spec in yaml.safe_load(path.read_text())["applications"].items():
        try:
            calendars = {
                key: tuple(Recurrence(**entry) for entry in spec.get(key, ()))
                for key in ("deploys", "rollbacks", "failures")
            }
            applications[name] = shape(Application, {**spec, **calendars})
        except (TypeError, ValueError) as error:
            raise DeploysFault(f"application {name}: {error}") from error
    return applications


def history(name: str, application: Application, now: float) -> list[Sync]:
    """Return the syncs that Argo CD still keeps, oldest first. Their numbers are the same at every start."""
    longest = max(recurrence.every_days for recurrence in application.deploys)
    start = now - (application.history + 4) * longest * DAY_SECONDS
    moments = sorted(
        [(at, False) for calendar in application.deploys for _, at in calendar.between(start, now)]
        + [(at, True) for calendar in application.rollbacks for _, at in calendar.between(start, now)]
    )
    if not moments:
        return []
    first = sum(len(calendar.between(0, moments[0][0])) for calendar in (*application.deploys, *application.rollbacks))
    revisions: list[str] = []
    syncs = []
    for number, (at, is_rollback) in enumerate(moments, first):
        undone = is_rollback and len(revisions) > 1
        revisions.append(revisions[-2] if undone else _revision(name, number))
        syncs.append(Sync(number, at, revisions[-1], application.auto_sync and not is_rollback))
    return syncs[-application.history :]


def last_failure(application: Application, now: float) -> float | None:
    """Return when a sync last failed, if one did within the last weeks."""
    found = [at for calendar in application.failures for _, at in calendar.between(now - 30 * DAY_SECONDS, now)]
    return max(found, default=None)


def failed_revision(name: str) -> str:
    """Return the revision that keeps failing."""
    return _revision(name, -1)


def _revision(name: str, number: int) -> str:
    """Return a revision as Git would name it: 40 hexadecimal digits."""
    return hashlib.sha1(f"{name} {number}".encode(), usedforsecurity=False).hexdigest()


def application_uid(name: str) -> str:
    """Return the same uid at every start."""
    digest: Any = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"
