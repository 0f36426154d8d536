"""Alertmanager: alerts, silences and its configuration, in the shapes of its own documents."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.fakes.argocd import rfc3339
from tests.fakes.server import Fake


class Alertmanager(Fake):
    """Keeps alerts and silences. `modern` answers what releases after 0.25 added."""

    base_path = "/api/v2"

    def __init__(self, spec_file: Path, now: datetime, *, modern: bool = True, token: str = "fake-token") -> None:
        self.now = now
        self.modern = modern
        self.routes = "route: {receiver: pager}\nreceivers: [{name: pager, webhook_configs: [{url: 'http://x/'}]}]\n"
        self.alerts: list[dict[str, Any]] = []
        self.silences: list[dict[str, Any]] = []
        super().__init__(spec_file, token)

    def register(self) -> None:
        self.app.get("/api/v2/status")(self.status)
        self.app.add_url_rule("/api/v2/alerts", "alerts", lambda: self.alerts)
        self.app.add_url_rule("/api/v2/silences", "silences", lambda: self.silences)

    def fire(self, labels: Mapping[str, str], *, silenced_by: tuple[str, ...] = (), **more: Any) -> None:
        """An alert that fires; it is suppressed where a silence hides it."""
        state = {
            "state": "suppressed" if silenced_by else "active",
            "silencedBy": list(silenced_by),
            "inhibitedBy": [],
            **({"mutedBy": []} if self.modern else {}),
        }
        self.alerts.append(
            {
                "labels": dict(labels),
                "annotations": {},
                "fingerprint": f"{len(self.alerts):016x}",
                "receivers": [{"name": "pager"}],
                "startsAt": rfc3339(self.now),
                "updatedAt": rfc3339(self.now),
                "endsAt": rfc3339(self.now + timedelta(minutes=5)),
                "status": state,
                **more,
            }
        )

    def silence(self, days: int, *matchers: Mapping[str, Any], state: str = "active", **more: Any) -> str:
        """A silence that began a day ago."""
        made = {
            "id": f"silence-{len(self.silences) + 1}",
            "status": {"state": state},
            "updatedAt": rfc3339(self.now),
            "startsAt": rfc3339(self.now - timedelta(days=1)),
            "endsAt": rfc3339(self.now + timedelta(days=days - 1)),
            "createdBy": "ann",
            "comment": "maintenance",
            "matchers": [{"isRegex": False, **matcher} for matcher in matchers],
            **({"annotations": {}} if self.modern else {}),
            **more,
        }
        self.silences.append(made)
        return str(made["id"])

    def status(self) -> Any:
        built = {"revision": "68fb2d5", "branch": "HEAD", "buildUser": "root", "buildDate": "x", "goVersion": "go1.25"}
        return {
            "cluster": {"status": "disabled"},
            "config": {"original": self.routes},
            "uptime": rfc3339(self.now),
            "versionInfo": {"version": "0.28.0" if self.modern else "0.25.0", **built},
        }

    def refuse(self, status: int, message: str) -> tuple[Any, int]:
        return message, status
